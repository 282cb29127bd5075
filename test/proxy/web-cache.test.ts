/**
 * What nothing verifies is kept by HTTP's rules: as long as upstream says, for whom it was given, and whole or not at all.
 */
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ask, openSocket, type RawAnswer } from '../support/raw-http.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { testDir } from '../support/test-dir.ts'
import { startUpstream, type TestUpstream } from '../support/upstream-server.ts'

const MINUTE_MS = 60_000

interface Bed {
  readonly dir: string
  readonly host: TestUpstream
  readonly clock: TestClock
  readonly sluice: TestSluice
  /** Puts a file on the host. */
  put(path: string, content: string | Buffer): Promise<void>
  get(path: string, headers?: readonly string[]): Promise<RawAnswer>
  /** The same server again over its data. */
  restart(): Promise<void>
}

async function makeBed(t: Test, flags: Record<string, string> = {}): Promise<Bed> {
  const dir = testDir(t)
  const root = join(dir, 'host')
  await mkdir(root)
  const host = await startUpstream(root)
  const clock = createTestClock()
  const start = (): Promise<TestSluice> =>
    startSluice(join(dir, 'var'), {
      clock,
      flags: { 'pass-hosts': new URL(host.url).host, ...flags },
    })
  let sluice = await start()
  t.teardown(async () => {
    await sluice.close()
    await host.close()
  })
  let puts = 0
  return {
    dir,
    host,
    clock,
    get sluice() {
      return sluice
    },
    put: async (path, content) => {
      const file = join(root, path)
      await mkdir(join(file, '..'), { recursive: true })
      await writeFile(file, content)
      const time = 1_700_000_000 + puts++
      await utimes(file, time, time)
    },
    get: (path, headers = []) => ask(sluice.url, `GET ${host.url}/${path} HTTP/1.1`, headers),
    restart: async () => {
      await sluice.close()
      sluice = await start()
    },
  }
}

const seen = ({ status, headers, body }: RawAnswer) =>
  `${status} ${headers['x-cache']} ${body.toString().trim()}`

t.test('a file is fetched once, and asked for again when its time is over', async (t) => {
  const { host, clock, put, get, restart, dir } = await makeBed(t)
  await put('project/trace/one', 'first\n')
  t.equal(seen(await get('project/trace/one')), '200 MISS first')
  await put('project/trace/one', 'second\n')
  clock.advance(50_000)
  const hit = await get('project/trace/one')
  t.equal(seen(hit), '200 HIT first')
  t.ok(Number(hit.headers.age) >= 50)
  t.equal(host.count(), 1)
  clock.advance(20_000)
  t.equal(seen(await get('project/trace/one')), '200 MISS second')

  t.comment('what did not change costs upstream no bytes, also after a restart')
  await restart()
  clock.advance(2 * MINUTE_MS)
  host.clearRequests()
  t.equal(seen(await get('project/trace/one')), '200 HIT second')
  t.match(host.requests, [{ status: 304, bytes: 0 }])
  t.equal(seen(await get('project/trace/one')), '200 HIT second')
  t.equal(host.count(), 1)
  t.equal((await kept(join(dir, 'var'))).length, 1, 'of two versions one is kept')

  t.comment('a client that has it is told so; one that wants news has it asked')
  const since = `If-Modified-Since: ${hit.headers['last-modified']}`
  t.equal((await get('project/trace/one', [since])).status, 200)
  const { headers } = await get('project/trace/one')
  const same = await get('project/trace/one', [`If-Modified-Since: ${headers['last-modified']}`])
  t.match(same, { status: 304, body: /^$/ })
  host.clearRequests()
  await get('project/trace/one', ['Cache-Control: max-age=0'])
  t.equal(host.count(), 1)
})

async function kept(dataDir: string): Promise<string[]> {
  const entries = await readdir(join(dataDir, 'web'), { recursive: true, withFileTypes: true })
  return entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
}

t.test('upstream says how long, and for whom', async (t) => {
  const { host, clock, put, get } = await makeBed(t)
  const cases: Record<string, readonly [headers: Record<string, string>, after: string]> = {
    'an-hour': [{ 'Cache-Control': 'public, max-age=3600' }, 'HIT'],
    shared: [{ 'Cache-Control': 'max-age=0, s-maxage=3600' }, 'HIT'],
    expires: [{ Expires: new Date(Date.now() + 60 * MINUTE_MS).toUTCString() }, 'HIT'],
    aged: [{ 'Cache-Control': 'max-age=600', Age: '500' }, 'asked'],
    varied: [{ Vary: 'Accept-Encoding', 'Cache-Control': 'max-age=3600' }, 'HIT'],
    'no-cache': [{ 'Cache-Control': 'no-cache' }, 'asked'],
    'pool/f/foo_1_all.deb': [{}, 'HIT'],
    'dists/stable/main/binary-amd64/Packages.gz': [{ 'Cache-Control': 'max-age=3600' }, 'asked'],
    'no-store': [{ 'Cache-Control': 'no-store' }, 'PASS'],
    private: [{ 'Cache-Control': 'max-age=3600, private' }, 'PASS'],
    cookie: [{ 'Set-Cookie': 'who=me', 'Cache-Control': 'max-age=3600' }, 'PASS'],
    anything: [{ Vary: '*', 'Cache-Control': 'max-age=3600' }, 'PASS'],
  }
  for (const [path, [headers]] of Object.entries(cases)) {
    await put(path, path)
    host.fault(`/${path}`, { kind: 'headers', headers })
    t.equal((await get(path)).status, 200, path)
  }
  clock.advance(2 * MINUTE_MS)
  for (const [path, [, after]] of Object.entries(cases)) {
    host.clearRequests()
    const answer = await get(path)
    t.equal(answer.body.toString(), path)
    t.equal(answer.headers['x-cache'], after === 'asked' ? 'HIT' : after, path)
    t.equal(host.count(), after === 'HIT' ? 0 : 1, path)
  }
  await put('own', 'own')
  t.match(await get('own', ['Cache-Control: no-store']), { headers: { 'x-cache': 'PASS' } })
  t.match(await get('own'), { headers: { 'x-cache': 'MISS' } })
})

t.test('what is given for a login is for that login alone', async (t) => {
  const { host, put, get } = await makeBed(t)
  await put('paid/file', 'for joe\n')
  const basic = (pair: string) => `Authorization: Basic ${Buffer.from(pair).toString('base64')}`
  const headers = { 'Cache-Control': 'max-age=3600' }
  host.fault('/paid/file', { kind: 'headers', headers })
  t.equal(seen(await get('paid/file', [basic('joe:pw')])), '200 MISS for joe')
  host.clearRequests()
  t.equal(seen(await get('paid/file', [basic('joe:pw')])), '200 HIT for joe')
  t.match(host.requests, [{ status: 304 }], 'upstream was asked whether it still may')
  host.fault('/paid/file', { kind: 'status', status: 401 })
  for (const login of [[], [basic('ann:pw')], [basic('joe:pw')]]) {
    const answer = await get('paid/file', login)
    t.not(answer.status, 200)
    t.notMatch(answer.body.toString(), /for joe/)
  }
})

t.test('upstream in trouble means nothing to who asks for what is here', async (t) => {
  const { host, clock, put, get } = await makeBed(t)
  await put('file', 'file')
  await get('file')
  for (const fault of [
    { kind: 'status', status: 503 },
    { kind: 'close' },
    { kind: 'hang' },
  ] as const) {
    clock.advance(2 * MINUTE_MS)
    host.clearFaults()
    host.fault(/./, fault)
    host.clearRequests()
    t.equal(seen(await get('file')), '200 HIT file', fault.kind)
    const asked = host.count('/file')
    t.equal(seen(await get('file')), '200 HIT file', fault.kind)
    t.equal(host.count('/file'), asked, 'and it is let alone for a while')
  }
})

t.test('what upstream has no more is gone, and what must be asked for is', async (t) => {
  const { host, clock, put, get } = await makeBed(t)
  for (const path of ['strict', 'gone']) await put(path, path)
  const headers = { 'Cache-Control': 'max-age=60, must-revalidate' }
  host.fault('/strict', { kind: 'headers', headers })
  for (const path of ['strict', 'gone']) await get(path)
  clock.advance(2 * MINUTE_MS)
  host.fault('/strict', { kind: 'status', status: 500 })
  t.match(await get('strict'), { status: 503 })
  host.fault('/gone', { kind: 'status', status: 404 })
  t.match(await get('gone'), { status: 404 })
  host.clearRequests()
  t.match(await get('gone'), { status: 404 })
  t.equal(host.count(), 0, 'it is not asked for again at once')
})

t.test('many ask, upstream sends it once while all read; what breaks is not kept', async (t) => {
  const { dir, host, put, get, sluice } = await makeBed(t)
  const big = Buffer.alloc(900_000, 'installer ')
  await put('images/mini.iso', big)
  host.fault('/images/mini.iso', { kind: 'rate', bytesPerSecond: 3_000_000 })
  const answers = await Promise.all(Array.from({ length: 8 }, () => get('images/mini.iso')))
  for (const { body } of answers) t.ok(body.equals(big))
  t.equal(host.count(), 1)
  t.equal(host.bytes(), big.length)

  await put('cut', big)
  host.fault('/cut', { kind: 'truncate', bytes: 300_000 }, { times: 1 })
  await t.rejects(get('cut'), 'the connection is reset')
  t.ok((await get('cut')).body.equals(big))
  await put('chunks', big)
  host.fault('/chunks', { kind: 'chunked' })
  for (const cache of ['MISS', 'HIT']) {
    const reply = await fetch(`${sluice.url}/${new URL(host.url).host}/chunks`)
    t.equal(reply.headers.get('x-cache'), cache)
    t.ok(Buffer.from(await reply.arrayBuffer()).equals(big))
  }
  t.equal((await kept(join(dir, 'var'))).length, 3)
})

t.test('who goes away in the middle leaves a whole file or none', async (t) => {
  const { dir, host, put, get, sluice } = await makeBed(t)
  const big = Buffer.alloc(2_000_000, 'x')
  await put('known', big)
  await put('endless', big)
  const rest = Promise.withResolvers<void>()
  t.teardown(() => rest.resolve())
  host.fault('/endless', { kind: 'hold', bytes: 1_000_000, until: rest.promise })
  host.fault('/endless', { kind: 'chunked' })
  for (const path of ['known', 'endless']) {
    const socket = await openSocket(sluice.url)
    socket.write(`GET ${host.url}/${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
  }
  while ((await kept(join(dir, 'var'))).length !== 1) await sleep(10)
  t.ok((await get('known')).body.equals(big))
  t.equal(host.count('/known'), 1, 'a file of known length is fetched to its end')
})

t.test('what was not used for longest goes; what a crash left is swept', async (t) => {
  const { dir, clock, put, get, restart } = await makeBed(t, { 'web-cache-mb': '1' })
  for (const [at, path] of ['one', 'two', 'three', 'four'].entries()) {
    await put(path, Buffer.alloc(300_000, String(at)))
    await get(path)
    clock.advance(1000)
    await get('one')
    clock.advance(1000)
  }
  const has = async (path: string) => (await get(path)).headers['x-cache']
  t.same([await has('one'), await has('three'), await has('four')], ['HIT', 'HIT', 'HIT'])
  t.equal(await has('two'), 'MISS')
  const files = await kept(join(dir, 'var'))
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  t.ok(sizes.reduce((sum, size) => sum + size, 0) <= 1_000_000)

  const [damaged = '', ...whole] = files
  await writeFile(damaged, (await readFile(damaged)).subarray(0, 1000))
  await writeFile(join(damaged, '..', 'leftover'), 'half of it')
  await restart()
  t.same((await kept(join(dir, 'var'))).sort(), whole.sort())
  for (const path of ['one', 'two', 'three', 'four']) {
    t.equal((await get(path)).body.length, 300_000)
  }
})

t.test('parts of what does not change under its name, and only the head', async (t) => {
  const { host, put, get, sluice } = await makeBed(t)
  await put('pool/f/foo_1_all.deb', '0123456789')
  await put('changelog', '0123456789')
  for (const path of ['pool/f/foo_1_all.deb', 'changelog']) await get(path)
  t.match(await get('pool/f/foo_1_all.deb', ['Range: bytes=4-']), { status: 206, body: /^456789$/ })
  t.match(await get('changelog', ['Range: bytes=4-']), { status: 200, body: /^0123456789$/ })
  const head = await ask(sluice.url, `HEAD ${host.url}/changelog HTTP/1.1`)
  t.match(head, { status: 200, headers: { 'content-length': '10', 'x-cache': 'HIT' }, body: /^$/ })
  await put('other', 'other')
  t.match(await ask(sluice.url, `HEAD ${host.url}/other HTTP/1.1`), { status: 200, body: /^$/ })
})
