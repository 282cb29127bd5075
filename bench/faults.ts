/**
 * The command that measures what clients feel of an upstream in trouble: fifty of them ask for files that are here, one
 * for a file that is not, while upstream is as each row says. Sluice, and apt-cacher-ng beside it. See bench/README.md.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ArchivePlan, buildArchive, hasArchive, mainSuite } from './archive.ts'
import { startAptCacherNg } from './caches.ts'
import { closeClient, fetchSuite, stanzasOfIndex } from './client.ts'
import {
  type FaultName,
  type FaultyUpstream,
  faults,
  startFaultyUpstream,
} from './faulty-upstream.ts'
import { percentile } from './figures.ts'
import { freePort, workingDirectory } from './processes.ts'
import { keyringPath } from './signing.ts'
import { startSluice } from './sluice-server.ts'
import { needField } from './stanzas.ts'

const usage = `usage: node bench/faults.ts [--clients N] [--rounds N] [--only NAME,...] [--faults NAME,...]

what clients feel of an upstream in trouble
  --clients N    at once, each on a connection of its own (default 50)
  --rounds N     how often each asks for all known files (default 5)
  --only NAMES   of sluice, apt-cacher-ng (default both)
  --faults NAMES of ${faults.join(', ')} (default all)`

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'sluice,apt-cacher-ng' },
    faults: { type: 'string', default: faults.join(',') },
    help: { type: 'boolean', default: false },
  },
})

/** apt itself gives up after 30 s. */
const PATIENCE_MS = 30_000
const DEBS = 5

const plan: ArchivePlan = {
  directory: join(tmpdir(), 'sluice-bench/faults-archive'),
  stanzas: 40,
  architectures: ['amd64'],
  list: undefined,
  padBytes: 20_000,
  largeBytes: 0,
  epochSeconds: 1_767_225_600,
}

/** What is measured, with the known files in its cache. */
interface System {
  /** As clients see what upstream has below `/debian`. */
  readonly url: string
  /** Looks upstream, where that is something of its own, without waiting for it. */
  look(): void
  /** Finds out that upstream is well again. */
  mend(): Promise<unknown>
  end(): Promise<void>
}

interface Got {
  readonly ms: number
  /** 0: nothing, or not all of it, within the patience of apt. */
  readonly status: number
}

interface Row {
  readonly known: readonly Got[]
  readonly unknown: Got
}

async function startSystem(name: string, upstream: FaultyUpstream, directory: string) {
  return name === 'sluice' ? startOurs(upstream, directory) : startPeer(upstream, directory)
}

async function startOurs({ url }: FaultyUpstream, directory: string): Promise<System> {
  const logPath = `${directory}.log`
  const sluice = await startSluice({ directory, logPath, limitMs: 60_000 })
  await sluice.addArchive({
    ...{ name: 'debian', url: `${url}/debian`, keyring: keyringPath(plan.directory) },
    ...{ suites: [mainSuite], components: ['main'], architectures: plan.architectures },
    languages: [],
  })
  return {
    url: `${sluice.url}/${new URL(url).host}/debian`,
    look: () => void sluice.post('/archives/debian/refresh', undefined).catch(() => undefined),
    mend: () => sluice.refresh('debian'),
    end: sluice.end,
  }
}

async function startPeer({ url }: FaultyUpstream, directory: string): Promise<System> {
  let cache = await startAptCacherNg(directory, url)
  return {
    get url() {
      return cache.url
    },
    look: () => undefined,
    mend: async () => {
      if (existsSync(`/proc/${cache.pid}/exe`)) return
      console.error('apt-cacher-ng ended by itself: started anew on what it has')
      cache = await startAptCacherNg(directory, url)
    },
    end: () => cache.end(),
  }
}

async function measure(
  system: System,
  files: { readonly known: readonly string[]; readonly unknown: string },
): Promise<Row> {
  system.look()
  const client = async (): Promise<Got[]> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const got: Got[] = []
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const path of files.known) got.push(await ask(`${system.url}/${path}`, agent))
      // Who waited for apt's whole patience once has told enough.
      if (got.some(({ status }) => status === 0)) break
    }
    agent.destroy()
    return got
  }
  const unknown = ask(`${system.url}/${files.unknown}`, new Agent())
  const known = await Promise.all(Array.from({ length: Number(values.clients) }, client))
  return { known: known.flat(), unknown: await unknown }
}

function ask(url: string, agent: Agent): Promise<Got> {
  const begun = performance.now()
  return new Promise((resolve) => {
    const end = (status: number): void => resolve({ status, ms: performance.now() - begun })
    const signal = AbortSignal.timeout(PATIENCE_MS)
    get(url, { agent, signal }, (response) => {
      response.on('end', () => end(response.complete ? (response.statusCode ?? 0) : 0))
      response.on('error', () => end(0)).resume()
    }).on('error', () => end(0))
  })
}

function printRow(fault: FaultName, name: string, { known, unknown }: Row): void {
  const times = known.map(({ ms }) => ms)
  const good = known.filter(({ status }) => status === 200).length
  const cells = [
    ...[fault, name, `${good} of ${known.length}`],
    ...[time(percentile(times, 0.5)), time(percentile(times, 0.99)), time(Math.max(...times))],
    unknown.status === 0
      ? `nothing in ${time(unknown.ms)}`
      : `${unknown.status} in ${time(unknown.ms)}`,
  ]
  console.log(`| ${cells.join(' | ')} |`)
}

function time(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`
}

async function main(): Promise<void> {
  const names = values.only.split(',')
  if (names.includes('apt-cacher-ng')) execFileSync('apt-cacher-ng', ['-h'], { stdio: 'ignore' })
  if (!hasArchive(plan)) {
    rmSync(plan.directory, { recursive: true, force: true })
    await buildArchive(plan, (line) => console.error(line))
  }
  const directory = workingDirectory('faults-', false)
  const port = await freePort(15_000, 20_000)
  const upstream = await startFaultyUpstream(join(plan.directory, 'www'), port)
  const stanzas = stanzasOfIndex(await fetchSuite(`${upstream.url}/debian`, mainSuite, 'amd64'))
  const debs = stanzas.map((stanza) => needField(stanza, 'Filename'))
  const known = [`dists/${mainSuite}/InRelease`, ...debs.splice(0, DEBS)]
  const systems = new Map<string, System>()
  try {
    for (const name of names) {
      mkdirSync(join(directory, name))
      const system = await startSystem(name, upstream, join(directory, name))
      systems.set(name, system)
      for (const path of known) await ask(`${system.url}/${path}`, new Agent())
    }
    const columns = [
      'upstream',
      'cache',
      'known files had',
      'p50',
      'p99',
      'longest',
      'an unknown file',
    ]
    console.log(`| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length)}`)
    for (const fault of faults.filter((one) => values.faults.split(',').includes(one))) {
      await upstream.become('well')
      for (const system of systems.values()) await system.mend()
      await upstream.become(fault)
      const unknown = debs.shift() ?? ''
      for (const [name, system] of systems) {
        printRow(fault, name, await measure(system, { known, unknown }))
      }
    }
  } finally {
    closeClient()
    for (const system of systems.values()) await system.end()
    await upstream.close()
  }
}

if (values.help) console.log(usage)
else await main()
