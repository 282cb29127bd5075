/** docs/nginx.md, tried: real nginx with its configuration, real apt through both, and the same answers as from Sluice alone. */
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { parse } from 'smol-toml'
import t, { type Test } from 'tap'
import { createApt } from './support/apt.ts'
import { blockOf, startNginx, type TestNginx } from './support/nginx.ts'
import { clean, makeWorld, troubles, type World } from './support/world.ts'

/** Larger than what is answered out of memory. */
const hello = { name: 'hello', version: '1', arch: 'amd64', content: 3_000_000 } as const
const other = { name: 'other', version: '1', arch: 'all' } as const

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

async function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {}, localAddress }: Asking = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url)
  const from = localAddress === undefined ? {} : { localAddress }
  const sent = request({ hostname, port, path, method, headers, agent: false, ...from }).end()
  const [answer] = await once(sent, 'response')
  const body = await buffer(answer)
  return { status: answer.statusCode, headers: answer.headers, body }
}

interface Asking {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly localAddress?: string
}

interface Bed {
  readonly world: World
  readonly nginx: TestNginx
  /** Paths that Sluice itself was asked for. */
  asked(): Promise<string[]>
  /** Waits until files of these heads are laid out. */
  laidOut(): Promise<void>
}

async function makeBed(t: Test): Promise<Bed> {
  const { listen: _, 'public-url': __, ...settings } = parse(blockOf('toml'))
  const log = join(t.testdirName, 'access.log')
  const flags = Object.fromEntries(
    Object.entries({ ...settings, 'access-log': log }).map(([key, value]) => [
      key,
      typeof value === 'boolean' ? value : String(value),
    ]),
  )
  const world = await makeWorld(t, [hello, other], { start: { flags } })
  const { url, dataDir } = world.sluice
  const nginx = await startNginx(join(world.dir, 'nginx'), { url, dataDir })
  t.teardown(() => nginx.close())
  return {
    world,
    nginx,
    asked: async () => {
      await world.sluice.server.reload()
      const text = await readFile(log, 'utf8')
      return [...text.matchAll(/"[A-Z]+ (\S+) /g)].map(([, path = '']) => path)
    },
    laidOut: async () => {
      const wanted = await Promise.all(['testing', 'approved'].map((name) => indexOf(url, name)))
      for (;;) {
        const names = await readdir(join(dataDir, 'front/by-hash')).catch((): string[] => [])
        if (wanted.every((path) => names.includes(path.split('/').at(-1) ?? ''))) return
      }
    },
  }
}

/** The path by hash of a channel's index. */
async function indexOf(url: string, channel: string): Promise<string> {
  const suite = `/channels/${channel}/nut/dists/stable`
  const release = (await ask(url, `${suite}/InRelease`)).body.toString()
  const digest = /^ ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages\.gz$/m.exec(release)?.[1]
  return `${suite}/main/binary-amd64/by-hash/SHA256/${digest}`
}

/** The path of hello's package in a channel. */
async function packageOf(world: World, name: string): Promise<string> {
  const apt = await world.machine(name, 'approved')
  await apt.update()
  const shown = await apt.run('apt-cache', ['show', 'hello'])
  return `/channels/approved/nut/${/^Filename: (.*)$/m.exec(shown.stdout)?.[1]}`
}

t.test('apt gets all through nginx, which asks for packages once', async (t) => {
  const { world, nginx, asked, laidOut } = await makeBed(t)
  await laidOut()
  const key = await (await fetch(`${nginx.url}/channels/approved/key.asc`)).text()
  t.match(key, 'BEGIN PGP PUBLIC KEY')
  for (const name of ['first', 'second']) {
    const apt = await world.machine(name, 'approved')
    const signedBy = join(apt.dir, 'sluice.asc')
    await apt.setSources(
      `deb [signed-by=${signedBy}] ${nginx.url}/channels/approved/nut stable main`,
    )
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.install('hello')), clean)
    t.same(await apt.installed(), ['hello=1'])
  }
  const paths = await asked()
  t.equal(paths.filter((path) => path.endsWith('/hello_1_amd64.deb')).length, 1)
  t.equal(paths.filter((path) => path.includes('/by-hash/')).length, 0)
  t.ok(paths.filter((path) => path.endsWith('approved/nut/dists/stable/InRelease')).length >= 2)

  await world.publish([{ ...hello, version: '2' }, other])
  await world.sluice.api('POST', '/archives/refresh')
  const before = await indexOf(world.sluice.url, 'approved')
  await world.sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  await laidOut()
  const apt = await createApt(join(world.dir, 'first'), { sources: '' })
  const signedBy = join(apt.dir, 'sluice.asc')
  await apt.setSources(`deb [signed-by=${signedBy}] ${nginx.url}/channels/approved/nut stable main`)
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '2')
  const old = await ask(nginx.url, before)
  t.equal(old.status, 200, 'who has the InRelease of before gets its index')
})

t.test('nginx answers as Sluice does, in parts and on conditions too', async (t) => {
  const { world, nginx, asked, laidOut } = await makeBed(t)
  const { sluice, upstream } = world
  await laidOut()
  const pool = await packageOf(world, 'one')
  const mirror = `/${new URL(upstream.url).host}/pool/main/h/hello/hello_1_amd64.deb`
  await ask(sluice.url, pool)
  for (const path of [pool, await indexOf(sluice.url, 'approved'), mirror]) {
    const whole = await ask(sluice.url, path, { localAddress: '127.0.0.7' })
    t.equal(whole.status, 200)
    const time = whole.headers['last-modified'] ?? ''
    const asking: readonly Asking[] = [
      {},
      { method: 'HEAD' },
      { headers: { 'If-Modified-Since': time } },
      { headers: { 'If-Modified-Since': new Date().toUTCString() } },
      { headers: { Range: 'bytes=10-19' } },
      { headers: { Range: 'bytes=-5' } },
      { headers: { Range: 'bytes=100-', 'If-Range': time } },
      { headers: { Range: 'bytes=100-', 'If-Range': new Date(0).toUTCString() } },
      { headers: { Range: `bytes=${whole.body.length}-` } },
    ]
    for (const one of asking) {
      const what = `${path.slice(-20)} ${JSON.stringify(one)}`
      const ours = await ask(sluice.url, path, { ...one, localAddress: '127.0.0.7' })
      const theirs = await ask(nginx.url, path, one)
      t.equal(theirs.status, ours.status, what)
      if (ours.status === 416) continue
      t.ok(theirs.body.equals(ours.body), what)
      const names = ['last-modified', 'cache-control', 'content-range', 'x-cache'] as const
      const more = ours.status === 304 ? [] : (['content-type', 'content-length'] as const)
      for (const name of [...names, ...more])
        t.equal(theirs.headers[name], ours.headers[name], `${what}: ${name}`)
    }
  }
  const told = await ask(sluice.url, mirror)
  t.match(told.headers['x-accel-redirect'], /^\/_blob\/..\/[0-9a-f]{62}$/)
  t.equal(told.body.length, 0, 'Sluice tells nginx where it is')
  const before = (await asked()).length
  await ask(nginx.url, pool)
  t.equal((await asked()).length, before)
})

t.test('machines that use nginx as their proxy get what they ask for', async (t) => {
  const { world, nginx } = await makeBed(t)
  const sources = `deb [signed-by=${world.key.publicAsc}] ${world.upstream.url} stable main`
  const apt = await createApt(join(world.dir, 'proxied'), { sources, proxy: nginx.url })
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello', 'other')), clean)
  t.equal(world.upstream.count(/hello_1_amd64\.deb$/), 1)
})

t.test(
  'nobody else speaks for a client, and nobody finds files of the store by name',
  async (t) => {
    const { world, nginx, laidOut } = await makeBed(t)
    await laidOut()
    const pool = await packageOf(world, 'one')
    await ask(world.sluice.url, pool)
    const [, hh, rest] = /\/pool\/(..)\/([0-9a-f]{62})\//.exec(pool) ?? []
    for (const path of [`/_blob/${hh}/${rest}`, '/sluice.db', '/token', '/blobs/', '/../token']) {
      t.notOk([200, 206].includes((await ask(nginx.url, path)).status), path)
    }
    const spoofed = await ask(world.sluice.url, pool, {
      localAddress: '127.0.0.9',
      headers: { 'X-Forwarded-For': '127.0.0.1' },
    })
    t.equal(spoofed.headers['x-accel-redirect'], undefined)
    t.equal(spoofed.body.length, Number(spoofed.headers['content-length']))
    const api = await ask(nginx.url, '/api/v1/status', {
      localAddress: '127.0.0.8',
      headers: { Authorization: `Bearer ${world.sluice.token}` },
    })
    t.equal(api.status, 403, 'who comes by a front is not on this machine')
  },
)
