/**
 * CONNECT, by a real apt and curl with an archive that has https, and by sockets that want more than they are given.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import type { TunnelLimits } from '../../src/server/tunnels.ts'
import { createApt } from '../support/apt.ts'
import { ask, openSocket, sendRaw } from '../support/raw-http.ts'
import { run, runOk } from '../support/run.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }

interface Secure {
  readonly world: World
  /** Of the archive over https: `localhost:PORT`. */
  readonly host: string
  readonly port: number
  /** Of its certificate. */
  readonly cert: string
  /** Resets all connections there. */
  reset(): void
}

/** A world whose archive has https too; settings may name its host. */
async function makeSecure(
  t: Test,
  flags: (port: number) => Record<string, string>,
  tunnels: Partial<TunnelLimits> = {},
): Promise<Secure> {
  const dir = join(t.testdirName, '..', `tls-${process.pid}-${certs++}`)
  await runOk('mkdir', ['-p', dir])
  t.teardown(() => runOk('rm', ['-r', dir]))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  await runOk('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert])
  let root = ''
  const options = { key: await readFile(key), cert: await readFile(cert) }
  const server = createHttpsServer(options, async (request, response) => {
    const data = await readFile(join(root, request.url ?? '')).catch(() => undefined)
    response.writeHead(data === undefined ? 404 : 200).end(data ?? 'not here')
  })
  const ends = new Set<Socket>()
  server.on('connection', (socket: Socket) => ends.add(socket))
  const reset = (): void => {
    for (const socket of ends) socket.resetAndDestroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  t.teardown(() => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  const start = { flags: flags(port), patience: { tunnels } }
  const world = await makeWorld(t, [hello], { start })
  root = join(world.dir, 'archive')
  return { world, host: `localhost:${port}`, port, cert, reset }
}

let certs = 0

t.test('apt and curl reach an archive with https through the proxy', async (t) => {
  const { world, host, cert } = await makeSecure(t, (port) => ({
    'tunnel-hosts': `archives, localhost:${port}`,
  }))
  const { sluice, key, dir } = world
  const apt = await createApt(join(dir, 'secure'), {
    sources: `deb [signed-by=${key.publicAsc}] https://${host} stable main`,
    proxy: sluice.url,
    config: [`Acquire::https::CaInfo "${cert}";`],
  })
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.download('hello')), clean)
  const proxied = ['--silent', '--fail', '--proxy', sluice.url, '--cacert', cert]
  const url = `https://${host}/dists/stable/InRelease`
  const { stdout } = await run('curl', [...proxied, url])
  t.match(stdout, /^-----BEGIN PGP SIGNED MESSAGE-----/)
  const login = ['--proxytunnel', '--proxy-user', 'joe:pw']
  t.equal((await run('curl', [...proxied, ...login, url])).code, 0, 'a login changes nothing')
})

t.test('tunnels lead nowhere else', async (t) => {
  const { world, port } = await makeSecure(t, (port) => ({
    'tunnel-hosts': `archives, other.example:${port}`,
  }))
  const { sluice } = world
  await sluice.api('PATCH', '/archives/nut', {
    urls: [
      world.upstream.url,
      'http://plain.example/x',
      'https://localhost/x',
      `https://127.0.0.1:${port}`,
    ],
  })
  const dig = async (target: string): Promise<{ status: number; said: string }> => {
    const [answer] = await sendRaw(sluice.url, `CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    return { status: answer?.status ?? 0, said: answer?.body.toString() ?? '' }
  }
  const foreign = [
    ...[`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'plain.example:443'],
    ...['localhost:80', 'localhost:22', 'other.example:443', 'x.other.example:443'],
    ...['169.254.169.254:443', new URL(sluice.url).host],
  ]
  for (const target of foreign) {
    const { status, said } = await dig(target)
    t.equal(status, 403, target)
    t.match(said, /tunnels are not open here/, target)
  }
  const inside = await dig('localhost:443')
  t.equal(inside.status, 403, 'an archive with https, but inside')
  t.match(inside.said, /no address of the internet/)
  for (const target of ['localhost', 'http://localhost:443', 'u@localhost:443', ':443', '/', '*']) {
    t.ok([400, 403].includes((await dig(target)).status), target)
  }
  t.equal((await ask(sluice.url, 'GET /healthz HTTP/1.1')).status, 200)
})

t.test('what is reached by a proxy is tunneled by it', async (t) => {
  const { world, port, cert } = await makeSecure(t, () => ({}))
  const { sluice } = world
  const asked: string[] = []
  const proxy = createHttpServer()
  proxy.on('connect', ({ url = '', headers }, client) => {
    asked.push(`${url} ${headers['proxy-authorization']}`)
    client.on('error', () => client.destroy())
    if (url !== 'secure.archive.example:443') {
      client.end('HTTP/1.1 502 No\r\n\r\n')
      return
    }
    const far = connect(port, '127.0.0.1')
    far.on('error', () => client.destroy())
    client.write('HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n')
    client.pipe(far).pipe(client)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  const { port: proxyPort } = proxy.address() as AddressInfo
  await sluice.api('PATCH', '/archives/nut', {
    urls: ['https://secure.archive.example/x', 'https://gone.archive.example/x'],
    proxy: `http://joe:s%40crt@127.0.0.1:${proxyPort}`,
  })
  // Its certificate names localhost.
  const args = ['--silent', '--fail', '--proxy', sluice.url, '--cacert', cert, '--insecure']
  const url = 'https://secure.archive.example/dists/stable/InRelease'
  t.match((await run('curl', [...args, url])).stdout, /^-----BEGIN PGP SIGNED MESSAGE-----/)
  const login = `Basic ${Buffer.from('joe:s@crt').toString('base64')}`
  t.same(asked, [`secure.archive.example:443 ${login}`])
  const target = 'gone.archive.example:443'
  const [refused] = await sendRaw(sluice.url, `CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
  t.match(refused, { status: 503, reason: /by proxy http:\/\/127.*: the proxy answered 502/ })
  t.notMatch(refused?.body.toString(), /joe|crt/)
})

t.test('there are only so many, and none is idle for long', async (t) => {
  const flags = (port: number) => ({ 'tunnel-hosts': `localhost:${port}` })
  const { world, host, reset } = await makeSecure(t, flags, {
    most: 3,
    mostOfOne: 2,
    idleMs: 5000,
  })
  const { sluice } = world
  const line = `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
  const dig = async () => {
    const socket = await openSocket(sluice.url)
    socket.write(line)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const [answer]: Buffer[] = await once(socket, 'data')
    return { socket, closed, said: String(answer) }
  }
  const [first, second, third] = [await dig(), await dig(), await dig()]
  for (const { said } of [first, second]) t.match(said, /^HTTP\/1\.1 200 /)
  t.match(third.said, /^HTTP\/1\.1 503 there are 2 tunnels already/)
  await Promise.all([first.closed, second.closed])
  const again = await dig()
  t.match(again.said, /^HTTP\/1\.1 200 /, 'idle ones ended')

  t.comment('whoever hangs up, early or late, leaves nothing behind')
  for (let at = 0; at < 5; at++) {
    const gone = await openSocket(sluice.url)
    gone.write(line)
    gone.resetAndDestroy()
  }
  again.socket.on('error', () => undefined).resetAndDestroy()
  const late = await dig()
  reset()
  late.socket.on('error', () => undefined).resume()
  await late.closed
  while (!(await dig()).said.startsWith('HTTP/1.1 200 ')) await setImmediate()
})

t.test('nobody digs who is no client', async (t) => {
  const { world, host } = await makeSecure(t, (port) => ({
    'tunnel-hosts': `localhost:${port}`,
    clients: '10.0.0.0/8',
  }))
  const { hostname, port } = new URL(world.sluice.url)
  const socket = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.2' })
  socket.write(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const [answer]: Buffer[] = await once(socket, 'data')
  t.match(String(answer), /^HTTP\/1\.1 403 this address is not one of its clients/)
  socket.destroy()
})

t.test('a server that stops does not wait for them', async (t) => {
  const { world, host } = await makeSecure(t, (port) => ({ 'tunnel-hosts': `localhost:${port}` }))
  const socket = await openSocket(world.sluice.url)
  socket.write(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await once(socket, 'data')
  t.equal(world.sluice.server.active, 1)
  const closed = once(socket, 'close')
  await world.sluice.close()
  await closed
  t.equal(world.sluice.server.active, 0)
})
