/**
 * Archives that want a login: Sluice has it, and machines get such an archive's files by the proxy only with the same.
 * Logins are never passed on to others, and never shown.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { type AptRun, createApt } from '../support/apt.ts'
import { ask } from '../support/raw-http.ts'
import { run } from '../support/run.ts'
import { startUpstream, type TestUpstream } from '../support/upstream-server.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }
const basic = (login: string): string =>
  `Authorization: Basic ${Buffer.from(login).toString('base64')}`

/** A world whose archive is below `/paid` with a login, and a host beside that is handed through. */
async function makePaid(t: Test): Promise<{ world: World; keys: TestUpstream }> {
  const dir = join(t.testdirName, 'keys')
  const keys = await startUpstream(dir)
  t.teardown(() => keys.close())
  const flags = { 'pass-hosts': new URL(keys.url).host }
  const world = await makeWorld(t, [hello], { start: { flags } })
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'file'), 'some file\n')
  const urls = [world.upstream.url.replace('//', '//joe:s%40crt@'), 'http://open.example/nut']
  await world.sluice.api('PATCH', '/archives/nut', { urls })
  return { world, keys }
}

t.test('a machine presents the login of the archive as it would there', async (t) => {
  const { world } = await makePaid(t)
  const { sluice, upstream, key, dir } = world
  const authority = new URL(upstream.url).host
  const machine = async (
    name: string,
    uri: string,
    auth: string,
    proxy?: string,
  ): Promise<AptRun> => {
    const home = join(dir, name)
    const sources = `deb [signed-by=${key.publicAsc}] ${uri} stable main`
    const apt = await createApt(home, { sources, ...(proxy === undefined ? {} : { proxy }) })
    await writeFile(join(home, 'etc/apt/auth.conf.d/archive.conf'), auth)
    const update = await apt.update()
    return update.code === 0 ? apt.download('hello') : update
  }
  const auth = `machine ${upstream.url} login joe password s@crt\n`
  t.same(troubles(await machine('proxy', upstream.url, auth, sluice.url)), clean)
  const embedded = upstream.url.replace('//', '//joe:s%40crt@')
  t.equal((await machine('in-url', embedded, '', sluice.url)).code, 0)
  const path = `${sluice.url}/${authority}`
  const own = `machine ${path} login joe password s@crt\n`
  t.same(troubles(await machine('path', path, own)), clean)
  upstream.clearRequests()
  const wrong = auth.replace('s@crt', 'guess')
  for (const [name, line] of Object.entries({ none: '', wrong })) {
    const { code, output } = await machine(name, upstream.url, line, sluice.url)
    t.equal(code, 100, name)
    t.match(output, /401 +127.* is in an archive that wants its login/, name)
  }
  t.equal((await machine('bare-path', path, '')).code, 100)
  t.equal(upstream.count(), 0)

  t.comment('at its other URL it wants none, and a channel wants none')
  t.same(troubles(await machine('open', 'http://open.example/nut', '', sluice.url)), clean)
  const onChannel = await world.machine('channel', 'approved')
  t.same(troubles(await onChannel.update()), clean)
  t.same(troubles(await onChannel.install('hello')), clean)
})

t.test('curl is told, and whatever it presents goes nowhere else', async (t) => {
  const { world, keys } = await makePaid(t)
  const { sluice, upstream, dir } = world
  const authority = new URL(upstream.url).host
  const deb = poolPath(hello)
  const ways = [
    ['--proxy', sluice.url, `${upstream.url}/${deb}`],
    [`${sluice.url}/${authority}/${deb}`],
  ]
  for (const way of ways) {
    const refused = await run('curl', ['--silent', '--include', ...way])
    t.match(refused.stdout, /^HTTP\/1\.1 401 /)
    t.match(refused.stdout, /^WWW-Authenticate: Basic realm=/im)
    t.notMatch(refused.stdout, /joe|s@crt|s%40crt/)
    const args = ['--silent', '--fail', '--user', 'joe:s@crt', '--output', join(dir, 'got'), ...way]
    t.equal((await run('curl', args)).code, 0)
    const bytes = await readFile(join(dir, 'archive', deb))
    t.ok((await readFile(join(dir, 'got'))).equals(bytes))
  }
  await mkdir(join(dir, 'archive/project'))
  await writeFile(join(dir, 'archive/project/trace'), 'today\n')
  const trace = `GET ${upstream.url}/project/trace HTTP/1.1`
  t.equal((await ask(sluice.url, trace)).status, 401, 'what is handed through, too')
  upstream.fault('/project/trace', { kind: 'redirect', to: `${keys.url}/file` })
  t.equal((await ask(sluice.url, trace, [basic('joe:s@crt')])).status, 200)
  t.equal(keys.requests.at(-1)?.headers.authorization, undefined, 'not where a redirect leads')
})

t.test('a login for a host that is handed through is presented there only', async (t) => {
  const { world, keys } = await makePaid(t)
  const { sluice, upstream } = world
  const login = `Basic ${Buffer.from('ann:pw').toString('base64')}`
  const embedded = keys.url.replace('//', '//ann:pw@')
  for (const uri of [`${embedded}/file`, `${keys.url}/file`]) {
    const headers = uri.includes('@') ? [] : [basic('ann:pw')]
    t.equal((await ask(sluice.url, `GET ${uri} HTTP/1.1`, headers)).status, 200)
    t.equal(keys.requests.at(-1)?.headers.authorization, login)
    t.equal(keys.requests.at(-1)?.target, '/file')
  }
  keys.fault('/moved', { kind: 'redirect', to: `${upstream.url}/dists/stable/InRelease` })
  upstream.clearRequests()
  await ask(sluice.url, `GET ${keys.url}/moved HTTP/1.1`, [basic('ann:pw')])
  t.equal(upstream.requests.at(-1)?.headers.authorization, undefined)
  const foreign = await ask(sluice.url, 'GET http://ann:pw@other.example/x HTTP/1.1')
  t.equal(foreign.status, 403)
  t.notMatch(foreign.body.toString(), /ann|pw@/)
})
