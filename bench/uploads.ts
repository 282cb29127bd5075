/**
 * The command that measures uploads: many packages from many clients at once, into Sluice, and into aptly (its HTTP API) and
 * reprepro (a command for each package) in the same run. See bench/README.md.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeDeb } from '../src/debian/make-deb.ts'
import { send } from './client.ts'
import { type Column, formatTable, setPercentiles, type Timing } from './figures.ts'
import {
  freePort,
  groupMemory,
  processorSeconds,
  run,
  startDaemon,
  untilReady,
  workingDirectory,
} from './processes.ts'
import { randomFrom } from './random.ts'
import { endAgent, ensureKey, gnupgHome, keyFingerprint } from './signing.ts'
import { startSluice } from './sluice-server.ts'

const usage = `usage: node bench/uploads.ts [--peers aptly,reprepro] [--uploads N] [--clients N] [more]

uploads N packages from so many clients at once, and prints one table
  --uploads N        packages (default 1000)
  --clients N        that upload at once (default 16)
  --bytes N          of payload in each (default 20000)
  --peers LIST       aptly, reprepro or both (default none)
  --peer-uploads N   packages for peers (default as many)
  --limit SECONDS    that one system may take (default 900)
  --keep             leave the working directory and print where it is`

const { values } = parseArgs({
  options: {
    uploads: { type: 'string', default: '1000' },
    clients: { type: 'string', default: '16' },
    bytes: { type: 'string', default: '20000' },
    peers: { type: 'string', default: '' },
    'peer-uploads': { type: 'string' },
    limit: { type: 'string', default: '900' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const labels = {
  answered: 'until all are answered',
  published: 'until all are published',
  one: 'one upload',
  generations: 'states published',
  lost: 'lost',
  memory: 'peak memory',
}

interface Package {
  readonly name: string
  readonly file: string
  readonly path: string
  readonly sha256: string
}

interface Bed {
  readonly directory: string
  readonly logPath: string
  readonly packages: readonly Package[]
  readonly limitMs: number
}

function progress(line: string): void {
  console.error(`${(performance.now() / 1000).toFixed(1).padStart(7)} s  ${line}`)
}

async function makePackages(directory: string, count: number): Promise<Package[]> {
  const dir = join(directory, 'debs')
  mkdirSync(dir)
  const random = randomFrom(1)
  const made: Package[] = []
  for (let at = 0; at < count; at += 1) {
    const name = `acme-${String(at).padStart(4, '0')}`
    const data = Buffer.from(
      Array.from({ length: Number(values.bytes) }, () => Math.floor(random() * 256)),
    )
    const control = Object.entries({
      Package: name,
      Version: '1.0',
      Architecture: 'amd64',
      Maintainer: 'Bench <bench@archive.example>',
      Description: `${name}, made for a benchmark`,
    })
    const { bytes } = await makeDeb({
      control,
      files: [{ path: `opt/${name}`, data }],
      at: 1_000_000_000,
    })
    const file = `${name}_1.0_amd64.deb`
    const path = join(dir, file)
    writeFileSync(path, bytes)
    made.push({ name, file, path, sha256: createHash('sha256').update(bytes).digest('hex') })
  }
  return made
}

/** Lets so many clients take packages until none is left; how long each took. */
async function inLanes(
  packages: readonly Package[],
  upload: (one: Package, lane: number) => Promise<void>,
): Promise<Timing[]> {
  const queue = [...packages]
  const timings: Timing[] = []
  const lane = async (_: unknown, nth: number): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const startedMs = performance.now()
      await upload(one, nth)
      timings.push({ wallMs: performance.now() - startedMs, processorMs: 0 })
    }
  }
  await Promise.all(Array.from({ length: Number(values.clients) }, lane))
  return timings
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

function put(url: string, method: string, headers: object, body: Buffer): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const length = { 'content-length': body.length }
  const sent = request(url, { agent, method, headers: { ...headers, ...length } }, (answer) => {
    answer.resume()
    answer.once('end', () => resolve(answer.statusCode ?? 0))
  })
  sent.once('error', reject)
  sent.end(body)
  return promise
}

async function measureSluice(bed: Bed): Promise<Column> {
  const server = await startSluice(bed)
  const shape = { suites: ['stable'], components: ['main'], architectures: ['amd64'] }
  await server.post('/archives', { name: 'internal', kind: 'local', ...shape })
  await server.post('/channels', { name: 'testing', follow: ['internal'] })
  const token = readFileSync(join(server.data, 'token'), 'utf8').trim()
  const processorBefore = processorSeconds(server.pid)
  const startedMs = performance.now()
  let refused = 0
  const timings = await inLanes(bed.packages, async ({ file, path, sha256 }) => {
    const url = `${server.url}/api/v1/archives/internal/packages/${file}?sha256=${sha256}`
    const headers = { authorization: `Bearer ${token}` }
    if ((await put(url, 'PUT', headers, readFileSync(path))) !== 200) refused += 1
  })
  const answeredMs = performance.now() - startedMs
  await server.post('/archives/internal/follow', {})
  const publishedMs = performance.now() - startedMs
  const processorMs = (processorSeconds(server.pid) - processorBefore) * 1000
  const index = `${server.url}/channels/testing/internal/dists/stable/main/binary-amd64/Packages.gz`
  const lost = missingIn(await indexText(index), bed.packages) + refused
  const history = await send(`${server.url}/api/v1/channels/testing`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const { head } = JSON.parse(history.body.toString())
  const column = columnOf(timings, { answeredMs, publishedMs, processorMs })
  column.set(labels.generations, { value: head - 1, unit: 'count' })
  column.set(labels.lost, { value: lost, unit: 'count' })
  column.set(labels.memory, { value: groupMemory(server.pid, 'VmHWM'), unit: 'bytes' })
  await server.end()
  return column
}

interface Spans {
  readonly answeredMs: number
  readonly publishedMs: number
  readonly processorMs?: number
}

function columnOf(timings: readonly Timing[], spans: Spans): Column {
  const { answeredMs, publishedMs, processorMs } = spans
  const column: Column = new Map()
  const note = `${timings.length} packages`
  column.set(labels.answered, { value: answeredMs, unit: 'ms', note })
  const own = processorMs === undefined ? {} : { processorMs }
  column.set(labels.published, { value: publishedMs, unit: 'ms', ...own })
  setPercentiles(column, labels.one, timings)
  return column
}

async function indexText(url: string): Promise<string> {
  const { gunzipSync } = await import('node:zlib')
  return gunzipSync((await send(url)).body).toString()
}

function missingIn(index: string, packages: readonly Package[]): number {
  const there = new Set([...index.matchAll(/^SHA256: ([0-9a-f]{64})$/gm)].map((match) => match[1]))
  return packages.filter(({ sha256 }) => !there.has(sha256)).length
}

/** Each client hands in files and adds them by aptly's API; what is there is published once, when all are. */
async function measureAptly(bed: Bed): Promise<Column> {
  const configuration = join(bed.directory, 'aptly.conf')
  const root = join(bed.directory, 'aptly')
  const settings = { rootDir: root, gpgProvider: 'gpg', skipContentsPublishing: true }
  writeFileSync(configuration, JSON.stringify({ ...settings, skipBz2Publishing: true }))
  const environment = { GNUPGHOME: gnupgHome(bed.directory), LC_ALL: 'C.UTF-8' }
  const aptly = { program: 'aptly', ...bed, environment }
  const config = `-config=${configuration}`
  await run({ ...aptly, args: [config, 'repo', 'create', 'internal'] }, bed.limitMs)
  const listen = `127.0.0.1:${await freePort()}`
  const daemon = startDaemon({ ...aptly, args: [config, 'api', 'serve', `-listen=${listen}`] })
  const api = `http://${listen}/api`
  const isReady = async (): Promise<boolean> =>
    send(`${api}/version`).then(
      ({ status }) => status === 200,
      () => false,
    )
  await untilReady('aptly', 30_000, isReady, daemon)
  const startedMs = performance.now()
  const timings = await inLanes(bed.packages, async ({ name, file, path }) => {
    const boundary = 'sluice-bench'
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${file}"\r\nContent-Type: application/octet-stream\r\n\r\n`
    const body = Buffer.concat([
      Buffer.from(head),
      readFileSync(path),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ])
    const type = { 'content-type': `multipart/form-data; boundary=${boundary}` }
    const handed = await put(`${api}/files/${name}`, 'POST', type, body)
    const added = await send(`${api}/repos/internal/file/${name}`, {
      method: 'POST',
      limitMs: bed.limitMs,
    })
    if (handed !== 200 || added.status !== 200) throw new Error(`aptly: ${handed} ${added.status}`)
  })
  const answeredMs = performance.now() - startedMs
  const memory = groupMemory(daemon.pid, 'VmHWM')
  await daemon.end()
  const signing = ['-batch', `-gpg-key=${keyFingerprint(bed.directory)}`]
  const args = ['publish', 'repo', ...signing, '-distribution=stable', '-architectures=amd64']
  await run({ ...aptly, args: [config, ...args, 'internal'] }, bed.limitMs)
  const column = columnOf(timings, { answeredMs, publishedMs: performance.now() - startedMs })
  const index = readFileSync(join(root, 'public/dists/stable/main/binary-amd64/Packages'), 'utf8')
  column.set(labels.generations, { value: 1, unit: 'count', note: 'by a command, at the end' })
  column.set(labels.lost, { value: missingIn(index, bed.packages), unit: 'count' })
  column.set(labels.memory, { value: memory, unit: 'bytes' })
  return column
}

/** Each client runs the command that its users do; each publishes, and waits for the lock of the one before. */
async function measureReprepro(bed: Bed): Promise<Column> {
  const base = join(bed.directory, 'reprepro')
  mkdirSync(join(base, 'conf'), { recursive: true })
  const lines = ['Codename: stable', 'Architectures: amd64', 'Components: main']
  const key = `SignWith: ${keyFingerprint(bed.directory)}`
  writeFileSync(join(base, 'conf/distributions'), `${[...lines, key].join('\n')}\n`)
  const environment = { GNUPGHOME: gnupgHome(bed.directory), LC_ALL: 'C.UTF-8' }
  const flags = ['--basedir', base, '--silent', '--waitforlock', '10000']
  const more = ['--section', 'misc', '--priority', 'optional']
  let peakBytes = 0
  const startedMs = performance.now()
  const timings = await inLanes(bed.packages, async ({ path }) => {
    const args = [...flags, ...more, 'includedeb', 'stable', path]
    const done = await run({ program: 'reprepro', args, ...bed, environment }, bed.limitMs)
    peakBytes = Math.max(peakBytes, done.peakBytes)
  })
  const answeredMs = performance.now() - startedMs
  const column = columnOf(timings, { answeredMs, publishedMs: answeredMs })
  const index = readFileSync(join(base, 'dists/stable/main/binary-amd64/Packages'), 'utf8')
  column.set(labels.generations, { value: bed.packages.length, unit: 'count' })
  column.set(labels.lost, { value: missingIn(index, bed.packages), unit: 'count' })
  column.set(labels.memory, { value: peakBytes, unit: 'bytes' })
  return column
}

async function main(): Promise<void> {
  if (values.help) return console.log(usage)
  const before = loadavg()
  const directory = workingDirectory('uploads-', values.keep)
  const peers = values.peers.split(',').filter(Boolean)
  const packages = await makePackages(directory, Number(values.uploads))
  const bed = {
    ...{ directory, packages, logPath: join(directory, 'log') },
    limitMs: Number(values.limit) * 1000,
  }
  progress(`${packages.length} packages made`)
  const columns = new Map<string, Column>([['Sluice', await measureSluice(bed)]])
  const some = packages.slice(0, Number(values['peer-uploads'] ?? packages.length))
  if (peers.length > 0) ensureKey(directory, Math.floor(Date.now() / 1000))
  for (const peer of peers) {
    progress(peer)
    const measure = { aptly: measureAptly, reprepro: measureReprepro }[peer]
    if (measure === undefined) throw new Error(`no peer is called ${peer}\n${usage}`)
    columns.set(peer, await measure({ ...bed, packages: some }))
  }
  if (peers.length > 0) endAgent(directory)
  const load = before[0]?.toFixed(1)
  console.log(`${values.clients} clients, ${cpus().length} cores, load before ${load}`)
  console.log(formatTable(columns))
}

await main()
