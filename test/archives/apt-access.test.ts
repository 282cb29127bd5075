/** Proxies and logins, judged by what a real apt with the same files asks of whom. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readAptSetup } from '../../src/archives/apt-sources.ts'
import { createApt, type TestApt } from '../support/apt.ts'
import { testDir } from '../support/test-dir.ts'
import { startUpstream, type TestRequest, type TestUpstream } from '../support/upstream-server.ts'

interface Machine {
  readonly apt: TestApt
  readonly upstream: TestUpstream
  readonly proxy: TestUpstream
}

/** An apt that can ask an upstream, or a proxy; both have nothing. */
async function makeMachine(t: Test, config: (machine: Omit<Machine, 'apt'>) => string) {
  const dir = testDir(t, { empty: {} })
  const upstream = await startUpstream(join(dir, 'empty'))
  const proxy = await startUpstream(join(dir, 'empty'))
  t.teardown(() => Promise.all([upstream.close(), proxy.close()]))
  const options = ['-o', 'Acquire::Retries=0']
  const apt = await createApt(join(dir, 'apt'), { sources: '', options })
  await writeFile(join(apt.dir, 'etc/apt/apt.conf.d/10'), config({ upstream, proxy }))
  return { apt, upstream, proxy }
}

/** Updates from `uri` alone; the first request that came, and to whom. */
async function ask({ apt, upstream, proxy }: Machine, uri: string) {
  await apt.setSources(`deb [trusted=yes] ${uri} s c`)
  await apt.update()
  const [direct] = upstream.requests
  const [proxied] = proxy.requests
  upstream.clearRequests()
  proxy.clearRequests()
  if (direct !== undefined) return { way: 'direct', request: direct }
  return { way: proxied === undefined ? 'none' : 'proxy', request: proxied }
}

/** The login of an Authorization or Proxy-Authorization header. */
function loginIn(header: string | undefined): string | undefined {
  const encoded = /^Basic (.*)$/.exec(header ?? '')?.[1]
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString()
}

function proxyLogin(request: TestRequest | undefined): string | undefined {
  return loginIn(request?.headers['proxy-authorization'])
}

function portOf(server: TestUpstream): string {
  return new URL(server.url).port
}

t.test('the proxy is the one that apt goes through, for each host', async (t) => {
  const machine = await makeMachine(
    t,
    ({ proxy }) =>
      `Acquire::http::Proxy "${proxy.url}/"; Acquire::HTTP::proxy::LOCALHOST "DIRECT";`,
  )
  const { proxyFor } = await readAptSetup(machine.apt.dir)
  const at = `127.0.0.1:${portOf(machine.upstream)}`
  for (const [uri, way] of [
    [`http://${at}/debian`, 'proxy'],
    ['http://archive.example/debian', 'proxy'],
    [`http://localhost:${portOf(machine.upstream)}/debian`, 'direct'],
  ] as const) {
    t.equal((await ask(machine, uri)).way, way, uri)
    t.equal(proxyFor(uri), way === 'proxy' ? machine.proxy.url : undefined, uri)
  }
  t.equal(proxyFor('https://archive.example/x'), machine.proxy.url, 'https takes that of http')
})

t.test('one host may have a proxy where all else goes the direct way', async (t) => {
  const machine = await makeMachine(
    t,
    ({ proxy }) => `Acquire::http::Proxy::localhost "${proxy.url}"; Acquire::http::Proxy "DIRECT";`,
  )
  const { proxyFor } = await readAptSetup(machine.apt.dir)
  for (const [host, way] of [
    ['localhost', 'proxy'],
    ['127.0.0.1', 'direct'],
  ] as const) {
    const uri = `http://${host}:${portOf(machine.upstream)}/debian`
    t.equal((await ask(machine, uri)).way, way, uri)
    t.equal(proxyFor(uri), way === 'proxy' ? machine.proxy.url : undefined, uri)
  }
})

t.test('https has a word of its own', async (t) => {
  const { apt } = await makeMachine(
    t,
    () => 'Acquire { http::Proxy "http://p.example:1"; https::Proxy "DIRECT"; };',
  )
  const { proxyFor } = await readAptSetup(apt.dir)
  t.equal(proxyFor('http://archive.example'), 'http://p.example:1')
  t.equal(proxyFor('https://archive.example'), undefined)
})

t.test('the login of a proxy comes from its URL or from auth.conf', async (t) => {
  const machine = await makeMachine(t, ({ proxy }) => `Acquire::http::Proxy "${proxy.url}";`)
  const auth = `machine http://127.0.0.1:${portOf(machine.proxy)} login squid password c@lamari`
  await writeFile(join(machine.apt.dir, 'etc/apt/auth.conf'), `${auth}\n`)
  const { request } = await ask(machine, 'http://archive.example/debian')
  t.equal(proxyLogin(request), 'squid:c@lamari')
  const { proxyFor } = await readAptSetup(machine.apt.dir)
  const own = machine.proxy.url.replace('//', '//squid:c%40lamari@')
  t.equal(proxyFor('http://archive.example/debian'), own)
})

t.test('the environment counts where apt.conf is silent', async (t) => {
  const { apt } = await makeMachine(t, () => '')
  const environment = {
    http_proxy: 'http://env.example:3128/',
    https_proxy: 'http://envs.example:3128',
    no_proxy: 'localhost, .corp.example',
  }
  const { proxyFor } = await readAptSetup(apt.dir, { environment })
  t.equal(proxyFor('http://archive.example'), 'http://env.example:3128')
  t.equal(proxyFor('https://archive.example'), 'http://envs.example:3128')
  t.equal(proxyFor('http://localhost/x'), undefined)
  t.equal(proxyFor('http://apt.corp.example/x'), undefined)
  t.equal(proxyFor('http://notcorp.example/x'), 'http://env.example:3128')
  t.equal((await readAptSetup(apt.dir)).proxyFor('http://archive.example'), undefined)
})

t.test(
  'a source behind a proxy that Sluice cannot use is left out, and so is auto-detection',
  async (t) => {
    const { apt } = await makeMachine(
      t,
      () => `Acquire::http { Proxy "socks5h://tor.example:9050"; Proxy::a.example "DIRECT"; };
           Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";`,
    )
    await apt.setSources('deb http://a.example/x s c\ndeb http://b.example/x s c')
    const setup = await readAptSetup(apt.dir)
    t.same(
      setup.sources.map(({ uri }) => uri),
      ['http://a.example/x'],
    )
    t.match(setup.leftOut, [
      { what: 'Acquire::http::Proxy-Auto-Detect', reason: /asks no program/ },
      { what: /^deb http:\/\/b\.example\/x s/, reason: /proxy of socks5h:/ },
    ])
  },
)

t.test('logins are those that apt sends, by host, port and path', async (t) => {
  const machine = await makeMachine(t, () => '')
  const port = portOf(machine.upstream)
  const parts = join(machine.apt.dir, 'etc/apt/auth.conf.d')
  await mkdir(parts, { recursive: true })
  await writeFile(
    join(machine.apt.dir, 'etc/apt/auth.conf'),
    `machine http://127.0.0.1:${port}/ubuntu login wrong password path
machine http://127.0.0.1:1 login wrong password port
machine 127.0.0.1 login wrong password https-only
machine http://127.0.0.1:${port}/deb
  login one
  account ignored password "p#1"
machine http://other.example login wrong password host
`,
  )
  await writeFile(join(parts, '50-more.conf'), 'machine http://localhost login two password p2\n')
  await writeFile(join(parts, '60-late.conf'), 'machine http://localhost login late password p3\n')
  await writeFile(join(parts, '70.conf.bak'), 'machine http://127.0.0.1 login backup password p4\n')
  const { authFor } = await readAptSetup(machine.apt.dir)
  for (const uri of [
    `http://127.0.0.1:${port}/debian`,
    `http://127.0.0.1:${port}/deb`,
    `http://127.0.0.1:${port}/ubuntu/x`,
    `http://127.0.0.1:${port}/other`,
    `http://localhost:${port}/debian`,
  ]) {
    const { request } = await ask(machine, uri)
    const found = authFor(uri)
    const sent = loginIn(request?.headers.authorization)
    t.equal(found && `${found.login}:${found.password}`, sent, uri)
  }
  t.match(authFor(`http://127.0.0.1:${port}/debian`), { login: 'one', password: '"p#1"' })
  t.match(authFor('https://127.0.0.1/x'), { login: 'wrong', password: 'https-only' })
  t.equal(authFor('http://127.0.0.1.example/deb'), undefined)
})

t.test('a login in the URI of a source is kept apart from it', async (t) => {
  const machine = await makeMachine(t, () => '')
  const host = `127.0.0.1:${portOf(machine.upstream)}`
  const { request } = await ask(machine, `http://me:s%2541cret@${host}/debian`)
  await machine.apt.setSources(`deb http://me:s%2541cret@${host}/debian s c`)
  const setup = await readAptSetup(machine.apt.dir)
  t.same(
    setup.sources.map(({ uri }) => uri),
    [`http://${host}/debian`],
  )
  const login = setup.authFor(`http://${host}/debian`)
  t.equal(login && `${login.login}:${login.password}`, loginIn(request?.headers.authorization))
  t.equal(setup.authFor(`http://${host}/debian-security`), undefined)
  t.notMatch(JSON.stringify(setup), 'cret')
})
