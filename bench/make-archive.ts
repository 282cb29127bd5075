/**
 * The command that makes a full-scale archive, and `bump`, which makes it a little newer. See bench/README.md.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ArchivePlan, type BumpChoice, buildArchive, bumpArchive } from './archive.ts'

const usage = `usage: node bench/make-archive.ts [--out DIR] [--stanzas N] [--arch LIST] [--list FILE] [--date EPOCH]
       node bench/make-archive.ts bump [--out DIR] (--packages LIST | --sources LIST | --count N [--seed S])

makes a signed archive of tiny .debs below DIR/www/debian from the machine's own apt list
  --out DIR      where (default ${join(tmpdir(), 'sluice-bench/archive')})
  --stanzas N    only so many stanzas, whole source packages (default 0: all)
  --arch LIST    architectures, comma-separated (default amd64,arm64)
  --list FILE    an uncompressed Packages file instead of the machine's own
  --pad BYTES    payload of each .deb (default 0)
  --large BYTES  payload of the first package alone
  --date EPOCH   Date of the Release and time of all files in it, in seconds (default 1767225600)
bump gives packages, or all binaries of sources, a new version and signs a later Release
  --count N      so many packages, chosen by --seed S (default 1)`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: join(tmpdir(), 'sluice-bench/archive') },
    stanzas: { type: 'string', default: '0' },
    arch: { type: 'string', default: 'amd64,arm64' },
    list: { type: 'string' },
    pad: { type: 'string', default: '0' },
    large: { type: 'string', default: '0' },
    date: { type: 'string', default: '1767225600' },
    packages: { type: 'string' },
    sources: { type: 'string' },
    count: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

const startedMs = performance.now()

function progress(line: string): void {
  console.error(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`)
}

function bumpChoice(): BumpChoice | undefined {
  if (values.packages !== undefined) return { kind: 'packages', names: values.packages.split(',') }
  if (values.sources !== undefined) return { kind: 'sources', names: values.sources.split(',') }
  if (values.count === undefined) return undefined
  return { kind: 'packages', count: Number(values.count), seed: Number(values.seed) }
}

async function make(): Promise<void> {
  const plan: ArchivePlan = {
    directory: values.out,
    stanzas: Number(values.stanzas),
    architectures: values.arch.split(','),
    list: values.list,
    padBytes: Number(values.pad),
    largeBytes: Number(values.large),
    epochSeconds: Number(values.date),
  }
  const facts = await buildArchive(plan, progress)
  progress(`${values.out}: ${facts.debs} debs, stanzas ${JSON.stringify(facts.stanzas)}`)
}

async function bump(choice: BumpChoice): Promise<void> {
  const bumped = await bumpArchive(values.out, choice)
  progress(`${bumped.stanzas} stanzas of ${bumped.names.length} ${choice.kind} are newer`)
  console.log(bumped.names.join('\n'))
}

const command = positionals[0] ?? 'make'
const choice = bumpChoice()
if (values.help) console.log(usage)
else if (command === 'make' && positionals.length <= 1) await make()
else if (command === 'bump' && choice !== undefined) await bump(choice)
else {
  console.error(usage)
  process.exitCode = 2
}
