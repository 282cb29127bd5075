/**
 * `sluice channel fill`: fetches everything that a channel's head names.
 */
import type { Command } from 'commander'
import type { FillReport } from './api-file-types.ts'
import type { FetchEvent } from './api-types.ts'
import { type Context, run, type Surroundings, splitList } from './context.ts'
import { fillLines } from './file-report.ts'
import { bar } from './progress.ts'
import { formatCount, formatSize, formatSpan, plural } from './words.ts'

interface FillOptions {
  readonly arch?: readonly string[]
  readonly dryRun?: boolean
}

/** Piped, so often is it told how far it is. */
const LINE_EVERY_MS = 10_000

/** Adds the command to those of channels. */
export function fillCommand(channel: Command, around: Surroundings): void {
  const fill = channel
    .command('fill <name>')
    .description('fetch every file that a channel names now, so that it needs upstream no more')
    .option('--arch <architecture...>', 'these only; source for source packages')
    .option('--dry-run', 'tell how much it is, and fetch nothing')
  run(around, fill, fillChannel)
}

async function fillChannel(
  context: Context,
  [name = '']: readonly string[],
  { arch, dryRun }: FillOptions,
): Promise<void> {
  const client = await context.connect()
  const path = `/channels/${encodeURIComponent(name)}/fill`
  const body = { architectures: splitList(arch), dryRun }
  const show = createProgress(context)
  const report = await client.task<FillReport, FetchEvent>(path, body, show)
  context.out.clear()
  const isDryRun = dryRun === true
  context.out.result(report, (one) => fillLines(name, one, { isDryRun }))
  if (report.unfilledFiles > 0) context.setExitCode(3)
}

function createProgress({ out, stderr }: Context): (event: FetchEvent) => void {
  const startedAt = performance.now()
  let printedAt = startedAt
  return ({ done, total, doneBytes, totalBytes }) => {
    const now = performance.now()
    const rate = (doneBytes * 1000) / Math.max(1, now - startedAt)
    const hasPace = now - startedAt > 1000 && rate > 0
    const text = [
      `${formatCount(done)} of ${plural(total, 'file')}`,
      `${formatSize(doneBytes)} of ${formatSize(totalBytes)}`,
      ...(hasPace
        ? [
            `${formatSize(Math.round(rate))}/s`,
            `${formatSpan(((totalBytes - doneBytes) * 1000) / rate)} left`,
          ]
        : []),
    ].join(', ')
    out.progress(`fill     ${bar(totalBytes === 0 ? 1 : doneBytes / totalBytes)} ${text}`)
    const isPiped = stderr.isTTY !== true
    if (!isPiped || (now - printedAt < LINE_EVERY_MS && done < total)) return
    printedAt = now
    out.lines(`fill     ${text}`)
  }
}
