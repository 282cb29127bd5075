/**
 * The command that compares hits: Sluice beside nginx with the files themselves, nginx with proxy_cache, and apt-cacher-ng, the
 * same paths from each, in turns, in one run.
 *
 * wrk does the asking, and for the large file clients that drop what they get, on the same machine: only ratios of neighbouring
 * runs mean anything. See bench/README.md.
 */
import { parseArgs } from 'node:util'
import { closeClient } from './client.ts'
import { percentile } from './figures.ts'
import { type Result, runSink, runWrk } from './hit-clients.ts'
import { type Bed, prepare, type Target } from './hit-targets.ts'
import { memoryOfEach, workingDirectory } from './processes.ts'
import { randomFrom } from './random.ts'

const usage = `usage: node bench/hit.ts [--rounds N] [--seconds N] [--files N] [--workers N] [--only NAME,...]

compares hits with wrk: nginx, proxy_cache, apt-cacher-ng, Sluice
  --rounds N     each case so many times, in turns (default 5)
  --seconds N    that one case runs (default 3)
  --files N      of 20 kB, asked for by Zipf: ten times the memory cache (default 12000)
  --large BYTES  size of the large file (default 80000000)
  --workers N    processes of nginx that serve, and from 2 on Sluice's setting \`workers\` (default 1)
  --only NAMES   of proxy_cache, apt-cacher-ng, sluice (default all)
  --seed S       of the order that files are asked for in (default 1)`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    files: { type: 'string', default: '12000' },
    large: { type: 'string', default: '80000000' },
    workers: { type: 'string', default: '1' },
    only: { type: 'string', default: 'proxy_cache,apt-cacher-ng,sluice' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

interface Case {
  readonly name: string
  readonly connections: number
  /** Below the archive's root, in the order that they are asked for. */
  readonly paths: readonly string[]
  readonly isConditional?: boolean
  /** What comes is dropped in the kernel. */
  readonly isDropped?: boolean
  readonly rows: readonly Row[]
}

interface Row {
  readonly unit: string
  readonly pick: (result: Result) => number
}

const perSecond: Row = { unit: 'requests/s', pick: (result) => result.requestsPerSecond }
const perRequest: Row = { unit: 'CPU µs/request', pick: (result) => result.processorPerRequest }
const small = [perSecond, perRequest]
const large: Row[] = [
  { unit: 'MB/s', pick: (result) => result.megabytesPerSecond },
  { unit: 'CPU s/GB', pick: (result) => result.processorSecondsPerGigabyte },
]
const alone: Row[] = [
  { unit: 'µs, median', pick: (result) => result.latency ?? Number.NaN },
  { unit: 'µs, 99 %', pick: (result) => result.latency99 ?? Number.NaN },
]

function casesOf({ inRelease, files }: Bed): Case[] {
  const random = randomFrom(Number(values.seed))
  const [largest = '', ...others] = files
  const hot = others.slice(0, 1)
  // Zipf with exponent 1, by inversion of its continuous form.
  const zipf = Array.from({ length: 20_000 }, () => {
    return others[Math.floor(others.length ** random()) - 1] ?? ''
  })
  const [once, many] = [{ connections: 1 }, { connections: 64 }]
  return [
    { name: '20 kB, one file', ...many, paths: hot, rows: small },
    { name: `20 kB, ${others.length} files by Zipf`, ...many, paths: zipf, rows: small },
    { name: 'InRelease, 150 kB', ...many, paths: [inRelease], rows: small },
    { name: 'InRelease, 304', ...many, paths: [inRelease], isConditional: true, rows: small },
    { name: '80 MB', ...once, paths: [largest], isDropped: true, rows: large },
    { name: '80 MB', connections: 8, paths: [largest], isDropped: true, rows: large },
    { name: '80 MB, read by wrk', ...once, paths: [largest], rows: large },
    { name: '80 MB, read by wrk', connections: 8, paths: [largest], rows: large },
    { name: '20 kB, latency', ...once, paths: hot, rows: alone },
    { name: 'InRelease, latency', ...once, paths: [inRelease], rows: alone },
  ]
}

async function measure(target: Target, what: Case, directory: string): Promise<Result> {
  const { origin, pathname } = new URL(target.url)
  const paths = what.paths.map((path) => `${pathname}/${path}`)
  let header: string | undefined
  if (what.isConditional === true) {
    // A connection of the round before has ended meanwhile, unseen: wrk holds this process up.
    const response = await fetch(`${origin}${paths[0]}`, { headers: { connection: 'close' } })
    await response.arrayBuffer()
    header = `If-Modified-Since: ${response.headers.get('last-modified') ?? ''}`
  }
  const { pid } = target
  const { connections } = what
  const asked = { origin, pids: [pid], paths, header, connections }
  const seconds = Number(values.seconds)
  return what.isDropped === true ? runSink(asked, seconds) : runWrk(asked, seconds, directory)
}

async function main(): Promise<void> {
  const directory = workingDirectory('hit-', false)
  const progress = (line: string): void => console.error(line)
  const bed = await prepare({
    directory,
    files: Number(values.files),
    largeBytes: Number(values.large),
    workers: Number(values.workers),
    only: values.only.split(','),
    progress,
  })
  try {
    const results = new Map<string, Result[]>()
    const all = casesOf(bed)
    for (let round = 1; round <= Number(values.rounds); round++) {
      progress(`round ${round} of ${values.rounds}`)
      for (const what of all) {
        for (const target of bed.targets) {
          const key = keyOf(what, target)
          results.set(key, [...(results.get(key) ?? []), await measure(target, what, directory)])
        }
      }
    }
    printTable(all, bed.targets, results)
  } finally {
    closeClient()
    for (const target of [...bed.targets].reverse()) await target.end()
  }
}

function keyOf({ name, connections }: Case, target: Target): string {
  return [name, connections, target.name].join(' ')
}

/** Medians of all rounds. What Sluice has is divided by what nginx has. */
function printTable(
  all: readonly Case[],
  targets: readonly Target[],
  results: ReadonlyMap<string, Result[]>,
): void {
  const line = (cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`)
  const ratio = targets.at(-1)?.name === 'sluice' ? ['sluice / nginx'] : []
  line(['case', 'connections', 'what', ...targets.map(({ name }) => name), ...ratio])
  line(['---', '---', '---', ...targets.map(() => '---'), ...ratio.map(() => '---')])
  for (const what of all) {
    for (const { unit, pick } of what.rows) {
      const medians = targets.map((target) => {
        return percentile((results.get(keyOf(what, target)) ?? []).map(pick), 0.5)
      })
      const share = ((medians.at(-1) ?? 0) / (medians[0] ?? 1)).toFixed(2)
      const cells = medians.map((value) => value.toFixed(value < 10 ? 2 : 0))
      line([what.name, String(what.connections), unit, ...cells, ...ratio.map(() => share)])
    }
  }
  const peaks = targets.map(({ pid }) => memoryOfEach(pid, 'VmHWM').map((bytes) => bytes / 1e6))
  const memory = (name: string, of: (each: readonly number[]) => number): void =>
    line([name, '', 'MB', ...peaks.map((each) => of(each).toFixed(0)), ...ratio.map(() => '')])
  memory('peak memory, all processes', (each) => each.reduce((sum, one) => sum + one, 0))
  memory('peak memory, largest process', (each) => Math.max(...each))
  const errors = targets.map(({ name }) => {
    const own = [...results].filter(([key]) => key.endsWith(` ${name}`)).flatMap(([, some]) => some)
    return String(own.reduce((sum, one) => sum + one.errors, 0))
  })
  line(['wrong answers', '', '', ...errors, ...ratio.map(() => '')])
}

if (values.help) console.log(usage)
else await main()
