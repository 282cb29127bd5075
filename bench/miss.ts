/**
 * The command that measures a miss of many clients: all ask for the same large file, which nobody has yet, over a line that
 * would just carry it for one. Sluice, nginx with proxy_cache, and apt-cacher-ng in turns, each with an empty cache; beside
 * them one client that asks upstream itself, which is how fast it can be. See bench/README.md.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type ArchivePlan, buildArchive, hasArchive, mainSuite } from './archive.ts'
import { startAptCacherNg, startNginxCache } from './caches.ts'
import { closeClient, fetchSuite, send, stanzasOfIndex } from './client.ts'
import { percentile } from './figures.ts'
import {
  type Daemon,
  freePort,
  groupMemory,
  processorSeconds,
  run,
  startDaemon,
  untilReady,
  workingDirectory,
} from './processes.ts'
import { keyringPath } from './signing.ts'
import { startSluice } from './sluice-server.ts'
import { needField } from './stanzas.ts'

const usage = `usage: node bench/miss.ts [--clients N] [--bytes N] [--rate N] [--rounds N] [--only NAME,...]

many clients ask for one cold file over a slow line
  --clients N    at once (default 50)
  --bytes N      of the file (default 80000000)
  --rate N       bytes per second of upstream, all connections together (default 20000000)
  --rounds N     each system so many times, in turns (default 3)
  --only NAMES   of sluice, nginx, apt-cacher-ng (default all)`

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '50' },
    bytes: { type: 'string', default: '80000000' },
    rate: { type: 'string', default: '20000000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: 'sluice,nginx,apt-cacher-ng' },
    help: { type: 'boolean', default: false },
  },
})

const limitMs = 60_000 + (Number(values.bytes) / Number(values.rate)) * 1000 * 10

/** The large file, as an index names it. */
interface LargeFile {
  readonly path: string
  readonly sizeBytes: number
  readonly sha256: string
}

interface Upstream extends Daemon {
  readonly url: string
  readonly file: LargeFile
  /** Bytes of the file that were sent since the last call. */
  takeBytes(): Promise<number>
}

/** What is measured: ready, and with nothing of the file. */
interface System {
  readonly pid: number
  readonly url: string
  end(): Promise<void>
}

interface Result {
  readonly allMs: number
  readonly firstByteMs: number
  readonly lastFirstByteMs: number
  readonly upstreamFiles: number
  readonly processorSeconds: number
  readonly memoryBefore: number
  readonly memoryPeak: number
}

type Starter = (directory: string, upstream: Upstream) => Promise<System>

const starters: Readonly<Record<string, Starter>> = {
  sluice: async (directory, { url, file }) => {
    const sluice = await startSluice({ directory, logPath: join(directory, 'log'), limitMs })
    await sluice.addArchive({
      ...{ name: 'debian', url: `${url}/debian`, keyring: keyringPath(plan.directory) },
      ...{ suites: [mainSuite], components: ['main'], architectures: plan.architectures },
      languages: [],
    })
    await sluice.post('/channels', { name: 'bench', follow: ['debian'] })
    const base = `${sluice.url}/channels/bench/debian`
    const { path } = await largeFileAt(base)
    if (path === file.path) throw new Error('not a path of a channel')
    return { pid: sluice.pid, url: `${base}/${path}`, end: sluice.end }
  },
  nginx: async (directory, { url, file }) => {
    const cache = await startNginxCache(directory, url)
    return { ...cache, url: `${cache.url}/${file.path}` }
  },
  'apt-cacher-ng': async (directory, { url, file }) => {
    const cache = await startAptCacherNg(directory, url)
    return { ...cache, url: `${cache.url}/${file.path}` }
  },
}

const plan: ArchivePlan = {
  directory: join(tmpdir(), `sluice-bench/miss-archive-${values.bytes}`),
  stanzas: 20,
  architectures: ['amd64'],
  list: undefined,
  padBytes: 0,
  largeBytes: Number(values.bytes),
  epochSeconds: 1_767_225_600,
}

function progress(line: string): void {
  console.error(line)
}

async function largeFileAt(base: string): Promise<LargeFile> {
  const stanzas = stanzasOfIndex(await fetchSuite(base, mainSuite, 'amd64'))
  const files = stanzas.map((stanza) => ({
    path: needField(stanza, 'Filename'),
    sizeBytes: Number(needField(stanza, 'Size')),
    sha256: needField(stanza, 'SHA256'),
  }))
  const large = files.find(({ sizeBytes }) => sizeBytes >= Number(values.bytes))
  if (large === undefined) throw new Error(`no large file at ${base}`)
  return large
}

async function startUpstream(directory: string): Promise<Upstream> {
  mkdirSync(directory, { recursive: true })
  const port = await freePort(15_000, 20_000)
  const logPath = join(directory, 'access.log')
  writeFileSync(logPath, '')
  const root = join(plan.directory, 'www')
  const args = [
    join(import.meta.dirname, 'slow-server.ts'),
    root,
    String(port),
    logPath,
    values.rate,
  ]
  const out = join(directory, 'out')
  const daemon = startDaemon({ program: process.execPath, args, directory, logPath: out })
  const url = `http://127.0.0.1:${port}`
  const isUp = async (): Promise<boolean> =>
    (await send(`${url}/debian/dists/${mainSuite}/Release`).catch(() => undefined))?.status === 200
  await untilReady('upstream', 10_000, isUp, daemon)
  const file = await largeFileAt(`${url}/debian`)
  let seen = 0
  const takeBytes = async (): Promise<number> => {
    // An answer is logged when it has ended.
    await wait(300)
    const lines = readFileSync(logPath, 'latin1').split('\n').filter(Boolean)
    const fresh = lines.slice(seen).filter((line) => line.includes(`/${file.path}`))
    seen = lines.length
    return fresh.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)
  }
  return { ...daemon, url, file, takeBytes }
}

/** All clients at once, as one process of curl that keeps the first answer and counts the others. */
async function ask(
  directory: string,
  url: string,
  clients: number,
  file: LargeFile,
): Promise<Pick<Result, 'allMs' | 'firstByteMs' | 'lastFirstByteMs'>> {
  const kept = join(directory, 'kept')
  const logPath = join(directory, 'curl')
  rmSync(logPath, { force: true })
  const config = Array.from({ length: clients }, (_, at) => [
    ...[`url = "${url}"`, `output = "${at === 0 ? kept : '/dev/null'}"`],
  ]).flat()
  const path = join(directory, 'curl.conf')
  writeFileSync(path, `${config.join('\n')}\n`)
  const told = '%{http_code} %{time_starttransfer} %{time_total} %{size_download}\\n'
  const many = ['--parallel', '--parallel-immediate', '--parallel-max', String(clients)]
  const args = ['--silent', '--no-progress-meter', '--show-error', ...many, '--config', path]
  await run({ program: 'curl', args: [...args, '--write-out', told], directory, logPath }, limitMs)
  const answers = readFileSync(logPath, 'latin1')
    .split('\n')
    .filter((line) => /^\d{3} [\d.]+ [\d.]+ \d+$/.test(line))
    .map((line) => line.split(' ').map(Number))
  const bad = answers.filter(([code, , , bytes]) => code !== 200 || bytes !== file.sizeBytes)
  const digest = createHash('sha256').update(readFileSync(kept)).digest('hex')
  rmSync(kept)
  if (answers.length !== clients || bad.length > 0 || digest !== file.sha256)
    throw new Error(`${url}: ${answers.length} answers, ${bad.length} of them wrong, ${digest}`)
  const column = (at: number): number[] => answers.map((answer) => (answer[at] ?? 0) * 1000)
  return {
    allMs: Math.max(...column(2)),
    firstByteMs: percentile(column(1), 0.5),
    lastFirstByteMs: Math.max(...column(1)),
  }
}

async function measure(name: string, directory: string, upstream: Upstream): Promise<Result> {
  mkdirSync(directory, { recursive: true })
  const starter = starters[name]
  if (starter === undefined) throw new Error(`nothing is known of ${name}`)
  const system = await starter(directory, upstream)
  try {
    await upstream.takeBytes()
    const before = { cpu: processorSeconds(system.pid), memory: groupMemory(system.pid, 'VmRSS') }
    const times = await ask(directory, system.url, Number(values.clients), upstream.file)
    return {
      ...times,
      upstreamFiles: (await upstream.takeBytes()) / upstream.file.sizeBytes,
      processorSeconds: processorSeconds(system.pid) - before.cpu,
      memoryBefore: before.memory,
      memoryPeak: groupMemory(system.pid, 'VmHWM'),
    }
  } finally {
    await system.end()
    rmSync(directory, { recursive: true, force: true })
  }
}

function printTable(results: ReadonlyMap<string, readonly Result[]>, onceMs: number): void {
  const rows: readonly [string, (result: Result) => string][] = [
    ['all clients have it', ({ allMs }) => seconds(allMs)],
    ['of one transfer', ({ allMs }) => (allMs / onceMs).toFixed(3)],
    ['first byte, median', ({ firstByteMs }) => seconds(firstByteMs)],
    ['first byte, the last client', ({ lastFirstByteMs }) => seconds(lastFirstByteMs)],
    ['files sent by upstream', ({ upstreamFiles }) => upstreamFiles.toFixed(3)],
    ['server CPU', (result) => seconds(result.processorSeconds * 1000)],
    ['memory before', ({ memoryBefore }) => `${(memoryBefore / 1e6).toFixed(0)} MB`],
    ['memory, peak', ({ memoryPeak }) => `${(memoryPeak / 1e6).toFixed(0)} MB`],
  ]
  const names = [...results.keys()]
  console.log(`one transfer from upstream: ${seconds(onceMs)} (median)\n`)
  console.log(`| ${['median of the runs by time', ...names].join(' | ')} |`)
  console.log(`|${' --- |'.repeat(names.length + 1)}`)
  for (const [label, show] of rows) {
    const cells = names.map((name) => show(middle(results.get(name) ?? [])))
    console.log(`| ${[label, ...cells].join(' | ')} |`)
  }
}

function middle(results: readonly Result[]): Result {
  const sorted = [...results].sort((a, b) => a.allMs - b.allMs)
  const found = sorted[Math.floor((sorted.length - 1) / 2)]
  if (found === undefined) throw new Error('no runs')
  return found
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

async function main(): Promise<void> {
  execFileSync('curl', ['--version'], { stdio: 'ignore' })
  if (!hasArchive(plan)) {
    rmSync(plan.directory, { recursive: true, force: true })
    await buildArchive(plan, progress)
  }
  const directory = workingDirectory('miss-', false)
  const upstream = await startUpstream(join(directory, 'upstream'))
  const results = new Map<string, Result[]>()
  const alone: number[] = []
  try {
    for (let round = 1; round <= Number(values.rounds); round++) {
      progress(`round ${round} of ${values.rounds}`)
      const own = `${upstream.url}/debian/${upstream.file.path}`
      alone.push((await ask(directory, own, 1, upstream.file)).allMs)
      for (const name of values.only.split(',')) {
        const result = await measure(name, join(directory, name), upstream)
        results.set(name, [...(results.get(name) ?? []), result])
      }
    }
    printTable(results, percentile(alone, 0.5))
  } finally {
    closeClient()
    await upstream.end()
  }
}

if (values.help) console.log(usage)
else await main()
