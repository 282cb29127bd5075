/**
 * The guard before the client to archives: an upstream that is dead or in trouble with everything is not asked by each who
 * wants something of it, and one that is offline asks nobody.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Guarded, guardUpstream } from '../../src/archives/guarded-upstream.ts'
import { createUpstream, type Upstream, type UpstreamGet } from '../../src/archives/upstream.ts'
import { testDir } from '../support/test-dir.ts'
import { startUpstream, type TestUpstream } from '../support/upstream-server.ts'

interface Bed {
  readonly mirror: TestUpstream
  readonly upstream: Upstream & Guarded
  /** Lets the guard's time pass. */
  pass(ms: number): void
  /** What came of a request: its body, or the code of its error. */
  ask(path: string, get?: Partial<UpstreamGet>): Promise<string>
  /** Whether to wait for fractions of a second: only what never comes would not come later. */
  hurry(is: boolean): void
}

async function makeBed(t: Test, isOffline = false): Promise<Bed> {
  t.teardown(() => {})
  const dir = testDir(t, { mirror: { a: 'bytes of a', b: 'bytes of b', c: 'bytes of c' } })
  const mirror = await startUpstream(join(dir, 'mirror'))
  const time = { ms: 0 }
  const patient = createUpstream()
  const hasty = createUpstream({ firstByteTimeoutMs: 300, stallMs: 1000 })
  let isHasty = false
  const client: Upstream = {
    get: (...asked) => (isHasty ? hasty : patient).get(...asked),
    close: () => patient.close(),
  }
  const upstream = guardUpstream(client, { isOffline, now: () => time.ms })
  t.teardown(async () => {
    await upstream.close()
    await hasty.close()
    await mirror.close()
  })
  const ask: Bed['ask'] = async (path, get = {}) => {
    try {
      const response = await upstream.get(`${mirror.url}${path}`, { maxBytes: 1e6, ...get }, {})
      const pieces: Buffer[] = []
      for await (const piece of response.body) pieces.push(piece)
      return Buffer.concat(pieces).toString()
    } catch (error) {
      return error instanceof Error && 'code' in error ? `${error.code}` : 'unknown'
    }
  }
  const pass: Bed['pass'] = (ms) => {
    time.ms += ms
  }
  const hurry: Bed['hurry'] = (is) => {
    isHasty = is
  }
  return { mirror, upstream, pass, ask, hurry }
}

t.test('one that hangs is found out once, and the others do not wait', async (t) => {
  const { mirror, upstream, ask, pass, hurry } = await makeBed(t)
  hurry(true)
  mirror.fault(/./, { kind: 'hang' })
  const crowd = await Promise.all(Array.from({ length: 200 }, (_, at) => ask(`/file-${at}`)))
  t.same(new Set(crowd), new Set(['ERR_UPSTREAM_TIMEOUT']))
  t.ok(mirror.count() < 100, `${mirror.count()} were asked, of 200`)
  mirror.clearRequests()
  t.equal(await ask('/a'), 'ERR_UPSTREAM_TIMEOUT')
  t.equal(mirror.count(), 0, 'it is left alone')
  const [trouble] = upstream.troubles()
  t.match(trouble, { origin: mirror.url, problem: { code: 'ERR_UPSTREAM_TIMEOUT' } })

  t.comment('after a while one goes out to look, and only one')
  pass(1000)
  const again = await Promise.all(['/a', '/b', '/c'].map((path) => ask(path)))
  t.same(new Set(again), new Set(['ERR_UPSTREAM_TIMEOUT']))
  t.equal(mirror.count(), 1)
  hurry(false)
  mirror.clearFaults()
  pass(1500)
  t.equal(await ask('/a'), 'ERR_UPSTREAM_TIMEOUT', 'each time it is left alone for longer')
  pass(1000)
  t.equal(await ask('/a'), 'bytes of a')
  t.same(await Promise.all(['/b', '/c'].map((path) => ask(path))), ['bytes of b', 'bytes of c'])
  t.same(upstream.troubles(), [])
})

t.test('a port where nobody listens is asked once', async (t) => {
  const { mirror, upstream, ask, pass } = await makeBed(t)
  const { url } = mirror
  await mirror.close()
  t.equal(await ask('/a'), 'ERR_UPSTREAM_UNREACHABLE')
  let connections = 0
  const listener = createServer((socket) => {
    connections += 1
    socket.resetAndDestroy()
  })
  t.teardown(() => void listener.close())
  await new Promise<void>((done) => listener.listen(Number(new URL(url).port), '127.0.0.1', done))
  t.equal(await ask('/b'), 'ERR_UPSTREAM_UNREACHABLE')
  t.equal(connections, 0)
  const told = await upstream.get(`${url}/b`, { maxBytes: 10 }, {}).catch((error) => error)
  t.match(told.message, /\/b: its server is in trouble, it is asked again in 1 s \(.*refused\)/)
  pass(1000)
  await ask('/b')
  t.ok(connections > 0)
})

t.test('a redirect to where nobody listens is trouble with one path', async (t) => {
  const { mirror, ask } = await makeBed(t)
  mirror.fault('/a', { kind: 'redirect', to: 'http://127.0.0.1:9/a' })
  for (let tries = 0; tries < 4; tries++) t.equal(await ask('/a'), 'ERR_UPSTREAM_UNREACHABLE')
  t.equal(await ask('/b'), 'bytes of b')
})

t.test('trouble with one path keeps nobody from the others', async (t) => {
  const { mirror, ask, hurry } = await makeBed(t)
  hurry(true)
  mirror.fault('/a', { kind: 'hang' })
  for (let tries = 0; tries < 4; tries++) t.equal(await ask('/a'), 'ERR_UPSTREAM_TIMEOUT')
  hurry(false)
  t.equal(await ask('/b'), 'bytes of b')
  mirror.clearFaults()
  mirror.fault('/a', { kind: 'status', status: 404 })
  mirror.fault('/b', { kind: 'status', status: 404 })
  for (const path of ['/a', '/b', '/a', '/b']) t.equal(await ask(path), 'ERR_UPSTREAM_STATUS')
  t.equal(await ask('/c'), 'bytes of c', 'who has no such file is well')
})

t.test('a storm of 503, and bodies that fall silent, are trouble', async (t) => {
  const { mirror, ask, pass, hurry } = await makeBed(t)
  mirror.fault(/./, { kind: 'status', status: 503 })
  for (let tries = 0; tries < 5; tries++) {
    for (const path of ['/a', '/b', '/c']) t.equal(await ask(path), 'ERR_UPSTREAM_STATUS')
  }
  t.equal(mirror.count(), 10)
  mirror.clearFaults()
  t.equal(await ask('/a'), 'ERR_UPSTREAM_STATUS')
  t.equal(mirror.count(), 10)
  pass(1000)
  t.equal(await ask('/a'), 'bytes of a')

  hurry(true)
  mirror.fault(/./, { kind: 'stall', bytes: 3 })
  for (const path of ['/a', '/b', '/c']) t.equal(await ask(path), 'ERR_UPSTREAM_TIMEOUT')
  mirror.clearRequests()
  t.equal(await ask('/a'), 'ERR_UPSTREAM_TIMEOUT')
  t.equal(mirror.count(), 0)
})

t.test('a body that breaks off is no trouble of the origin', async (t) => {
  const { mirror, upstream, ask } = await makeBed(t)
  mirror.fault(/./, { kind: 'truncate', bytes: 3 })
  for (const path of ['/a', '/b', '/c', '/a', '/b', '/c']) {
    t.equal(await ask(path), 'ERR_UPSTREAM_UNREACHABLE')
  }
  t.equal(mirror.count(), 6)
  t.same(upstream.troubles(), [])
})

t.test('Retry-After is obeyed, by refreshes too, and not by who commands', async (t) => {
  const { mirror, ask, pass } = await makeBed(t)
  const headers = { 'Retry-After': '600' }
  mirror.fault('/a', { kind: 'status', status: 503, headers }, { times: 1 })
  t.equal(await ask('/a'), 'ERR_UPSTREAM_STATUS')
  pass(50_000)
  t.equal(await ask('/b'), 'ERR_UPSTREAM_STATUS')
  pass(20_000)
  t.equal(await ask('/b', { urgency: 'probe' }), 'ERR_UPSTREAM_STATUS')
  t.equal(mirror.count(), 1)
  t.equal(await ask('/b', { urgency: 'command' }), 'bytes of b')
  t.equal(await ask('/b', { urgency: 'probe' }), 'bytes of b', 'it is well: that was said')
})

t.test('a refresh asks in spite of trouble', async (t) => {
  const { mirror, ask } = await makeBed(t)
  mirror.fault(/./, { kind: 'close' })
  for (const path of ['/a', '/b', '/c']) t.equal(await ask(path), 'ERR_UPSTREAM_UNREACHABLE')
  mirror.clearFaults()
  t.equal(await ask('/a'), 'ERR_UPSTREAM_UNREACHABLE')
  t.equal(await ask('/a', { urgency: 'probe' }), 'bytes of a')
  t.equal(await ask('/b'), 'bytes of b', 'and all know that it is well')
})

t.test('nothing goes out offline', async (t) => {
  const { mirror, upstream, ask } = await makeBed(t, true)
  for (const urgency of ['usual', 'probe', 'command'] as const) {
    t.equal(await ask('/a', { urgency }), 'ERR_OFFLINE')
  }
  t.equal(mirror.count(), 0)
  const told = await upstream
    .get('http://me:secret@nowhere.example/x', { maxBytes: 10 }, {})
    .catch((error) => error)
  t.match(told, { message: 'http://nowhere.example/x: not asked, this server is offline' })
})
