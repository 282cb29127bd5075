/**
 * `node bench/gc.ts DATA [--days N] [--collect]`: what a collection costs on this data directory (whose server
 * must not run): time, processor time, the longest turns of the event loop, memory. It only plans, unless told `--collect`;
 * then it deletes, in DATA itself. The clock is N days ahead.
 *
 * A turn is told by the processor time that the main thread used in it, so that other work of the machine does not show;
 * the delay of the loop (perf_hooks) is told beside it.
 */
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { parseConfig } from '../src/base/config.ts'
import { collectGarbage, type GcReport } from '../src/keeping/gc.ts'
import { openParts } from '../src/server/parts.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    days: { type: 'string', default: '0' },
    collect: { type: 'boolean', default: false },
  },
})
const aheadMs = Number(values.days) * 24 * 3600 * 1000
const flags = { data: positionals[0] ?? './var', import: false, 'log-level': 'warn' }
const config = parseConfig({ flags, env: process.env })
const parts = await openParts(config, { ...systemClock, now: () => Date.now() + aheadMs })
const retention = { generations: config.retainGenerations, days: config.retainDays }
for (const run of ['first', 'second']) {
  console.log(`${run} run`)
  await measure(() =>
    collectGarbage(parts, { who: 'bench', retention, dryRun: !values.collect, force: true }),
  )
}
await parts.close()

async function measure(work: () => Promise<GcReport>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const turns = watchTurns()
  const begunCpu = process.cpuUsage()
  const begunMs = performance.now()
  delay.enable()
  const { deleted, waiting, totals } = await work()
  delay.disable()
  const wallMs = performance.now() - begunMs
  const { user, system } = process.cpuUsage(begunCpu)
  const longest = turns().sort((a, b) => b - a)
  const tell = (what: string, value: unknown): void => console.log(`  ${what}`, value)
  tell('goes now', JSON.stringify(deleted))
  tell('later', JSON.stringify(waiting))
  tell('of', JSON.stringify(totals))
  tell('time', `${wallMs.toFixed(0)} ms, processor ${((user + system) / 1000).toFixed(0)} ms`)
  tell(
    'longest turns',
    `${longest
      .slice(0, 5)
      .map((ms) => ms.toFixed(1))
      .join(', ')} ms`,
  )
  tell('delay of the loop', `p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms`)
  tell('memory', `${memory('VmRSS')} MB, at most ${memory('VmHWM')} MB`)
}

/** Processor time of the main thread in each turn of the loop until it is asked for, in milliseconds. */
function watchTurns(): () => number[] {
  const turns: number[] = []
  let isOn = true
  let last = process.threadCpuUsage()
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(last)
    turns.push((user + system) / 1000)
    last = process.threadCpuUsage()
    if (isOn) setImmediate(look)
  }
  setImmediate(look)
  return () => {
    isOn = false
    return turns
  }
}

function memory(field: 'VmRSS' | 'VmHWM'): string {
  const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))
  return (Number(found?.[1] ?? 0) / 1000).toFixed(0)
}
