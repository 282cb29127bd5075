/**
 * What the port answers to single requests of all kinds, well-meant or not: byte for byte on a socket.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { ask, openSocket, type RawAnswer, sendRaw } from '../support/raw-http.ts'
import { makeWorld, type World } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }
const odd: PackageSpec = { name: 'libg++-dev', version: '1:2.0~rc1+b1-1', arch: 'amd64' }

interface Asking {
  readonly world: World
  /** `METHOD` and a path below upstream's URL, by the proxy. */
  proxied(method: string, path: string, ...headers: string[]): Promise<RawAnswer>
  /** The request line as it is. */
  plain(line: string, ...headers: string[]): Promise<RawAnswer>
}

async function makeAsking(t: Test): Promise<Asking> {
  const world = await makeWorld(t, [hello, odd])
  const { sluice, upstream } = world
  return {
    world,
    proxied: (method, path, ...headers) =>
      ask(sluice.url, `${method} ${upstream.url}${path} HTTP/1.1`, headers),
    plain: (line, ...headers) => ask(sluice.url, line, headers),
  }
}

/** Every refusal says why: for people in the body, for apt in the status line. */
function refuses(t: Test, answer: RawAnswer, status: number, says: RegExp): void {
  t.equal(answer.status, status)
  t.match(answer.body.toString(), says)
  t.match(answer.body.toString(), /^sluice: /)
  t.equal(Number(answer.headers['content-length']), answer.body.length)
}

t.test('a host that is in no archive is refused, and apt says why', async (t) => {
  const { world, plain } = await makeAsking(t)
  const line = 'GET http://other.example/debian/dists/stable/InRelease HTTP/1.1'
  const answer = await plain(line)
  refuses(t, answer, 403, /other\.example\/debian.* is not in an archive of this server/)
  t.match(answer.body.toString(), /hint: .*sluice archive add/)
  const apt = await createApt(join(world.dir, 'foreign'), {
    sources: 'deb [trusted=yes] http://other.example/debian stable main',
    proxy: world.sluice.url,
  })
  const run = await apt.update()
  t.match(run.output, /403 +other\.example.* is not in an archive of this server/)
})

t.test('what no index names is kept for a minute, apart from what is verified', async (t) => {
  const { world, proxied } = await makeAsking(t)
  const dir = join(world.dir, 'archive/project/trace')
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'mirror.example.org'), 'today\n')
  const odd = { 'Last-Modified': 'Wednesday, 02-Jan-08 10:00:00 GMT' }
  world.upstream.fault(/trace/, { kind: 'headers', headers: odd })
  const stored = (await readdir(join(world.sluice.dataDir, 'blobs'), { recursive: true })).length
  for (const cache of ['MISS', 'HIT']) {
    const answer = await proxied('GET', '/project/trace/mirror.example.org')
    t.equal(answer.status, 200)
    t.equal(answer.body.toString(), 'today\n')
    t.equal(answer.headers['last-modified'], 'Wed, 02 Jan 2008 10:00:00 GMT', 'as apt can read it')
    t.equal(answer.headers['x-cache'], cache)
    t.equal(world.upstream.count(/trace/), 1)
  }
  const head = await proxied('HEAD', '/project/trace/mirror.example.org')
  t.match(head, { status: 200, headers: { 'content-length': '6' } })
  refuses(t, await proxied('GET', '/project/none'), 404, /answered 404/)
  const left = (await readdir(join(world.sluice.dataDir, 'blobs'), { recursive: true })).length
  t.equal(left, stored)
})

t.test('a stored file is had in parts; what can change never is', async (t) => {
  const { world, proxied, plain } = await makeAsking(t)
  const deb = `/${poolPath(hello)}`
  const bytes = await readFile(join(world.dir, 'archive', deb))
  const whole = await proxied('GET', deb)
  t.ok(whole.body.equals(bytes))
  const modified = whole.headers['last-modified'] ?? ''
  const resumed = await proxied('GET', deb, 'Range: bytes=1000-', `If-Range: ${modified}`)
  t.equal(resumed.status, 206)
  t.equal(resumed.headers['content-range'], `bytes 1000-${bytes.length - 1}/${bytes.length}`)
  t.ok(resumed.body.equals(bytes.subarray(1000)))
  const other = 'If-Range: Wed, 02 Jan 2008 10:00:00 GMT'
  t.equal((await proxied('GET', deb, 'Range: bytes=1000-', other)).status, 200)
  const behind = await proxied('GET', deb, `Range: bytes=${bytes.length}-`)
  refuses(t, behind, 416, /ends before that range/)
  t.equal(behind.headers['content-range'], `bytes */${bytes.length}`)
  t.match(await proxied('HEAD', deb), { status: 200, headers: { 'content-length': bytes.length } })
  t.equal((await proxied('HEAD', deb, 'Range: bytes=1000-')).status, 200, 'HEAD has no ranges')

  const old = await plain(`GET ${world.upstream.url}${deb} HTTP/1.0`)
  t.ok(old.status === 200 && old.body.equals(bytes), 'HTTP/1.0 is understood')
  t.equal(world.upstream.count(/hello/), 1)
})

t.test('Release files are whole or not modified, by the exact time only', async (t) => {
  const { world, proxied, plain } = await makeAsking(t)
  const ways = [
    (...headers: string[]) => proxied('GET', '/dists/stable/InRelease', ...headers),
    (...headers: string[]) =>
      plain('GET /channels/testing/nut/dists/stable/InRelease HTTP/1.1', ...headers),
  ]
  for (const get of ways) {
    const { headers, body } = await get()
    const modified = headers['last-modified'] ?? ''
    t.match(await get(`If-Modified-Since: ${modified}`), { status: 304, body: Buffer.alloc(0) })
    for (const shift of [-1000, 1000, 86_400_000]) {
      const time = new Date(Date.parse(modified) + shift).toUTCString()
      t.equal((await get(`If-Modified-Since: ${time}`)).status, 200, `${shift} ms beside it`)
    }
    const part = await get('Range: bytes=10-', `If-Range: ${modified}`)
    t.equal(part.status, 200)
    t.ok(part.body.equals(body))
    t.equal(headers['cache-control'], 'no-cache')
  }
  t.equal(world.upstream.count(/InRelease/), 1, 'both by what the refresh brought')
})

t.test('an absolute URI never reaches the API or a page of ours', async (t) => {
  const { world, plain } = await makeAsking(t)
  const { sluice } = world
  const authorization = `Authorization: Bearer ${sluice.token}`
  t.equal((await plain('GET /api/v1/status HTTP/1.1', authorization)).status, 200, 'a good token')
  const { port } = new URL(sluice.url)
  for (const root of [sluice.url, `HTTP://127.0.0.1:${port}`, `http://localhost:${port}`]) {
    for (const path of ['/api/v1/status', '/api/v1/audit', '/metrics', '/client/testing', '/']) {
      const answer = await plain(`GET ${root}${path} HTTP/1.1`, authorization)
      refuses(t, answer, 403, /is not in an archive/)
    }
    const change = `POST ${root}/api/v1/archives/nut/refresh HTTP/1.1`
    refuses(t, await plain(change, authorization, 'Content-Length: 0'), 405, /only GET and HEAD/)
  }
  const through = await plain(`GET ${sluice.url}/channels/../api/v1/status HTTP/1.1`, authorization)
  refuses(t, through, 400, /no URL of an archive/)
  const release = 'channels/testing/nut/dists/stable/InRelease'
  t.equal((await plain(`GET ${sluice.url}/${release} HTTP/1.1`)).status, 200, 'channels are')
  const foreign = await plain(`GET http://other.example/${release} HTTP/1.1`)
  refuses(t, foreign, 403, /other\.example.* is not in an archive/)
  const host = `GET ${world.upstream.url}/api/v1/status HTTP/1.1`
  refuses(t, await plain(host, authorization), 404, /answered 404/)
})

t.test('tunnels and other methods are refused', async (t) => {
  const { world, proxied, plain } = await makeAsking(t)
  const { sluice } = world
  const tunnel = 'CONNECT archive.example:443 HTTP/1.1\r\nHost: archive.example:443\r\n\r\n'
  const [refused] = await sendRaw(sluice.url, tunnel)
  t.match(refused, { status: 403, reason: /tunnels are not open here/ })
  t.match(refused?.body.toString(), /Acquire::https::Proxy "DIRECT"/)
  const apt = await createApt(join(world.dir, 'tunnel'), {
    sources: 'deb [trusted=yes] https://archive.example/debian stable main',
    proxy: sluice.url,
    options: ['-oAcquire::Retries=0'],
  })
  t.match((await apt.update()).output, /tunnels are not open here/, 'apt says it too')
  const gone = await openSocket(sluice.url)
  gone.write(tunnel)
  gone.resetAndDestroy()
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
    const answer = await proxied(method, `/${poolPath(hello)}`, 'Content-Length: 0')
    refuses(t, answer, 405, /only GET and HEAD/)
    t.equal(answer.headers.allow, 'GET, HEAD')
    const line = `${method} /channels/testing/nut/dists/stable/InRelease HTTP/1.1`
    refuses(t, await plain(line, 'Content-Length: 0'), 405, /only GET and HEAD/)
  }
  t.match(await sendRaw(sluice.url, 'NONSENSE\r\n\r\n'), [{ status: 400, body: /\w/ }])
  t.match(await sendRaw(sluice.url, `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`), [
    { body: /\w/ },
  ])
  t.equal((await plain('GET /healthz HTTP/1.1')).status, 200, 'and the server goes on')
})

t.test('paths that climb are refused before anybody looks for them', async (t) => {
  const { world, proxied, plain } = await makeAsking(t)
  world.upstream.clearRequests()
  const paths = [
    '/pool/../../etc/passwd',
    '/pool/%2e%2e/%2E%2e/etc/passwd',
    '/pool/..%2f..%2fetc/passwd',
    '/pool/%5c..%5cetc',
    '/pool//x',
    '/pool/x%00.deb',
    '/pool/%zz',
    '/pool/x%0d%0aX-Evil:%20yes',
    `/pool/${'x'.repeat(3000)}`,
  ]
  for (const path of paths) {
    refuses(t, await proxied('GET', path), 400, /no URL of an archive/)
    const answer = await plain(`GET /channels/testing/nut${path} HTTP/1.1`)
    refuses(t, answer, 404, /that is no path of an archive/)
    t.equal(answer.headers['x-evil'], undefined)
  }
  t.match(await sendRaw(world.sluice.url, 'GET /pool/x\0y HTTP/1.1\r\n\r\n'), [{ status: 400 }])
  t.equal(world.upstream.count(), 0)
})

t.test('a path means the same however it is encoded', async (t) => {
  const { world, proxied } = await makeAsking(t)
  const path = `/${poolPath(odd)}`
  const bytes = await readFile(join(world.dir, 'archive', path))
  const encodings = [
    path.replaceAll('+', '%2b').replaceAll('~', '%7e'),
    path.replaceAll('+', '%2B').replaceAll('~', '%7E'),
    path,
    path.replace('pool', 'p%6Fol'),
  ]
  for (const one of encodings) {
    const answer = await proxied('GET', one)
    t.equal(answer.status, 200)
    t.ok(answer.body.equals(bytes), one)
  }
  t.equal(world.upstream.count(/libg\+\+-dev_2/), 1)
  const digest = createHash('sha256').update(bytes).digest('hex')
  t.ok((await readdir(join(world.sluice.dataDir, 'blobs', digest.slice(0, 2)))).length > 0)
})
