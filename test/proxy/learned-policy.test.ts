/**
 * Whom the server asks for archives that nobody named: what the policy lets, never the inside of its network, and nobody
 * for what has not the look of an archive. And whose signature is noted.
 */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { clearSign, makeSigningKey } from '../../fixtures/signing-key.ts'
import { makeLearnedWorld } from '../support/learned-world.ts'
import { runSluice } from '../support/program.ts'
import { ask } from '../support/raw-http.ts'
import { startUpstream } from '../support/upstream-server.ts'
import { clean, troubles } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }
const inRelease = 'dists/stable/InRelease'

t.test('hosts of the inside are not asked, whatever may be learned', async (t) => {
  const world = await makeLearnedWorld(t, [hello], { flags: { 'learn-hosts': 'any' } })
  const { upstream, sluice, get } = world
  const { port } = new URL(upstream.url)
  t.match(await get(inRelease), { status: 403, reason: /is not in an archive/ }, 'another port')
  const hosts = [
    '127.0.0.1',
    'localhost',
    `localhost:${port}`,
    '10.1.2.3',
    '169.254.169.254',
    '[::1]',
    '[::ffff:7f00:1]',
    '0x7f000001',
    'depot',
  ]
  for (const host of hosts) {
    for (const path of [inRelease, 'pool/x_1_all.deb', 'latest/meta-data']) {
      const uri = `http://${host}/${path}`
      const answers = [
        await ask(sluice.url, `GET ${uri} HTTP/1.1`),
        await ask(sluice.url, `GET /HTTPS///${host}/${path} HTTP/1.1`),
      ]
      for (const { status } of answers) t.equal(status, 403, uri)
    }
  }
  t.equal(upstream.count(), 0)
})

t.test('nor where a redirect leads', async (t) => {
  const world = await makeLearnedWorld(t, [hello, other])
  const { upstream, archive, get } = world
  const canary = await startUpstream(archive)
  t.teardown(() => canary.close())
  const to = (path: string) => ({ kind: 'redirect', to: `${canary.url}/${path}` }) as const
  upstream.fault(`/${inRelease}`, to(inRelease))
  t.equal((await get(inRelease)).status, 403)
  upstream.clearFaults()
  const apt = await world.machine('apt')
  t.same(troubles(await apt.update()), clean)
  upstream.fault(/hello/, to(poolPath(hello)))
  t.equal((await apt.install('hello')).code, 100)
  upstream.fault('/project/trace', to(inRelease))
  t.equal((await get('project/trace')).status, 403)
  upstream.fault('/dists/late/InRelease', { kind: 'redirect', to: 'http://169.254.169.254/' })
  t.equal((await get('dists/late/InRelease')).status, 403)
  t.equal(canary.count(), 0)
})

t.test('only what has the look of an archive is asked for, and only while it may be', async (t) => {
  const world = await makeLearnedWorld(t, [hello])
  const { upstream, archive, get } = world
  await mkdir(join(archive, 'private'))
  await writeFile(join(archive, 'private/secret'), 'of the inside\n')
  for (const path of [
    '',
    'private/secret',
    'index.html',
    'private/secret?x=.deb',
    '?dists/a/Release',
  ])
    t.equal((await get(path)).status, 403, path)
  t.equal(upstream.count(), 0)
  upstream.fault('/dists/page/InRelease', { kind: 'html' })
  t.not((await get('dists/page/InRelease')).status, 200, 'a web page is no Release')
  for (const fault of ['chunked', 'no-range'] as const) {
    await mkdir(join(archive, `dists/large-${fault}`))
    await writeFile(
      join(archive, `dists/large-${fault}/InRelease`),
      'Suite: large\n'.repeat(300_000),
    )
    upstream.fault(`/dists/large-${fault}/InRelease`, { kind: fault })
    t.equal((await get(`dists/large-${fault}/InRelease`)).status, 200, 'handed through')
  }
  t.same((await world.sluice.api('GET', '/learned')).suites, [])
  t.equal((await get(inRelease, ['User-Agent: sluice'])).status, 403, 'it would go round')
  t.equal((await get(inRelease)).status, 200)
  upstream.clearRequests()
  await world.restart({ 'learn-hosts': 'none' })
  for (const path of [inRelease, poolPath(hello)])
    t.match(await get(path), { status: 403, reason: /is not in an archive/ }, path)
  await world.restart({ 'learn-hosts': '*.archive.example' })
  t.equal((await get(inRelease)).status, 403)
  t.equal(upstream.count(), 0)
})

t.test('what a machine gets with a login is learned by nobody', async (t) => {
  const world = await makeLearnedWorld(t, [hello])
  const { upstream, get } = world
  const login = `Authorization: Basic ${Buffer.from('joe:pw').toString('base64')}`
  for (const path of [inRelease, poolPath(hello)]) {
    t.equal((await get(path, [login])).status, 200)
    t.ok(upstream.requests.at(-1)?.headers.authorization)
  }
  upstream.fault(/./, { kind: 'status', status: 401 })
  for (const path of [inRelease, poolPath(hello)]) {
    const { status, body } = await get(path)
    t.not(status, 200, path)
    t.notMatch(body.toString(), /Origin: Nut/)
    t.equal(upstream.requests.at(-1)?.headers.authorization, undefined)
  }
})

t.test('a key that is known is held on to', async (t) => {
  const world = await makeLearnedWorld(t, [hello])
  const { archive, clock, get, publish, restart, key, dir } = world
  const keyrings = join(dir, 'keyrings')
  await mkdir(keyrings)
  const other = await makeSigningKey(join(dir, 'other-keys'), 'Else <else@archive.example>')
  await copyFile(other.publicAsc, join(keyrings, 'else.asc'))
  const flags = { 'learn-keyrings': keyrings }
  await restart(flags)
  const learned = async () => (await world.sluice.api('GET', '/learned')).suites
  t.equal((await get(inRelease)).status, 200)
  t.match(await learned(), [{ suite: 'stable', signers: [] }], 'taken for its digests')

  await copyFile(key.publicAsc, join(keyrings, 'up.asc'))
  await restart(flags)
  await publish([hello, { ...hello, name: 'more' }])
  clock.advance(2 * 3600_000)
  const { body } = await get(inRelease)
  t.match(await learned(), [{ signers: [key.fingerprint] }])

  t.comment('neither another key nor altered text takes its place')
  await rm(join(keyrings, 'else.asc'))
  await restart(flags)
  const path = join(archive, inRelease)
  const text = (await readFile(join(archive, 'dists/stable/Release'), 'utf8')).replace('Nut', 'Nat')
  const bad = [
    await clearSign(text, [other]),
    body.toString().replace('Origin: Nut', 'Origin: Nat'),
  ]
  for (const content of bad) {
    await writeFile(path, content)
    clock.advance(2 * 3600_000)
    t.ok((await get(inRelease)).body.equals(body))
    t.match(await learned(), [{ signers: [key.fingerprint], problem: { code: /^ERR_/ } }])
  }
  const { stdout } = await runSluice(['archive', 'list', '--learned', '--data', join(dir, 'var')])
  t.match(stdout, new RegExp(`stable +${key.fingerprint.slice(-16)} .*no good signature`))
})
