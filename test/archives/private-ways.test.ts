/**
 * Archives behind walls: https by a private authority, with a certificate of ours, and by a proxy that leads out; by real
 * TLS of openssl's certificates and a real tinyproxy.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { type Authority, type Certificate, makeAuthority } from '../support/certificates.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'
import { makeWorld, type World } from '../support/world.ts'

const keys = testDir(t)
const authority = await makeAuthority(keys)
const server = await authority.issue('server')
const ours = await authority.issue('client')
const hello = { name: 'hello', version: '1', arch: 'amd64', content: 3000 } as const

interface Wall {
  readonly port: number
  /** Names in the certificates that were shown; undefined where there was none. */
  readonly shown: (string | undefined)[]
}

/** TLS before an http server; with `wants` only for who shows a certificate of it. */
async function startWall(
  t: Test,
  url: string,
  { cert, key }: Certificate,
  wants?: Authority,
): Promise<Wall> {
  const shown: (string | undefined)[] = []
  const options = {
    cert: await readFile(cert),
    key: await readFile(key),
    ca: await readFile((wants ?? authority).cert),
    requestCert: true,
    rejectUnauthorized: wants !== undefined,
  }
  const sockets = new Set<TLSSocket>()
  const wall = createServer(options, (socket) => {
    sockets.add(socket)
    const name: unknown = socket.getPeerCertificate().subject?.CN
    shown.push(typeof name === 'string' ? name : undefined)
    const inner = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => inner.destroy()).on('close', () => inner.destroy())
    inner.on('error', () => socket.destroy()).on('close', () => socket.destroy())
    socket.pipe(inner).pipe(socket)
  })
  wall.on('tlsClientError', () => undefined)
  wall.listen(0, '127.0.0.1')
  await once(wall, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    wall.close()
  })
  const { port } = wall.address() as AddressInfo
  return { port, shown }
}

interface Follower {
  readonly sluice: TestSluice
  /** What is wrong with the archive, after a look at it. */
  problem(): Promise<string | undefined>
}

/** A Sluice with these settings that has the world's archive at another URL. */
async function follow(
  t: Test,
  world: World,
  name: string,
  { url, proxy, ...flags }: Record<string, string>,
): Promise<Follower> {
  const sluice = await startSluice(join(world.dir, name), { flags })
  t.teardown(() => sluice.close())
  const keyring = await readFile(world.key.publicAsc, 'utf8')
  const names = { suites: ['stable'], components: ['main'], architectures: ['amd64'] }
  const added = await sluice.api('POST', '/archives', {
    ...{ name: 'nut', urls: [url], keyring, ...names },
    ...(proxy === undefined ? {} : { proxy }),
  })
  t.equal(added.name, 'nut')
  return {
    sluice,
    problem: async () => {
      await sluice.api('POST', '/archives/refresh')
      return (await sluice.api('GET', '/archives/nut')).suites[0].problem?.message
    },
  }
}

/** The package, as a machine gets it that uses this Sluice as its proxy. */
async function fetchHello(sluice: TestSluice, url: string): Promise<number> {
  const path = url.replace(/^https:\/\//, '/HTTPS///').replace(/^http:\//, '')
  const answer = await fetch(`${sluice.url}${path}/pool/main/h/hello/hello_1_amd64.deb`)
  await answer.arrayBuffer()
  return answer.status
}

t.test('an archive with a certificate by a private authority', async (t) => {
  const world = await makeWorld(t, [hello])
  const { port } = await startWall(t, world.upstream.url, server)
  const url = `https://localhost:${port}`
  const distrustful = await follow(t, world, 'without', { url })
  t.match(await distrustful.problem(), /TLS failure/)
  const { sluice, problem } = await follow(t, world, 'with', { url, 'upstream-ca': authority.cert })
  t.equal(await problem(), undefined)
  t.equal(await fetchHello(sluice, url), 200)
  await t.rejects(startSluice(join(world.dir, 'wrong'), { flags: { 'upstream-ca': server.key } }), {
    code: 'ERR_CONFIG',
    message: /upstream-ca: .* has no certificate in it/,
  })
})

t.test('an archive that wants a certificate of ours, which is shown to no other', async (t) => {
  const world = await makeWorld(t, [hello])
  const wall = await startWall(t, world.upstream.url, server, authority)
  const other = await startWall(t, world.upstream.url, server)
  const url = `https://localhost:${wall.port}`
  const ca = { 'upstream-ca': authority.cert }
  const anonymous = await follow(t, world, 'without', { url, ...ca })
  t.ok(await anonymous.problem(), 'who shows none gets nothing')
  const certs = { 'upstream-certs': `localhost:${wall.port}=${ours.both}` }
  const { sluice, problem } = await follow(t, world, 'with', { url, ...ca, ...certs })
  t.equal(await problem(), undefined)
  t.same([...new Set(wall.shown)], ['client'])
  const renewed = await authority.issue('renewed')
  await rename(renewed.both, ours.both)
  await sluice.server.reload()
  t.equal(await problem(), undefined)
  t.same([...new Set(wall.shown)], ['client', 'renewed'])
  const to = `https://localhost:${other.port}/pool/main/h/hello/hello_1_amd64.deb`
  world.upstream.fault(/hello_1/, { kind: 'redirect', to }, { times: 1 })
  await sluice.api('PATCH', '/archives/nut', {
    urls: [url, `https://localhost:${other.port}`],
  })
  t.equal(await fetchHello(sluice, url), 200)
  t.same(other.shown, [undefined])
})

t.test('a proxy leads to all archives that name none, and not to others', async (t) => {
  const world = await makeWorld(t, [hello])
  const wall = await startWall(t, world.upstream.url, server)
  const proxy = await startTinyproxy(t, world.dir, wall.port)
  const url = `https://localhost:${wall.port}`
  const flags = {
    'upstream-proxy': `http://joe:s3cret@127.0.0.1:${proxy.port}`,
    'upstream-ca': authority.cert,
    'upstream-certs': `localhost:${wall.port}=${ours.both}`,
  }
  const secure = await follow(t, world, 'secure', { url, ...flags })
  t.equal(await secure.problem(), undefined)
  t.equal(await fetchHello(secure.sluice, url), 200)
  t.match(await proxy.log(), `CONNECT localhost:${wall.port}`)
  t.same([...new Set(wall.shown)], ['renewed'], 'also through a tunnel')

  const plain = await follow(t, world, 'plain', { url: world.upstream.url, ...flags })
  t.equal(await plain.problem(), undefined)
  t.equal(await fetchHello(plain.sluice, world.upstream.url), 200)
  t.match(await proxy.log(), `GET ${world.upstream.url}/pool/main/h/hello/hello_1_amd64.deb`)

  const asked = (await proxy.log()).length
  const direct = { url: world.upstream.url, proxy: 'DIRECT', ...flags }
  const { problem } = await follow(t, world, 'direct', direct)
  t.equal(await problem(), undefined)
  t.equal((await proxy.log()).length, asked)

  const wrong = { ...flags, 'upstream-proxy': `http://joe:wrong@127.0.0.1:${proxy.port}` }
  const refused = await follow(t, world, 'refused', { url, ...wrong })
  const said = (await refused.problem()) ?? ''
  t.match(said, `by proxy http://127.0.0.1:${proxy.port}`)
  t.notMatch(said, /joe|wrong/)
})

/** A tinyproxy that lets `joe` through, to this port alone with CONNECT. */
async function startTinyproxy(
  t: Test,
  dir: string,
  connectPort: number,
): Promise<{ readonly port: number; log(): Promise<string> }> {
  const free = createNetServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  free.close()
  await once(free, 'close')
  const [config, log] = [join(dir, 'tinyproxy.conf'), join(dir, 'tinyproxy.log')]
  const lines = ['Listen 127.0.0.1', `Port ${port}`, 'Timeout 60', `LogFile "${log}"`]
  const rules = ['LogLevel Connect', 'Allow 127.0.0.1', 'BasicAuth joe s3cret']
  await writeFile(config, [...lines, ...rules, `ConnectPort ${connectPort}`, ''].join('\n'))
  const child = spawn('tinyproxy', ['-d', '-c', config], { stdio: 'ignore' })
  t.teardown(async () => {
    child.kill()
    await once(child, 'close')
  })
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isThere || child.exitCode !== null) break
  }
  return { port, log: () => readFile(log, 'utf8') }
}
