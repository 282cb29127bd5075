/**
 * The proxy is no open relay: beside archives it asks nobody, whoever wants it to, neither a machine nor an archive that
 * redirects. A canary stands in for all that lies inside of the network.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { ask, type RawAnswer } from '../support/raw-http.ts'
import { startUpstream, type TestUpstream } from '../support/upstream-server.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }

interface Siege {
  readonly world: World
  readonly canary: TestUpstream
  get(uri: string): Promise<RawAnswer>
}

/** A world with a canary beside it; settings may name its address. */
async function makeSiege(
  t: Test,
  flags: (canary: string) => Record<string, string> = () => ({}),
): Promise<Siege> {
  const cage = join(t.testdirName, 'cage')
  const canary = await startUpstream(cage)
  t.teardown(() => canary.close())
  const world = await makeWorld(t, [hello, other], {
    start: { flags: flags(new URL(canary.url).host) },
  })
  await mkdir(cage, { recursive: true })
  await writeFile(join(cage, 'secret'), 'of the inside\n')
  const get = (uri: string): Promise<RawAnswer> => ask(world.sluice.url, `GET ${uri} HTTP/1.1`)
  return { world, canary, get }
}

t.test('an archive that redirects leads nobody into the network', async (t) => {
  const { world, canary, get } = await makeSiege(t)
  const { upstream } = world
  const { port } = new URL(canary.url)
  const ways = [
    canary.url,
    `http://localhost:${port}`,
    `http://0x7f000001:${port}`,
    `http://[::1]:${port}`,
    `http://[::ffff:127.0.0.1]:${port}`,
    `http://127.1:${port}`,
    'http://169.254.169.254',
    'http://other.example',
  ]
  for (const [at, to] of ways.entries()) {
    upstream.fault(`/project/${at}`, { kind: 'redirect', to: `${to}/secret` })
    const answer = await get(`${upstream.url}/project/${at}`)
    t.equal(answer.status, 403, to)
    t.match(answer.reason, /redirect to .*, which is in no archive of this server/, to)
    t.match(answer.body.toString(), /hint: .*pass-hosts/)
    t.notMatch(answer.body.toString(), /of the inside/)
  }
  t.equal(canary.count(), 0)
  await mkdir(join(world.dir, 'archive/project'))
  await writeFile(join(world.dir, 'archive/project/here'), 'here\n')
  upstream.fault('/project/moved', { kind: 'redirect', to: '/project/here' })
  t.match(await get(`${upstream.url}/project/moved`), { status: 200, body: /^here/ }, 'its own')
  for (let at = 0; at < 8; at++) {
    upstream.fault(`/far${at}`, { kind: 'redirect', to: `/far${at + 1}` })
  }
  t.match(await get(`${upstream.url}/far0`), { status: 503, reason: /more than 5 redirects/ })
})

t.test('so it does with packages, which may come from anywhere else', async (t) => {
  const { world, canary } = await makeSiege(t)
  const { upstream, sluice } = world
  const { port } = new URL(canary.url)
  const apt = await world.proxied('apt')
  t.same(troubles(await apt.update()), clean)
  for (const to of [canary.url, `http://localhost:${port}`, 'http://169.254.169.254']) {
    upstream.clearFaults()
    upstream.fault(/hello_/, { kind: 'redirect', to: `${to}/secret` })
    const { code, output } = await apt.install('hello')
    t.equal(code, 100)
    t.match(output, /no address of the internet, and nobody may be sent there/, to)
  }
  t.equal(canary.count(), 0)

  t.comment('what an administrator named is asked wherever it is')
  const mirror = await startUpstream(join(world.dir, 'archive'))
  t.teardown(() => mirror.close())
  upstream.clearFaults()
  upstream.fault(/hello_/, { kind: 'redirect', to: `${mirror.url}/${poolPath(hello)}` })
  t.equal((await apt.install('hello')).code, 100)
  t.equal(mirror.count(), 0)
  await sluice.api('PATCH', '/archives/nut', { urls: [upstream.url, mirror.url] })
  t.same(troubles(await apt.install('hello')), clean)
  t.equal(mirror.count(), 1)
  await sluice.api('PATCH', '/archives/nut', { urls: [upstream.url] })
  upstream.fault(/other_/, { kind: 'redirect', to: `${mirror.url}/${poolPath(other)}` })
  t.equal((await apt.install('other')).code, 100, 'and no longer than it is named')
})

t.test('hosts that are named are handed through, and nobody beside them', async (t) => {
  const { world, canary, get } = await makeSiege(t, (host) => ({
    'pass-hosts': `${host}, *.archive.example`,
  }))
  const { port, host } = new URL(canary.url)
  for (const uri of [`${canary.url}/secret`, `/${host}/secret?what=ever`]) {
    const answer = await get(uri)
    t.match(answer, { status: 200, headers: { 'x-cache': 'MISS' }, body: /^of the inside/ }, uri)
  }
  t.equal(canary.requests.at(-1)?.target, '/secret?what=ever')
  const inside = await startUpstream(join(world.dir, 'archive'))
  t.teardown(() => inside.close())
  canary.fault('/moved', { kind: 'redirect', to: `${inside.url}/dists/stable/InRelease` })
  t.equal((await get(`${canary.url}/moved`)).status, 403)
  canary.fault('/archive', { kind: 'redirect', to: `${world.upstream.url}/dists/stable/InRelease` })
  t.equal((await get(`${canary.url}/archive`)).status, 200, 'archives are named too')
  t.equal(inside.count(), 0)
  canary.clearRequests()
  for (const uri of [`http://localhost:${port}/secret`, 'http://archive.example/secret']) {
    t.match(await get(uri), { status: 403, reason: /is not in an archive/ }, uri)
  }
  t.equal(canary.count(), 0)
})
