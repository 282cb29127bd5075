/**
 * The command that measures mirror, promote and publish: Sluice, and its peers on the same archive in the same run.
 * See bench/README.md.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ArchivePlan, buildArchive, hasArchive, sourceSizes } from './archive.ts'
import { type Changes, chooseChanges, makeBed } from './bed.ts'
import { type Column, formatTable } from './figures.ts'
import { measureSluice } from './measure-sluice.ts'
import { measurePeer, type PeerName } from './peers.ts'
import { workingDirectory } from './processes.ts'

const usage = `usage: node bench/publish.ts [--peers aptly,reprepro] [--stanzas N] [--seed S] [more]

measures Sluice, and peers if named, and prints one table
  --peers LIST       aptly, reprepro or both (default none; at full scale some minutes each)
  --no-sluice        the peers alone
  --archive DIR      of make-archive; made there if missing (default ${join(tmpdir(), 'sluice-bench/archive')})
  --stanzas N        size of the archive to make (default 0: all)
  --arch LIST        architectures (default amd64,arm64)
  --seed S           of the packages and sources that change (default 1)
  --promotions N     promotions that are timed (default 50)
  --generations N    further one-package generations, for their disk use (default 100)
  --limit SECONDS    that one step may take (default 900)
  --json FILE        write all figures there too
  --keep             leave the working directory and print where it is`

const { values } = parseArgs({
  allowNegative: true,
  options: {
    peers: { type: 'string', default: '' },
    sluice: { type: 'boolean', default: true },
    archive: { type: 'string', default: join(tmpdir(), 'sluice-bench/archive') },
    stanzas: { type: 'string', default: '0' },
    arch: { type: 'string', default: 'amd64,arm64' },
    seed: { type: 'string', default: '1' },
    promotions: { type: 'string', default: '50' },
    generations: { type: 'string', default: '100' },
    limit: { type: 'string', default: '900' },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const startedMs = performance.now()

function progress(line: string): void {
  console.error(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${line}`)
}

function peerNames(): PeerName[] {
  return values.peers
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      if (name === 'aptly' || name === 'reprepro') return name
      throw new Error(`no such peer: ${name}`)
    })
}

async function prepareArchive(): Promise<ArchivePlan> {
  const plan: ArchivePlan = {
    directory: values.archive,
    stanzas: Number(values.stanzas),
    architectures: values.arch.split(','),
    list: undefined,
    padBytes: 0,
    largeBytes: 0,
    epochSeconds: 1_767_225_600,
  }
  if (hasArchive(plan)) return plan
  rmSync(plan.directory, { recursive: true, force: true })
  await buildArchive(plan, progress)
  return plan
}

function describe(changes: Changes, plan: ArchivePlan): string {
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  const load = loadavg()[0]?.toFixed(1) ?? '?'
  return [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, ${gib} GiB; Node ${process.version}; load before ${load}`,
    `archive: ${plan.stanzas === 0 ? 'all' : plan.stanzas} stanzas, ${plan.architectures.join(' and ')}`,
    `seed ${changes.seed}; large: ${changes.large.join(', ')}; promoted: ${changes.promoted.join(', ')}`,
  ].join('\n')
}

async function main(): Promise<void> {
  const plan = await prepareArchive()
  const count = { promotions: Number(values.promotions), generations: Number(values.generations) }
  const sizes = sourceSizes(plan.directory)
  const changes = chooseChanges(sizes, count, Number(values.seed), plan.architectures)
  const directory = workingDirectory('run-', values.keep)
  const description = describe(changes, plan)
  const columns = new Map<string, Column>()
  const limitMs = Number(values.limit) * 1000
  const common = { archive: plan.directory, directory, changes, limitMs, progress }
  for (const name of [...(values.sluice ? ['sluice' as const] : []), ...peerNames()]) {
    const bed = await makeBed(name, common)
    try {
      columns.set(name, name === 'sluice' ? await measureSluice(bed) : await measurePeer(name, bed))
    } catch (error) {
      // The others' figures are worth having all the same.
      bed.progress(`failed: ${error instanceof Error ? error.stack : String(error)}`)
      process.exitCode = 1
    } finally {
      await bed.end()
      if (!values.keep) rmSync(join(directory, name), { recursive: true, force: true })
    }
  }
  console.log(`${description}\n\n${formatTable(columns)}`)
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(asJson(columns), null, 2)}\n`)
  }
}

function asJson(columns: ReadonlyMap<string, Column>): Record<string, unknown> {
  return Object.fromEntries(
    [...columns].map(([name, column]) => [name, Object.fromEntries(column)]),
  )
}

if (values.help) console.log(usage)
else await main()
