/**
 * The command that compares nginx in front of Sluice (docs/nginx.md, as it stands there) with nginx alone: the same packages
 * from both, in turns, asked on the same machine by wrk, and for the large file by clients that drop what they get. Only the ratio
 * of neighbouring runs means anything.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ArchivePlan, buildArchive, hasArchive, mainSuite } from './archive.ts'
import { closeClient, fetchSuite, get, stanzasOfIndex } from './client.ts'
import { percentile } from './figures.ts'
import { type Result, runSink, runWrk } from './hit-clients.ts'
import { type Daemon, freePort, startDaemon, untilReady, workingDirectory } from './processes.ts'
import { randomFrom } from './random.ts'
import { keyringPath } from './signing.ts'
import { startSluice } from './sluice-server.ts'
import { needField } from './stanzas.ts'

const usage = `usage: node bench/front.ts [--rounds N] [--seconds N] [--files N] [--large BYTES]
  --rounds N     each case so many times, in turns (default 5)
  --seconds N    that one case runs (default 3)
  --files N      of 20 kB, asked for by Zipf (default 2000)
  --large BYTES  size of the large file (default 80000000)`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    files: { type: 'string', default: '2000' },
    large: { type: 'string', default: '80000000' },
    help: { type: 'boolean', default: false },
  },
})

interface Target {
  readonly name: string
  readonly url: string
  /** The same packages in all targets at the same place, the large one first. */
  readonly files: readonly string[]
  /** The index, by hash. */
  readonly index: string
  /** Of all processes that serve it. */
  readonly pids: readonly number[]
}

interface Case {
  readonly name: string
  readonly connections: number
  paths(target: Target): readonly string[]
  readonly isLarge?: boolean
}

function cases(): Case[] {
  const random = randomFrom(1)
  const order = Array.from({ length: 20_000 }, () => random())
  const zipf = (files: readonly string[]): string[] =>
    order.map((share) => files[Math.floor(files.length ** share) - 1] ?? '')
  return [
    { name: '20 kB, one file', connections: 64, paths: ({ files }) => files.slice(1, 2) },
    {
      name: `20 kB, ${values.files} files by Zipf`,
      connections: 64,
      paths: ({ files }) => zipf(files.slice(1)),
    },
    { name: 'Packages.gz by hash', connections: 64, paths: ({ index }) => [index] },
    {
      name: 'large file',
      connections: 8,
      paths: ({ files }) => files.slice(0, 1),
      isLarge: true,
    },
  ]
}

/** nginx with one worker and this text in its `http` block. */
async function startNginx(directory: string, text: string, url: string): Promise<Daemon> {
  mkdirSync(directory, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const lines = [
    'daemon off; worker_processes 1; pcre_jit on;',
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    `pid ${directory}/pid; error_log ${directory}/error.log;`,
    'events { worker_connections 1024; }',
    'http { access_log off; keepalive_requests 1000000;',
    ...temporary.map((kind) => `${kind}_temp_path ${directory}/${kind};`),
    `${text}\n}\n`,
  ]
  const path = join(directory, 'nginx.conf')
  writeFileSync(path, lines.join('\n'))
  const args = ['-p', directory, '-c', path]
  const logPath = join(directory, 'out')
  const daemon = startDaemon({ program: 'nginx', args, directory, logPath })
  const answers = (): Promise<boolean> =>
    fetch(url).then(
      async (response) => (await response.arrayBuffer()).byteLength >= 0,
      () => false,
    )
  await untilReady('nginx', 10_000, answers, daemon)
  return daemon
}

/** The documented configuration, for this port, Sluice and data directory. */
function documented(port: number, sluice: string, data: string): string {
  const page = readFileSync(join(import.meta.dirname, '../docs/nginx.md'), 'utf8')
  const text = /^```nginx\n(.*?)^```$/ms.exec(page)?.[1] ?? ''
  return text
    .replace('127.0.0.1:3143', new URL(sluice).host)
    .replace('listen 3142;', `listen 127.0.0.1:${port};`)
    .replace('listen [::]:3142;', '')
    .replaceAll('/var/lib/sluice', data)
}

async function describe(
  name: string,
  url: string,
  daemons: readonly { readonly pid: number }[],
): Promise<Target> {
  const fetched = await fetchSuite(url, mainSuite, 'amd64')
  const sized = stanzasOfIndex(fetched).map((stanza) => ({
    package: needField(stanza, 'Package') + needField(stanza, 'Version'),
    sizeBytes: Number(needField(stanza, 'Size')),
    path: needField(stanza, 'Filename'),
  }))
  sized.sort((a, b) => (a.package < b.package ? -1 : 1))
  const large = sized.find(({ sizeBytes }) => sizeBytes > Number(values.large))
  if (large === undefined) throw new Error(`no large file at ${url}`)
  const files = [large, ...sized.filter((one) => one !== large)].map(({ path }) => path)
  const release = (await get(`${url}/dists/${mainSuite}/Release`)).toString()
  const digest = /^ ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages\.gz$/m.exec(release)?.[1]
  const index = `dists/${mainSuite}/main/binary-amd64/by-hash/SHA256/${digest}`
  return { name, url, files, index, pids: daemons.map(({ pid }) => pid) }
}

function measure(target: Target, what: Case, directory: string): Result {
  const { origin, pathname } = new URL(target.url)
  const paths = what.paths(target).map((path) => `${pathname}/${path}`)
  const { connections } = what
  const asked = { origin, pids: target.pids, paths, connections }
  const seconds = Number(values.seconds)
  const result = what.isLarge ? runSink(asked, seconds) : runWrk(asked, seconds, directory)
  if (result.errors > 0) throw new Error(`${target.name}, ${what.name}: ${result.errors} errors`)
  return result
}

async function main(): Promise<void> {
  const directory = workingDirectory('front-', false)
  const open: { end(): Promise<void> }[] = []
  try {
    const targets = await prepare(directory, open)
    const results = new Map<string, Result[]>()
    const all = cases()
    for (let round = 1; round <= Number(values.rounds); round++) {
      console.error(`round ${round} of ${values.rounds}`)
      for (const what of all) {
        for (const target of targets) {
          const key = `${what.name} ${target.name}`
          results.set(key, [...(results.get(key) ?? []), measure(target, what, directory)])
        }
      }
    }
    printTable(all, targets, results)
  } finally {
    closeClient()
    for (const one of open.reverse()) await one.end()
  }
}

async function prepare(
  directory: string,
  open: { end(): Promise<void> }[],
): Promise<readonly Target[]> {
  const plan: ArchivePlan = {
    directory: join(tmpdir(), 'sluice-bench/front-archive'),
    stanzas: Number(values.files) + 1,
    architectures: ['amd64'],
    list: undefined,
    padBytes: 18_000,
    largeBytes: Number(values.large),
    epochSeconds: 1_767_225_600,
  }
  if (!hasArchive(plan)) {
    rmSync(plan.directory, { recursive: true, force: true })
    await buildArchive(plan, (line) => console.error(line))
  }
  const alonePort = await freePort()
  const alone = `http://127.0.0.1:${alonePort}/debian`
  const cache = 'open_file_cache max=10000 inactive=60s;'
  const www = `server { listen 127.0.0.1:${alonePort}; root ${join(plan.directory, 'www')};`
  const own = `default_type application/octet-stream; sendfile on; tcp_nopush on; ${cache} ${www} }`
  const plain = await startNginx(join(directory, 'alone'), own, alone)
  open.push(plain)
  const data = join(directory, 'data')
  mkdirSync(data, { recursive: true })
  const settings = ['front = "127.0.0.1"', 'front-files = true', 'accel-redirect = "/_blob/"', '']
  writeFileSync(join(data, 'sluice.toml'), settings.join('\n'))
  const sluice = await startSluice({ directory, logPath: join(directory, 'log'), limitMs: 120_000 })
  open.push(sluice)
  await sluice.addArchive({
    name: 'debian',
    url: alone,
    keyring: keyringPath(plan.directory),
    suites: [mainSuite],
    components: ['main'],
    architectures: plan.architectures,
    languages: [],
  })
  await sluice.post('/channels', { name: 'bench', follow: ['debian'] })
  const frontPort = await freePort()
  const front = `http://127.0.0.1:${frontPort}`
  const text = documented(frontPort, sluice.url, data)
  const nginx = await startNginx(join(directory, 'front'), text, `${front}/healthz`)
  open.push(nginx)
  const mirror = `${front}/127.0.0.1:${alonePort}/debian`
  const targets = [
    await describe('nginx alone', alone, [plain]),
    await describe('in front', `${front}/channels/bench/debian`, [nginx, sluice]),
    await describe('by X-Accel-Redirect', mirror, [nginx, sluice]),
  ]
  console.error('fetching every file once')
  for (const { url, files, index } of targets) {
    for (const file of [...files, index]) await get(`${url}/${file}`)
  }
  return targets
}

function printTable(
  all: readonly Case[],
  targets: readonly Target[],
  results: ReadonlyMap<string, Result[]>,
): void {
  const names = targets.map(({ name }) => name)
  const head = ['case', 'what', ...names, ...names.slice(1).map((name) => `${name} / alone`)]
  console.log(`| ${head.join(' | ')} |\n|${' --- |'.repeat(head.length)}`)
  for (const { name, connections, isLarge } of all) {
    const rows: [string, (result: Result) => number, number][] =
      isLarge === true
        ? [
            ['MB/s', (one) => one.megabytesPerSecond, 0],
            ['CPU s per GB', (one) => one.processorSecondsPerGigabyte, 2],
          ]
        : [
            ['requests/s', (one) => one.requestsPerSecond, 0],
            ['CPU µs per request', (one) => one.processorPerRequest, 1],
          ]
    for (const [unit, pick, digits] of rows) {
      const medians = names.map((target) =>
        percentile((results.get(`${name} ${target}`) ?? []).map(pick), 0.5),
      )
      const [alone = 1] = medians
      const cells = medians.map((value) => value.toFixed(digits))
      const ratios = medians.slice(1).map((value) => (value / alone).toFixed(2))
      const line = [`${name}, ${connections} connections`, unit, ...cells, ...ratios]
      console.log(`| ${line.join(' | ')} |`)
    }
  }
}

if (values.help) console.log(usage)
else await main()
