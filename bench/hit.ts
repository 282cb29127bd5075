/**
 * The command that compares Sluice's hits with nginx's: the same files from both, in turns, in one run.
 *
 * wrk does the asking, on the same machine: only the ratio of two neighbouring runs means anything. Each file was
 * fetched once through Sluice before. See bench/README.md.
 */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ArchivePlan, buildArchive, hasArchive, mainSuite } from './archive.ts'
import { closeClient, fetchSuite, get, stanzasOfIndex } from './client.ts'
import { percentile } from './figures.ts'
import { peakMemory, processorSeconds, workingDirectory } from './processes.ts'
import { randomFrom } from './random.ts'
import { keyringPath } from './signing.ts'
import { type SluiceServer, startSluice } from './sluice-server.ts'
import { needField } from './stanzas.ts'
import { startUpstream, type Upstream } from './upstream.ts'

const usage = `usage: node bench/hit.ts [--rounds N] [--seconds N] [--files N] [--seed S]

compares hits of Sluice and nginx with wrk
  --rounds N     each case so many times, in turns (default 5)
  --seconds N    that one wrk runs (default 3)
  --files N      of 20 kB, asked for by Zipf (default 2000)
  --large BYTES  size of the large file (default 80000000)
  --seed S       of the order that files are asked for in (default 1)`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    files: { type: 'string', default: '2000' },
    large: { type: 'string', default: '80000000' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

interface Target {
  readonly name: string
  readonly url: string
  readonly pid: number
  readonly inRelease: string
  /** The same package in both targets at the same place; the large one first. */
  readonly files: readonly string[]
}

interface Case {
  readonly name: string
  readonly connections: number
  /** Paths in the order that they are asked for. */
  paths(target: Target): readonly string[]
  readonly isConditional?: boolean
}

interface Result {
  readonly requestsPerSecond: number
  readonly megabytesPerSecond: number
  readonly processorSecondsPerGigabyte: number
}

function progress(line: string): void {
  console.error(line)
}

function cases(): Case[] {
  const random = randomFrom(Number(values.seed))
  // Zipf with exponent 1, by inversion of its continuous form.
  const order = Array.from({ length: 20_000 }, () => random())
  const zipf = (files: readonly string[]) => {
    return order.map((share) => files[Math.floor(files.length ** share) - 1] ?? '')
  }
  return [
    { name: '20 kB, one file', connections: 64, paths: ({ files }) => files.slice(1, 2) },
    {
      name: `20 kB, ${values.files} files by Zipf`,
      connections: 64,
      paths: ({ files }) => zipf(files.slice(1)),
    },
    { name: 'InRelease', connections: 64, paths: ({ inRelease }) => [inRelease] },
    {
      name: 'InRelease, 304',
      connections: 64,
      paths: ({ inRelease }) => [inRelease],
      isConditional: true,
    },
    { name: 'large file, 1 client', connections: 1, paths: ({ files }) => files.slice(0, 1) },
    { name: 'large file, 8 clients', connections: 8, paths: ({ files }) => files.slice(0, 1) },
  ]
}

async function prepare(
  directory: string,
): Promise<{ upstream: Upstream; sluice: SluiceServer; targets: Target[] }> {
  const plan: ArchivePlan = {
    directory: join(tmpdir(), 'sluice-bench/hit-archive'),
    stanzas: Number(values.files) + 1,
    architectures: ['amd64'],
    list: undefined,
    padBytes: 18_000,
    largeBytes: Number(values.large),
    epochSeconds: 1_767_225_600,
  }
  if (!hasArchive(plan)) {
    rmSync(plan.directory, { recursive: true, force: true })
    await buildArchive(plan, progress)
  }
  const upstream = await startUpstream(join(plan.directory, 'www'), join(directory, 'upstream'))
  const sluice = await startSluice({
    directory,
    logPath: join(directory, 'log'),
    limitMs: 120_000,
  })
  await sluice.addArchive({
    name: 'debian',
    url: `${upstream.url}/debian`,
    keyring: keyringPath(plan.directory),
    suites: [mainSuite],
    components: ['main'],
    architectures: plan.architectures,
    languages: [],
  })
  await sluice.post('/channels', { name: 'bench', follow: ['debian'] })
  const targets = [
    await describeTarget(upstream.program, `${upstream.url}/debian`, upstream.pid),
    await describeTarget('sluice', `${sluice.url}/channels/bench/debian`, sluice.pid),
  ]
  progress('fetching every file once')
  for (const { url, files } of targets) for (const file of files) await get(`${url}/${file}`)
  return { upstream, sluice, targets }
}

async function describeTarget(name: string, url: string, pid: number): Promise<Target> {
  const stanzas = stanzasOfIndex(await fetchSuite(url, mainSuite, 'amd64'))
  const sized = stanzas.map((stanza) => ({
    package: needField(stanza, 'Package') + needField(stanza, 'Version'),
    sizeBytes: Number(needField(stanza, 'Size')),
    path: needField(stanza, 'Filename'),
  }))
  sized.sort((a, b) => (a.package < b.package ? -1 : 1))
  const large = sized.find(({ sizeBytes }) => sizeBytes > Number(values.large))
  if (large === undefined) throw new Error(`no large file at ${url}`)
  const files = [large, ...sized.filter((one) => one !== large)].map(({ path }) => path)
  return { name, url, pid, inRelease: `dists/${mainSuite}/InRelease`, files }
}

async function measure(target: Target, what: Case, directory: string): Promise<Result> {
  const root = new URL(target.url)
  const paths = what.paths(target).map((path) => `${root.pathname}/${path}`)
  const headers: string[] = []
  if (what.isConditional === true) {
    const response = await fetch(`${target.url}/${target.inRelease}`)
    await response.arrayBuffer()
    headers.push('-H', `If-Modified-Since: ${response.headers.get('last-modified') ?? ''}`)
  }
  const script = join(directory, 'wrk.lua')
  writeFileSync(script, luaScript(paths))
  const before = processorSeconds(target.pid)
  const threads = String(Math.min(2, what.connections))
  const args = [
    '-t',
    threads,
    '-c',
    String(what.connections),
    '-d',
    `${values.seconds}s`,
    '-s',
    script,
  ]
  const out = execFileSync('wrk', [...args, ...headers, root.origin], {
    timeout: 120_000,
  }).toString()
  const used = processorSeconds(target.pid) - before
  const found = /^result (\d+) (\d+) (\d+) (\d+)$/m.exec(out)
  if (found === null) throw new Error(`wrk said:\n${out}`)
  const [requests = 0, bytes = 0, microseconds = 1, errors = 0] = found.slice(1).map(Number)
  if (errors > 0) throw new Error(`${target.name}, ${what.name}: ${errors} errors`)
  const seconds = microseconds / 1e6
  return {
    requestsPerSecond: requests / seconds,
    megabytesPerSecond: bytes / 1e6 / seconds,
    processorSecondsPerGigabyte: used / (bytes / 1e9),
  }
}

function luaScript(paths: readonly string[]): string {
  const list = paths.map((path) => JSON.stringify(path)).join(',\n')
  return `local paths = {${list}}
local at = 0
request = function()
  at = at % #paths + 1
  return wrk.format('GET', paths[at])
end
done = function(summary)
  local e = summary.errors
  io.write(string.format('result %d %d %d %d\\n', summary.requests, summary.bytes, summary.duration,
    e.status + e.connect + e.read + e.write + e.timeout))
end
`
}

async function main(): Promise<void> {
  const directory = workingDirectory('hit-', false)
  const { upstream, sluice, targets } = await prepare(directory)
  try {
    const results = new Map<string, Result[]>()
    const all = cases()
    for (let round = 1; round <= Number(values.rounds); round++) {
      progress(`round ${round} of ${values.rounds}`)
      for (const what of all) {
        for (const target of targets) {
          const key = `${what.name} ${target.name}`
          const result = await measure(target, what, directory)
          results.set(key, [...(results.get(key) ?? []), result])
        }
      }
    }
    printTable(all, targets, results)
    console.log(`\npeak memory of Sluice: ${(peakMemory(sluice.pid) / 1e6).toFixed(0)} MB`)
  } finally {
    closeClient()
    await sluice.end()
    await upstream.end()
  }
}

function printTable(
  all: readonly Case[],
  targets: readonly Target[],
  results: ReadonlyMap<string, Result[]>,
): void {
  const names = targets.map(({ name }) => name)
  const head = ['case', 'what', ...names, `sluice / ${names[0]}`]
  console.log(`| ${head.join(' | ')} |\n|${' --- |'.repeat(head.length)}`)
  for (const { name, connections } of all) {
    const isLarge = name.startsWith('large')
    const rows: [string, (result: Result) => number][] = isLarge
      ? [
          ['MB/s', (result) => result.megabytesPerSecond],
          ['server CPU s per GB', (result) => result.processorSecondsPerGigabyte],
        ]
      : [['requests/s', (result) => result.requestsPerSecond]]
    for (const [unit, pick] of rows) {
      const medians = names.map((target) => {
        return percentile((results.get(`${name} ${target}`) ?? []).map(pick), 0.5)
      })
      const [theirs = 1, ours = 0] = medians
      const cells = medians.map((value) => value.toFixed(value < 10 ? 2 : 0))
      console.log(
        `| ${name}, ${connections} connections | ${unit} | ${cells.join(' | ')} | ${(ours / theirs).toFixed(2)} |`,
      )
    }
  }
}

if (values.help) console.log(usage)
else await main()
