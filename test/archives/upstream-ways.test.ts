/** The ways to an archive: redirects and credentials, TLS, and proxies that forward, tunnel or refuse. */
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer, type Server } from 'node:https'
import { type AddressInfo, connect, createServer, type Server as NetServer } from 'node:net'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t, { type Test } from 'tap'
import {
  createUpstream,
  redactUrl,
  type Upstream,
  type UpstreamOptions,
} from '../../src/archives/upstream.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { startUpstream, type TestUpstream } from '../support/upstream-server.ts'

const file = Buffer.alloc(300_000, 'the bytes of a package, ')
const maxBytes = 1_000_000

interface Bed {
  readonly server: TestUpstream
  readonly upstream: Upstream
}

async function makeBed(t: Test, options: UpstreamOptions = {}): Promise<Bed> {
  const root = testDir(t)
  await writeFile(join(root, 'file'), file)
  const server = await startUpstream(root)
  t.teardown(() => server.close())
  return { server, upstream: makeClient(t, options) }
}

function makeClient(t: Test, options: UpstreamOptions): Upstream {
  const upstream = createUpstream(options)
  t.teardown(() => upstream.close())
  return upstream
}

async function bytesOf(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function listen(t: Test, server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

t.test('says in plain words that nobody listens', async (t) => {
  const { upstream } = await makeBed(t)
  const port = await freePort()
  await t.rejects(upstream.get(`http://127.0.0.1:${port}/file`, { maxBytes }, {}), {
    code: 'ERR_UPSTREAM_UNREACHABLE',
    message: /connection refused$/,
    hint: /network/,
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

t.test('sends credentials to the origin that they are for, and shows them nowhere', async (t) => {
  const { upstream, server } = await makeBed(t)
  const other = await makeBed(t, { auth: { login: 'ann', password: 'pass' } })
  const withLogin = server.url.replace('//', '//joe:s%40crt@')
  server.fault('/moved', { kind: 'redirect', to: `${other.server.url}/file` })
  server.fault('/nearby', { kind: 'redirect', to: '/file?sig=s3cret' })
  const far = await upstream.get(`${withLogin}/moved`, { maxBytes }, {})
  await bytesOf(far.body)
  const basic = `Basic ${Buffer.from('joe:s@crt').toString('base64')}`
  t.equal(server.requests[0]?.headers.authorization, basic)
  t.equal(other.server.requests[0]?.headers.authorization, undefined)
  await bytesOf((await upstream.get(`${withLogin}/nearby`, { maxBytes }, {})).body)
  t.equal(server.requests.at(-1)?.headers.authorization, basic)
  await bytesOf((await other.upstream.get(`${other.server.url}/file`, { maxBytes }, {})).body)
  const ann = `Basic ${Buffer.from('ann:pass').toString('base64')}`
  t.equal(other.server.requests.at(-1)?.headers.authorization, ann)
  other.server.fault('/back', { kind: 'redirect', to: `${server.url}/file` })
  await bytesOf((await other.upstream.get(`${other.server.url}/back`, { maxBytes }, {})).body)
  t.equal(server.requests.at(-1)?.headers.authorization, undefined)
  server.fault('/file', { kind: 'status', status: 403 })
  for (const path of ['/none', '/nearby']) {
    const error = await upstream.get(`${withLogin}${path}`, { maxBytes }, {}).catch((e) => e)
    t.equal(error.code, 'ERR_UPSTREAM_STATUS')
    t.notMatch(JSON.stringify([error, error.message, error.details]), /s%40crt|s@crt|joe|s3cret/)
  }
})

t.test('cuts from a URL what must not be seen', async (t) => {
  t.equal(redactUrl('http://a.example/x'), 'http://a.example/x')
  t.equal(redactUrl('https://joe:secret@a.example/x'), 'https://a.example/x')
  t.equal(redactUrl('https://a.example/x?X-Signature=1'), 'https://a.example/x?…')
  t.equal(redactUrl('http://joe:secret@:no-url/x?y'), 'http://:no-url/x?…')
})

/** An HTTPS archive that this process trusts from now on; what it answers is told by `answer`. */
async function startTls(t: Test, answer: Parameters<typeof createHttpsServer>[1]): Promise<Server> {
  const dir = testDir(t)
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  await runOk('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert])
  const pem = await readFile(cert, 'utf8')
  const server = createHttpsServer({ key: await readFile(key), cert: pem }, answer)
  await listen(t, server)
  t.teardown(() => server.closeAllConnections())
  setDefaultCACertificates([...getCACertificates('default'), pem])
  return server
}

function portOf(server: NetServer): number {
  return (server.address() as AddressInfo).port
}

t.test(
  'speaks TLS with an archive that it trusts, and goes nowhere without it again',
  async (t) => {
    const plain = await makeBed(t)
    const tls = await startTls(t, (request, response) => {
      if (request.url === '/file') response.end(file)
      else response.writeHead(302, { Location: `${plain.server.url}/file` }).end()
    })
    const url = `https://localhost:${portOf(tls)}`
    const response = await plain.upstream.get(`${url}/file`, { maxBytes }, {})
    t.ok((await bytesOf(response.body)).equals(file))
    await t.rejects(plain.upstream.get(`${url}/moved`, { maxBytes }, {}), {
      code: 'ERR_UPSTREAM_REDIRECT',
      message: /from https to http$/,
    })
    t.equal(plain.server.count(), 0)
    plain.server.fault('/up', { kind: 'redirect', to: `${url}/file` })
    const upgraded = await plain.upstream.get(`${plain.server.url}/up`, { maxBytes }, {})
    t.ok((await bytesOf(upgraded.body)).equals(file))
  },
)

t.test('names a failure of TLS as such', async (t) => {
  const { upstream, server } = await makeBed(t)
  const tls = await startTls(t, (_request, response) => response.end(file))
  const expected = { code: 'ERR_UPSTREAM_UNREACHABLE', message: /TLS failure/, hint: /clock/ }
  const wrongName = `https://127.0.0.1:${portOf(tls)}/file`
  await t.rejects(upstream.get(wrongName, { maxBytes }, {}), expected)
  const noTls = `${server.url.replace('http:', 'https:')}/file`
  await t.rejects(upstream.get(noTls, { maxBytes }, {}), expected)
})

t.test('gives up on a server that takes the connection and never speaks TLS', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => t.teardown(() => socket.destroy())),
  )
  const upstream = makeClient(t, { connectTimeoutMs: 100 })
  await t.rejects(upstream.get(`https://127.0.0.1:${port}/file`, { maxBytes }, {}), {
    code: 'ERR_UPSTREAM_TIMEOUT',
  })
})

t.test('asks a proxy for an http file by its whole URL, with the login of the proxy', async (t) => {
  const { server } = await makeBed(t)
  const proxy = server.url.replace('//', '//joe:secret@')
  const upstream = makeClient(t, { proxy })
  const response = await upstream.get('http://archive.example/file', { maxBytes }, {})
  t.ok((await bytesOf(response.body)).equals(file))
  t.match(server.requests[0], {
    target: 'http://archive.example/file',
    headers: {
      host: 'archive.example',
      'proxy-authorization': `Basic ${Buffer.from('joe:secret').toString('base64')}`,
    },
  })
  server.fault('/file', { kind: 'status', status: 407 })
  const error = await upstream
    .get('http://archive.example/file', { maxBytes }, {})
    .catch((caught) => caught)
  t.match(error, { code: 'ERR_UPSTREAM_UNREACHABLE', message: /proxy wants a login/ })
  t.notMatch(error.message, /joe|secret/)
})

t.test('asks a proxy for a tunnel to an https archive', async (t) => {
  const tls = await startTls(t, (_request, response) => response.end(file))
  const asked: (string | undefined)[] = []
  const proxy = createHttpServer()
  proxy.on('connect', (request, client) => {
    asked.push(request.url)
    const far = connect(portOf(tls), '127.0.0.1')
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    client.pipe(far).pipe(client)
    for (const end of [client, far]) end.on('error', () => end.destroy())
  })
  const port = await listen(t, proxy)
  const upstream = makeClient(t, { proxy: `http://127.0.0.1:${port}` })
  const url = `https://localhost:${portOf(tls)}/file`
  t.ok((await bytesOf((await upstream.get(url, { maxBytes }, {})).body)).equals(file))
  t.same(asked, [`localhost:${portOf(tls)}`])
})

t.test('says that it was the proxy which refused a tunnel, or did not answer', async (t) => {
  const answers: Record<string, string> = {
    'no.example:443': 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n',
  }
  const proxy = createHttpServer()
  proxy.on('connect', ({ url }, client) => {
    client.on('error', () => client.destroy())
    t.teardown(() => client.destroy())
    if (url === 'bye.example:443') client.destroy()
    else client.write(answers[url ?? ''] ?? '')
  })
  const port = await listen(t, proxy)
  const upstream = makeClient(t, { proxy: `http://127.0.0.1:${port}`, firstByteTimeoutMs: 2000 })
  const get = (host: string) => upstream.get(`https://${host}/file`, { maxBytes }, {})
  const code = 'ERR_UPSTREAM_UNREACHABLE'
  await t.rejects(get('no.example'), { code, message: /the proxy refused .*\(by proxy http/ })
  await t.rejects(get('bye.example'), { code, message: /the proxy closed the connection/ })
  await t.rejects(get('hang.example'), { code: 'ERR_UPSTREAM_TIMEOUT' })
  t.throws(() => createUpstream({ proxy: 'proxy.example' }), { code: 'ERR_CONFIG' })
})
