/** The HTTP client against a real server that misbehaves in every way that archives, proxies and hotels do. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createUpstream, type Upstream, type UpstreamOptions } from '../../src/archives/upstream.ts'
import { testDir } from '../support/test-dir.ts'
import { startUpstream, type TestUpstream } from '../support/upstream-server.ts'

const file = Buffer.alloc(300_000, 'the bytes of a package, ')
const maxBytes = 1_000_000

interface Bed {
  readonly server: TestUpstream
  readonly upstream: Upstream
  readonly url: string
}

async function makeBed(t: Test, options: UpstreamOptions = {}): Promise<Bed> {
  const root = testDir(t)
  await writeFile(join(root, 'file'), file)
  await writeFile(join(root, 'Packages.gz'), file)
  const server = await startUpstream(root)
  const upstream = createUpstream(options)
  t.teardown(async () => {
    await upstream.close()
    await server.close()
  })
  return { server, upstream, url: `${server.url}/file` }
}

async function bytesOf(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Reads until the body ends or throws: how many bytes came, and the error. */
async function readOut(body: AsyncIterable<Buffer>): Promise<{ got: number; error: unknown }> {
  let got = 0
  try {
    for await (const chunk of body) got += chunk.length
  } catch (error) {
    return { got, error }
  }
  return { got, error: undefined }
}

t.test('gets a file as it is, asking for no encoding', async (t) => {
  const { upstream, server, url } = await makeBed(t)
  const response = await upstream.get(url, { maxBytes, headers: { 'X-Why': 'test' } }, {})
  t.equal(response.status, 200)
  t.equal(response.contentLength, file.length)
  t.equal(response.url, url)
  t.match(response.lastModified, / GMT$/)
  t.ok((await bytesOf(response.body)).equals(file))
  t.match(server.requests[0]?.headers, { 'accept-encoding': 'identity', 'x-why': 'test' })
})

t.test('asks conditionally, and for the rest of a file', async (t) => {
  const { upstream, server, url } = await makeBed(t)
  const first = await upstream.get(url, { maxBytes, range: { start: 299_990 } }, {})
  t.equal(first.status, 206)
  t.equal(first.headers['content-range'], 'bytes 299990-299999/300000')
  t.ok((await bytesOf(first.body)).equals(file.subarray(299_990)))
  const second = await upstream.get(url, { maxBytes, ifModifiedSince: first.lastModified }, {})
  t.equal(second.status, 304)
  t.equal((await bytesOf(second.body)).length, 0)
  server.fault('/file', { kind: 'status', status: 304, headers: { 'Content-Length': '300000' } })
  const third = await upstream.get(url, { maxBytes, etag: '"one"' }, {})
  t.same(await readOut(third.body), { got: 0, error: undefined })
  t.equal(server.requests.at(-1)?.headers['if-none-match'], '"one"')
  await t.rejects(upstream.get(url, { maxBytes }, {}), {
    code: 'ERR_UPSTREAM_STATUS',
    details: { status: 304 },
  })
})

t.test('says which status came instead of the file, and for which URL', async (t) => {
  const { upstream, server } = await makeBed(t)
  await t.rejects(upstream.get(`${server.url}/none`, { maxBytes }, {}), {
    code: 'ERR_UPSTREAM_STATUS',
    message: /none: answered 404$/,
    hint: /replaced/,
    details: { status: 404, url: `${server.url}/none` },
  })
  server.fault('/file', { kind: 'status', status: 503 })
  await t.rejects(upstream.get(`${server.url}/file`, { maxBytes }, {}), {
    code: 'ERR_UPSTREAM_STATUS',
    details: { status: 503 },
    hint: /later/,
  })
  await t.rejects(upstream.get('ftp://archive.example/file', { maxBytes }, {}), {
    code: 'ERR_USAGE',
  })
})

t.test('follows every kind of redirect, and tells where it ended', async (t) => {
  const { upstream, server } = await makeBed(t)
  for (const status of [301, 302, 303, 307, 308]) {
    server.fault(`/${status}`, { kind: 'redirect', to: '../file', status })
    const response = await upstream.get(`${server.url}/${status}`, { maxBytes }, {})
    t.equal(response.url, `${server.url}/file`)
    t.ok((await bytesOf(response.body)).equals(file), `after ${status}`)
  }
})

t.test('gives up on redirects that loop, lead too far or to no archive', async (t) => {
  const { upstream, server } = await makeBed(t)
  for (let at = 0; at < 7; at++) {
    server.fault(`/far${at}`, { kind: 'redirect', to: `/far${at + 1}` })
  }
  server.fault('/ping', { kind: 'redirect', to: '/pong' })
  server.fault('/pong', { kind: 'redirect', to: '/ping' })
  server.fault('/ftp', { kind: 'redirect', to: 'ftp://archive.example/file' })
  server.fault('/blank', { kind: 'status', status: 302 })
  const code = 'ERR_UPSTREAM_REDIRECT'
  const get = (path: string) => upstream.get(`${server.url}${path}`, { maxBytes }, {})
  await t.rejects(get('/ping'), { code, message: /loop/ })
  t.equal(server.count(/^\/p[io]ng$/), 2)
  await t.rejects(get('/far0'), { code, message: /more than 5/ })
  t.equal(server.count(/^\/far/), 6)
  await t.rejects(get('/ftp'), { code })
  await t.rejects(get('/blank'), { code, message: /nowhere/ })
})

t.test('refuses a file that a server compressed, not one that is compressed itself', async (t) => {
  const { upstream, server } = await makeBed(t)
  server.fault(/./, { kind: 'headers', headers: { 'Content-Encoding': 'x-gzip' } })
  await t.rejects(upstream.get(`${server.url}/file`, { maxBytes }, {}), {
    code: 'ERR_UPSTREAM_ENCODING',
    message: /x-gzip/,
  })
  const response = await upstream.get(`${server.url}/Packages.gz`, { maxBytes }, {})
  t.ok((await bytesOf(response.body)).equals(file))
})

t.test('gives every byte that came before a connection broke', async (t) => {
  const { upstream, server, url } = await makeBed(t)
  server.fault('/file', { kind: 'truncate', bytes: 123_456 })
  const response = await upstream.get(url, { maxBytes }, {})
  const { got, error } = await readOut(response.body)
  t.equal(got, 123_456)
  t.match(error, {
    code: 'ERR_UPSTREAM_UNREACHABLE',
    message: /connection broke after 123456 of 300000 bytes$/,
  })
  server.fault('/file', { kind: 'chunked' })
  const chunked = await readOut((await upstream.get(url, { maxBytes }, {})).body)
  t.match(chunked, { got: 123_456, error: { code: 'ERR_UPSTREAM_UNREACHABLE' } })
})

t.test('takes no more bytes than allowed, announced or not', async (t) => {
  const { upstream, server, url } = await makeBed(t)
  await t.rejects(upstream.get(url, { maxBytes: 299_999 }, {}), { code: 'ERR_TOO_LARGE' })
  server.fault('/file', { kind: 'chunked' })
  const response = await upstream.get(url, { maxBytes: 200_000 }, {})
  const { got, error } = await readOut(response.body)
  t.match(error, { code: 'ERR_TOO_LARGE' })
  t.ok(got <= 200_000)
  t.equal((await readOut((await upstream.get(url, { maxBytes: 300_000 }, {})).body)).got, 300_000)
})

t.test('gives up on an archive that is silent, or slower than the floor', async (t) => {
  const silent = await makeBed(t, { firstByteTimeoutMs: 100 })
  const code = 'ERR_UPSTREAM_TIMEOUT'
  silent.server.fault('/file', { kind: 'hang' })
  await t.rejects(silent.upstream.get(silent.url, { maxBytes }, {}), {
    code,
    message: /no answer in time/,
  })
  // So long that a machine which is busy does not pause for it.
  const { upstream, server, url } = await makeBed(t, { stallMs: 2000, minBytesPerSecond: 10_000 })
  server.fault('/file', { kind: 'stall', bytes: 5000 }, { times: 1 })
  const stalled = await readOut((await upstream.get(url, { maxBytes }, {})).body)
  t.match(stalled, { got: 5000, error: { code, message: /nothing came for 2 s/ } })
  server.fault('/file', { kind: 'trickle', bytesPerSecond: 200 }, { times: 1 })
  const trickled = await readOut((await upstream.get(url, { maxBytes }, {})).body)
  t.match(trickled.error, { code, message: /slower than 10000 bytes\/s/ })
  t.ok(trickled.got < 30_000)
  server.fault('/file', { kind: 'rate', bytesPerSecond: 500_000 })
  const steady = await readOut((await upstream.get(url, { maxBytes }, {})).body)
  t.same(steady, { got: file.length, error: undefined }, 'one that is slow but above it is kept')
})

t.test('does not blame the archive for a reader that takes its time', async (t) => {
  // So long that a machine which is busy does not pause for it.
  const { upstream, url } = await makeBed(t, { stallMs: 4000, minBytesPerSecond: 1_000_000 })
  let got = 0
  let rests = 0
  for await (const chunk of (await upstream.get(url, { maxBytes }, {})).body) {
    got += chunk.length
    if (rests++ === 0) await sleep(4500)
  }
  t.equal(got, file.length)
})

t.test('lets the archive wait for a reader that stands still', async (t) => {
  const { upstream, server } = await makeBed(t)
  server.fault('/file', { kind: 'wrong-size', by: 60_000_000 })
  const response = await upstream.get(`${server.url}/file`, { maxBytes: 1e8 }, {})
  const before = process.memoryUsage().arrayBuffers
  for await (const _chunk of response.body) {
    await sleep(300)
    t.ok(process.memoryUsage().arrayBuffers - before < 8_000_000)
    t.ok(server.bytes() < 30_000_000)
    break
  }
})

t.test('asks once more when a kept connection proves dead, and only then', async (t) => {
  const { upstream, server, url } = await makeBed(t)
  server.fault('/fresh', { kind: 'close' })
  await t.rejects(upstream.get(`${server.url}/fresh`, { maxBytes }, {}), {
    code: 'ERR_UPSTREAM_UNREACHABLE',
    message: /closed without an answer/,
  })
  t.equal(server.count('/fresh'), 1)
  await bytesOf((await upstream.get(url, { maxBytes }, {})).body)
  await setImmediate()
  server.fault('/file', { kind: 'close' }, { times: 1 })
  t.ok((await bytesOf((await upstream.get(url, { maxBytes }, {})).body)).equals(file))
  t.equal(server.count('/file'), 3)
})

t.test('ends at once when the caller has enough, wherever the request stands', async (t) => {
  const { upstream, server, url } = await makeBed(t)
  const code = 'ERR_INTERRUPTED'
  await t.rejects(upstream.get(url, { maxBytes }, { signal: AbortSignal.abort() }), { code })
  t.equal(server.count(), 0)
  server.fault('/file', { kind: 'hang' })
  const stop = new AbortController()
  const hanging = Array.from({ length: 64 }, () =>
    upstream.get(url, { maxBytes }, { signal: stop.signal }),
  )
  for (const one of hanging) one.catch(() => undefined)
  const queued = new AbortController()
  const another = upstream.get(url, { maxBytes }, { signal: queued.signal })
  queued.abort()
  await t.rejects(another, { code }, 'one that waits for a connection')
  stop.abort()
  for (const one of hanging) await t.rejects(one, { code })
  server.clearFaults()
  server.fault('/file', { kind: 'stall', bytes: 1000 })
  const late = new AbortController()
  const response = await upstream.get(url, { maxBytes }, { signal: late.signal })
  const reading = readOut(response.body)
  late.abort()
  t.match((await reading).error, { code })
  // As AbortSignal.timeout does, but not before there is an answer, however slow the machine.
  const over = new AbortController()
  const timed = await upstream.get(url, { maxBytes }, { signal: over.signal })
  over.abort(new DOMException('the time is over', 'TimeoutError'))
  t.match((await readOut(timed.body)).error, { code: 'ERR_UPSTREAM_TIMEOUT' })
})

t.test('frees the connection of a body that is left early', async (t) => {
  const { upstream, server, url } = await makeBed(t)
  server.fault('/file', { kind: 'stall', bytes: 1000 }, { times: 16 })
  for (let at = 0; at < 16; at++) {
    const response = await upstream.get(url, { maxBytes }, {})
    if (at % 2 === 0) await response.body[Symbol.asyncIterator]().return?.()
    else for await (const _chunk of response.body) break
  }
  t.ok((await bytesOf((await upstream.get(url, { maxBytes }, {})).body)).equals(file))
})
