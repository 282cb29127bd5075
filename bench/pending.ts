/**
 * The command that measures what an administrator asks each morning: `sluice pending` with a thousand sources that wait, on
 * an archive of full size; beside it `aptly snapshot diff`, if asked for. See bench/README.md.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ArchivePlan, buildArchive, bumpArchive, hasArchive, sourceSizes } from './archive.ts'
import { type Bed, chooseChanges, makeBed } from './bed.ts'
import { changelogOf } from './changelog-text.ts'
import { type Column, formatTable } from './figures.ts'
import { measurePending } from './measure-pending.ts'
import { measureAptlyDiff } from './peers-pending.ts'
import { workingDirectory } from './processes.ts'
import { randomFrom, sample } from './random.ts'

const usage = `usage: node bench/pending.ts [--aptly] [--count N] [--runs N] [more]

measures sluice pending, and prints a table
  --aptly            and aptly snapshot diff beside it (it mirrors all of the archive: some minutes)
  --archive DIR      of make-archive; made there if missing (default ${join(tmpdir(), 'sluice-bench/amd64')})
  --stanzas N        size of the archive to make (default 0: all)
  --arch LIST        architectures (default amd64)
  --count N          source packages that wait (default 1000)
  --runs N           of each command (default 11)
  --seed S           of the sources that change (default 1)
  --limit SECONDS    that one step may take (default 900)
  --json FILE        write all figures there too
  --keep             leave the working directory and print where it is`

const { values } = parseArgs({
  options: {
    aptly: { type: 'boolean', default: false },
    archive: { type: 'string', default: join(tmpdir(), 'sluice-bench/amd64') },
    stanzas: { type: 'string', default: '0' },
    arch: { type: 'string', default: 'amd64' },
    count: { type: 'string', default: '1000' },
    runs: { type: 'string', default: '11' },
    seed: { type: 'string', default: '1' },
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

async function main(): Promise<void> {
  const plan = await prepareArchive()
  const sizes = sourceSizes(plan.directory)
  const seed = Number(values.seed)
  const names = sample([...sizes.keys()].sort(), Number(values.count), randomFrom(seed))
  const changes = chooseChanges(sizes, { promotions: 0, generations: 0 }, seed, plan.architectures)
  const directory = workingDirectory('pending-', values.keep)
  const limitMs = Number(values.limit) * 1000
  const common = { archive: plan.directory, directory, changes, limitMs, progress }
  const description = [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores; Node ${process.version}; load before ${loadavg()[0]?.toFixed(1)}`,
    `archive: ${plan.stanzas === 0 ? 'all' : plan.stanzas} stanzas, ${plan.architectures.join(' and ')}; ${names.length} sources wait, seed ${seed}`,
  ].join('\n')
  const columns = new Map<string, Column>()
  const measure = async (name: string, work: (bed: Bed) => Promise<Column>): Promise<void> => {
    const bed = await makeBed(name, common)
    try {
      columns.set(name, await work(bed))
    } finally {
      await bed.end()
      if (!values.keep) rmSync(join(directory, name), { recursive: true, force: true })
    }
  }
  const runs = Number(values.runs)
  const change = async (bed: Bed): Promise<void> => {
    const bumped = await bumpArchive(bed.archive, { kind: 'sources', names }, changelogOf)
    bed.progress(`upstream: ${bumped.stanzas} stanzas of ${names.length} sources are newer`)
  }
  await measure('sluice', (bed) => measurePending(bed, { runs, change: () => change(bed) }))
  if (values.aptly) {
    await measure('aptly', (bed) => measureAptlyDiff(bed, { runs, change: () => change(bed) }))
  }
  console.log(`${description}\n\n${formatTable(columns)}`)
  if (values.json === undefined) return
  const figures = [...columns].map(([name, column]) => [name, Object.fromEntries(column)])
  writeFileSync(values.json, `${JSON.stringify(Object.fromEntries(figures), null, 2)}\n`)
}

if (values.help) console.log(usage)
else await main()
