/** Settings: which place wins, and what is said of wrong ones. */
import t from 'tap'
import { type Config, parseConfig, type RawConfig } from '../../src/base/config.ts'
import { AppError } from '../../src/base/errors.ts'
import { matchesHost } from '../../src/base/host-patterns.ts'

function parse(raw: Partial<RawConfig>): Config {
  return parseConfig({ flags: {}, env: {}, ...raw })
}

function problemsOf(raw: Partial<RawConfig>): string[] {
  try {
    parse(raw)
  } catch (error) {
    if (error instanceof AppError && error.code === 'ERR_CONFIG') {
      const problems = error.details?.problems
      return Array.isArray(problems) ? problems.map(String) : []
    }
    throw error
  }
  return []
}

t.test('without a word all settings have their defaults', async (t) => {
  t.match(parse({}), {
    dataDir: './var',
    listen: { host: '::', port: 3142 },
    publicUrl: undefined,
    importSources: true,
    refreshMinutes: 60,
    retainGenerations: 100,
    retainDays: 30,
    apiRemote: false,
    logLevel: 'warn',
  })
  t.ok(parse({}).clients.includes('10.0.0.0/8'))
  t.notOk(parse({}).clients.includes('0.0.0.0/0'))
})

t.test('a flag wins over a variable, and a variable over the file', async (t) => {
  const toml = 'refresh-minutes = 5\nlisten = ":1111"\npublic-url = "http://file.example/"\n'
  const env = { SLUICE_LISTEN: ':2222', SLUICE_REFRESH_MINUTES: '7', SLUICE_PUBLIC_URL: '' }
  const config = parse({ flags: { 'refresh-minutes': '9' }, env, toml })
  t.equal(config.refreshMinutes, 9)
  t.same(config.listen, { host: '::', port: 2222 })
  t.equal(config.publicUrl, 'http://file.example', 'an empty variable says nothing')
})

t.test('the data directory comes from the flag, the variable, or is ./var', async (t) => {
  const env = { SLUICE_DATA: '/srv/sluice' }
  t.equal(parse({ flags: { data: '/flag' }, env }).dataDir, '/flag')
  t.equal(parse({ env }).dataDir, '/srv/sluice')
})

t.test('what to listen on is read in all its forms', async (t) => {
  const read = (listen: string) => parse({ flags: { listen } }).listen
  t.same(read('192.0.2.1:80'), { host: '192.0.2.1', port: 80 })
  t.same(read('[::1]:3142'), { host: '::1', port: 3142 })
  t.same(read('0.0.0.0:3142'), { host: '0.0.0.0', port: 3142 }, 'of IPv4 alone')
  t.same(read(':0'), { host: '::', port: 0 })
  t.same(read('8080'), { host: '::', port: 8080 })
  t.same(read('apt.example:8080'), { host: 'apt.example', port: 8080 })
  t.same(parse({ toml: 'listen = 8080' }).listen, { host: '::', port: 8080 })
  for (const listen of ['', 'host', '::1:3142', 'a b:1', ':65536', '-1', 'host:']) {
    t.match(problemsOf({ flags: { listen } }), [/^listen: .* is not HOST:PORT/], listen)
  }
})

t.test('who is served: networks, and the words private and any', async (t) => {
  const read = (clients: string) => parse({ flags: { clients } }).clients
  t.same(read('192.0.2.0/24, 2001:db8::/32'), ['192.0.2.0/24', '2001:db8::/32'])
  t.same(read('192.0.2.7'), ['192.0.2.7/32'])
  t.same(read('any'), ['0.0.0.0/0', '::/0'])
  t.same(read('private,10.0.0.0/8'), parse({}).clients, 'each once')
  t.same(parse({ toml: 'clients = ["private", "192.0.2.0/24"]' }).clients.at(-1), '192.0.2.0/24')
  for (const clients of ['192.0.2.0/33', '::/129', 'everybody', '192.0.2.0/24/1', ' ']) {
    t.match(problemsOf({ flags: { clients } }), [/^clients: /], clients)
  }
})

t.test('hosts are read as they are compared, and never all of them', async (t) => {
  const read = (hosts: string) => parse({ flags: { 'pass-hosts': hosts } }).passHosts
  t.same(parse({}).passHosts, [])
  t.same(read('none'), [])
  t.same(read('Keys.Archive.example., *.example.org:8080 [::1]:80'), [
    'keys.archive.example',
    '*.example.org:8080',
    '[::1]',
  ])
  t.same(parse({ toml: 'pass-hosts = ["a.example"]' }).passHosts, ['a.example'])
  for (const hosts of ['*', '*.', '*.*.example', 'a*.example', 'http://a.example', 'a/b', 'u@a']) {
    t.match(
      problemsOf({ flags: { 'pass-hosts': hosts } }),
      [/^pass-hosts: .* is not a host/],
      hosts,
    )
  }
  const tunnels = (hosts: string) => parse({ flags: { 'tunnel-hosts': hosts } }).tunnelHosts
  t.same(parse({}).tunnelHosts, ['archives'])
  t.same(tunnels('none'), [])
  t.same(tunnels('archives a.example:443,a.example:80'), ['archives', 'a.example', 'a.example:80'])
  t.match(problemsOf({ flags: { 'tunnel-hosts': '*.archives' } }), [/^tunnel-hosts: /])
  const patterns = read('a.example,*.b.example')
  t.ok(matchesHost(patterns, 'a.example') && matchesHost(patterns, 'x.y.b.example'))
  for (const host of ['b.example', 'xb.example', 'x.a.example', 'a.example:8080', 'x.b.example:1'])
    t.notOk(matchesHost(patterns, host), host)
})

t.test('all that is wrong is told at once, with its key and its place', async (t) => {
  const toml = 'refresh-minuts = 5\nlog-level = "loud"\nimport = "perhaps"\n'
  const env = { SLUICE_PUBLIC_URL: 'ftp://x', SLUICE_API_REMOTE: '2' }
  const problems = problemsOf({ flags: { listen: 'x', 'refresh-minutes': '0' }, env, toml })
  t.match(problems.sort(), [
    /^api-remote: "2" is not true or false \(SLUICE_API_REMOTE\)$/,
    /^import: "perhaps" is not true or false \(sluice.toml\)$/,
    /^listen: "x" is not .* \(--listen\)$/,
    /^log-level: "loud" is not one of .* \(sluice.toml\)$/,
    /^public-url: "ftp:\/\/x" is not a URL .* \(SLUICE_PUBLIC_URL\)$/,
    /^refresh-minutes: "0" is not minutes from 1 to 10080 \(--refresh-minutes\)$/,
    /^refresh-minuts: no such setting \(sluice.toml\); there are listen, /,
  ])
})

t.test('a public URL with a user, a query or a fragment is refused', async (t) => {
  for (const url of ['http://u:p@x/', 'http://x/?a', 'http://x/#a', 'x', '']) {
    const toml = `public-url = ${JSON.stringify(url)}`
    t.match(problemsOf({ toml }), [/^public-url: /], url)
  }
  t.equal(
    parse({ toml: 'public-url = "https://x.example/apt//"' }).publicUrl,
    'https://x.example/apt',
  )
})

t.test('a mail server is read without user and password, which are never said again', async (t) => {
  const read = (server: string) => parse({ flags: { 'mail-server': server } }).mailServer
  t.same(read('smtp://mail.example'), { scheme: 'smtp', host: 'mail.example', port: 25 })
  t.same(read('smtps://mail.example/'), { scheme: 'smtps', host: 'mail.example', port: 465 })
  t.same(read('smtp://[::1]:2525'), { scheme: 'smtp', host: '::1', port: 2525 })
  for (const server of ['mail.example', 'http://x', 'smtp://u:geheim@x', 'smtp://x:0', 'smtp://']) {
    const problems = problemsOf({ flags: { 'mail-server': server } })
    t.match(problems, [/^mail-server: this is not a mail server like /], server)
    t.notMatch(problems.join(), 'geheim')
  }
  t.equal(parse({ toml: 'mail-from = "sluice@example.org"' }).mailFrom, 'sluice@example.org')
  for (const from of ['x', 'a@b\r\nBcc: c@d', 'a b@c', 'A <a@b>', 'a@b,c@d', 'a@b.']) {
    t.match(
      problemsOf({ flags: { 'mail-from': from } }),
      [/^mail-from: .* is not an address/],
      from,
    )
  }
  t.match(problemsOf({ toml: 'mail-login-file = "x"' }), [/the whole path of a file/])
})

t.test('a file that is no TOML is told with its line', async (t) => {
  t.match(problemsOf({ toml: 'listen = ":1"\nclients = [\n' }), [/^sluice.toml: .* in line \d+$/])
})

t.test('settings cannot be changed, not even deep inside', async (t) => {
  const config = parse({})
  t.throws(() => Object.assign(config, { refreshMinutes: 1 }), TypeError)
  t.throws(() => Object.assign(config.listen, { port: 1 }), TypeError)
  t.throws(() => Object.assign(config.clients, { 0: 'any' }), TypeError)
})

t.test(
  'what is promised to clients cannot be kept for less than ten generations and ten days',
  async (t) => {
    t.equal(parse({ toml: 'retain-days = 10' }).retainDays, 10)
    for (const said of ['9', '0', '-1', '10.5', 'many', '']) {
      const problems = problemsOf({ flags: { 'retain-generations': said, 'retain-days': said } })
      t.match(problems, [
        /^retain-generations: ".*" is not a whole number from 10 to /,
        /^retain-days: /,
      ])
    }
  },
)
