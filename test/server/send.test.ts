/**
 * Answers on the wire when many ask at once, in a row on one connection, or go away in the middle.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { ask, openSocket, readAnswers, sendRaw } from '../support/raw-http.ts'
import { makeWorld, type World } from '../support/world.ts'

type Size = 'small' | 'middle' | 'large'

const contents: Readonly<Record<Size, number>> = { small: 3000, middle: 150_000, large: 600_000 }
/** Each test has files of its own that nobody has asked for. */
const groups = ['crowd', 'row', 'bad', 'gone', 'nonsense', 'error']

interface File {
  /** On the channel. */
  readonly path: string
  /** As upstream has them. */
  readonly bytes: Buffer
}

function specOf(group: string, size: Size): PackageSpec {
  return { name: `${group}-${size}`, version: '1', arch: 'all', content: contents[size] }
}

async function fileOf(world: World, group: string, size: Size): Promise<File> {
  const base = '/channels/testing/nut'
  const index = `${world.sluice.url}${base}/dists/stable/main/binary-amd64/Packages.gz`
  const text = gunzipSync(await (await fetch(index)).arrayBuffer()).toString()
  const name = new RegExp(`^Filename: (.*/${group}-${size}_1_all.deb)$`, 'm').exec(text)?.[1]
  const bytes = await readFile(join(world.dir, 'archive', poolPath(specOf(group, size))))
  return { path: `${base}/${name}`, bytes }
}

async function filesOf(world: World, group: string): Promise<Record<Size, File>> {
  const file = (size: Size): Promise<File> => fileOf(world, group, size)
  return { small: await file('small'), middle: await file('middle'), large: await file('large') }
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: sluice.example\r\n\r\n`
}

/** Waits for what must come about soon; the test's own time-out ends a wait for ever. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5)
}

/** How many files of the data directory's blobs and downloads this process has open: the server runs in it. */
function openFiles(dir: string): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return 'gone'
    }
  })
  const ours = [join(dir, 'blobs'), join(dir, 'tmp')]
  return links.filter((path) => ours.some((one) => path.startsWith(one))).length
}

/** Reads to the end; says how it came. */
async function collect(socket: Socket, pieces: Buffer[]): Promise<string> {
  try {
    for await (const piece of socket) pieces.push(piece)
    return ''
  } catch (error) {
    return String(error)
  }
}

const sizes: Size[] = ['small', 'middle', 'large']
const all = groups.flatMap((group) => sizes.map((size) => specOf(group, size)))
const world = await makeWorld(t, all)
const atRest = openFiles(world.sluice.dataDir)

t.test('fifty who ask at once get the same bytes, and upstream is asked once', async (t) => {
  const files = await filesOf(world, 'crowd')
  const { path, bytes } = files.large
  world.upstream.fault(/crowd-large/, { kind: 'rate', bytesPerSecond: 1_200_000 })
  const readers = Array.from({ length: 50 }, async (_, at) => {
    await sleep(at * 8)
    const response = await fetch(`${world.sluice.url}${path}`)
    return Buffer.from(await response.arrayBuffer())
  })
  for (const got of await Promise.all(readers)) t.ok(got.equals(bytes))
  t.equal(world.upstream.count(/crowd-large/), 1)
  t.equal(world.upstream.bytes(/crowd-large/), bytes.length)
})

t.test('ten requests on one connection are answered in order', async (t) => {
  const files = await filesOf(world, 'row')
  const { small, large, middle } = files
  world.upstream.fault(/row-large/, { kind: 'rate', bytesPerSecond: 8_000_000 })
  const base = '/channels/testing/nut'
  const paths = [
    `${base}/dists/stable/InRelease`,
    large.path,
    small.path,
    `${base}/none`,
    middle.path,
    '/healthz',
    small.path,
    large.path,
    `${base}/dists/stable/Release`,
    middle.path,
  ]
  const text = paths.map((path, at) => {
    const close = at === paths.length - 1 ? 'Connection: close\r\n' : ''
    return `GET ${path} HTTP/1.1\r\nHost: sluice.example\r\n${close}\r\n`
  })
  const answers = await sendRaw(world.sluice.url, text.join(''))
  t.same(
    answers.map(({ status }) => status),
    [200, 200, 200, 404, 200, 200, 200, 200, 200, 200],
  )
  t.match(answers[0]?.body.toString(), /BEGIN PGP SIGNED MESSAGE/)
  t.match(answers[5]?.body.toString(), /ok/)
  t.match(answers[8]?.body.toString(), /^Origin: Nut/)
  for (const [at, file] of [
    [1, large],
    [2, small],
    [4, middle],
    [6, small],
    [7, large],
    [9, middle],
  ] as const) {
    t.ok(answers[at]?.body.equals(file.bytes), `answer ${at}`)
  }
})

t.test('in a row too, a bad file spoils nothing before it and is never whole', async (t) => {
  const files = await filesOf(world, 'bad')
  const { sluice, upstream } = world
  const { small, middle, large } = files
  upstream.fault(/bad-middle/, { kind: 'rate', bytesPerSecond: 600_000 })
  upstream.fault(/bad-small/, { kind: 'flip', offset: 1000 })
  upstream.fault(/bad-large/, { kind: 'flip', offset: 1000 }, { times: 1 })
  const socket = await openSocket(sluice.url)
  socket.write([middle, small, large, small].map(({ path }) => get(path)).join(''))
  const pieces: Buffer[] = []
  const ending = await collect(socket, pieces)
  const [first, second, third, ...more] = readAnswers(Buffer.concat(pieces))
  t.ok(first?.status === 200 && first.body.equals(middle.bytes))
  t.match(second, { status: 503, body: /\w/ })
  t.same(more, [])
  t.ok((third?.body.length ?? 0) < large.bytes.length, 'the last bytes of a wrong file never come')
  t.match(ending, /^$|ECONNRESET/)
})

t.test('a client that goes away leaves nothing open', async (t) => {
  const files = await filesOf(world, 'gone')
  const { sluice, upstream } = world
  const { small, large, middle } = files

  const rest = Promise.withResolvers<void>()
  upstream.fault(/gone-middle/, { kind: 'hold', bytes: 75_000, until: rest.promise })
  const cold = await openSocket(sluice.url)
  cold.write(get(middle.path))
  await until(() => cold.bytesRead > 0)
  cold.resetAndDestroy()
  t.equal(sluice.server.active, 1, 'the download goes on: it is useful soon')
  rest.resolve()
  await until(() => sluice.server.active === 0 && openFiles(sluice.dataDir) === atRest)
  upstream.clearRequests()
  const then = await fetch(`${sluice.url}${middle.path}`)
  t.ok(Buffer.from(await then.arrayBuffer()).equals(middle.bytes))
  t.equal(upstream.count(), 0)

  await (await fetch(`${sluice.url}${small.path}`)).arrayBuffer()
  const end = Promise.withResolvers<void>()
  upstream.fault(/gone-large/, { kind: 'hold', bytes: 300_000, until: end.promise })
  const row = await openSocket(sluice.url)
  row.write(get(large.path) + get(middle.path).repeat(9))
  await until(() => openFiles(sluice.dataDir) > atRest + 1)
  row.resetAndDestroy()
  end.resolve()
  await until(() => sluice.server.active === 0 && openFiles(sluice.dataDir) === atRest)
  t.pass('neither do nine that wait behind a slow one')

  const lazy = await openSocket(sluice.url)
  lazy.write(get(large.path).repeat(60))
  await until(() => openFiles(sluice.dataDir) > atRest)
  lazy.destroy()
  await until(() => openFiles(sluice.dataDir) === atRest)
  t.pass('nor does one that takes nothing of what is sent')
})

t.test('nonsense behind a request never gets into the answer', async (t) => {
  const files = await filesOf(world, 'nonsense')
  const rest = Promise.withResolvers<void>()
  world.upstream.fault(/nonsense-middle/, { kind: 'hold', bytes: 75_000, until: rest.promise })
  const socket = await openSocket(world.sluice.url)
  socket.write(`GET ${files.middle.path} HTTP/1.1\r\nHost: sluice.example\r\n\r\n`)
  await until(() => socket.bytesRead > 1000)
  socket.write('NONSENSE\r\n\r\n', () => rest.resolve())
  const pieces: Buffer[] = []
  await collect(socket, pieces)
  const [{ body } = { body: Buffer.alloc(0) }, ...more] = readAnswers(Buffer.concat(pieces))
  t.ok(body.length > 0 && body.equals(files.middle.bytes.subarray(0, body.length)))
  for (const { status } of more) t.equal(status, 400, 'if all of it was sent before')
})

t.test('who waits too long is told to come again, and finds the file then', async (t) => {
  const start = { patience: { answerWithinMs: 200 } }
  const world = await makeWorld(t, [specOf('late', 'small')], { start })
  const { path, bytes } = await fileOf(world, 'late', 'small')
  const rest = Promise.withResolvers<void>()
  world.upstream.fault(/late-small/, { kind: 'hold', bytes: 1000, until: rest.promise })
  const first = await ask(world.sluice.url, `GET ${path} HTTP/1.1`)
  t.match(first, { status: 503, headers: { 'retry-after': '5' } })
  t.match(first.body.toString(), /small_1_all\.deb is still on its way/)
  rest.resolve()
  await until(() => world.sluice.server.active === 0)
  const second = await ask(world.sluice.url, `GET ${path} HTTP/1.1`)
  t.ok(second.status === 200 && second.body.equals(bytes))
  t.equal(world.upstream.count(/late-small/), 1)
})

t.test('every error reply has a body that says something', async (t) => {
  const { sluice, upstream } = world
  upstream.fault(/error-middle/, { kind: 'status', status: 500, body: '' })
  const token = `Authorization: Bearer ${sluice.token}`
  const json = [token, 'Content-Type: application/json']
  const asked: [number, string, ...string[]][] = [
    [404, 'GET /nothing HTTP/1.1'],
    [400, 'GET /%zz HTTP/1.1'],
    [404, 'GET /channels/none/nut/dists/stable/InRelease HTTP/1.1'],
    [404, 'GET /client/none HTTP/1.1'],
    [406, 'GET / HTTP/1.1'],
    [401, 'GET /api/v1/status HTTP/1.1'],
    [401, 'GET /api/v1/status HTTP/1.1', 'Authorization: Bearer wrong'],
    [404, 'GET /api/v1/nothing HTTP/1.1', token],
    [404, 'GET /api/v1/archives/none HTTP/1.1', token],
    [400, 'POST /api/v1/channels HTTP/1.1', ...json, 'Content-Length: 0'],
    [413, 'POST /api/v1/channels HTTP/1.1', ...json, 'Content-Length: 99999999'],
    [503, `GET ${upstream.url}/${poolPath(specOf('error', 'middle'))} HTTP/1.1`],
    [503, `GET ${upstream.url}/project/error-middle HTTP/1.1`],
    [404, `GET ${upstream.url}/project/none HTTP/1.1`],
    [400, 'GET /channels/x HTTP/9.9'],
    [417, 'GET /healthz HTTP/1.1', 'Expect: miracles'],
    [431, 'GET /healthz HTTP/1.1', `X-Long: ${'x'.repeat(20_000)}`],
  ]
  for (const [status, line, ...headers] of asked) {
    const answer = await ask(sluice.url, line, headers)
    t.equal(answer.status, status, line)
    t.match(answer.body.toString(), /\w{3}/, `${line} has a body`)
    t.equal(Number(answer.headers['content-length']), answer.body.length)
  }
})
