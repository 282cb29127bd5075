/**
 * Archives that nobody told the server of, of all kinds, and machines that come to them in other ways than apt-get update.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { clearSign } from '../../fixtures/signing-key.ts'
import { createApt } from '../support/apt.ts'
import { bootstrap } from '../support/debootstrap.ts'
import { makeLearnedWorld } from '../support/learned-world.ts'
import { run } from '../support/run.ts'
import { clean, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 200_000,
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }
const odd: PackageSpec = { name: 'libg++-dev', version: '1:2.0~rc1+b1-1', arch: 'amd64' }

t.test('archives of other kinds: without dists, without signature, without Release', async (t) => {
  const world = await makeLearnedWorld(t, [hello('1'), other])
  const { archive, upstream } = world
  const flat = join(archive, 'flat/repo')
  await mkdir(flat, { recursive: true })
  await run('cp', [join(archive, poolPath(hello('1'))), flat])
  const scan = async (from: string, args: string[]): Promise<void> => {
    const { stdout, code } = await run('sh', [
      '-c',
      `cd "$1" && apt-ftparchive ${args[0]} > ${args[1]}`,
      'sh',
      from,
    ])
    t.equal(code, 0, stdout)
  }
  await scan(flat, ['packages .', 'Packages'])
  const line = `${upstream.url}/flat/repo ./`
  const bare = await world.machine('bare', line, 'trusted=yes')
  t.equal((await bare.update()).code, 0, 'without Release')
  t.equal((await bare.install('hello')).code, 0)
  await run('gzip', ['-kn', join(flat, 'Packages')])
  await scan(flat, ['release .', '../Release'])
  await run('mv', [join(flat, '../Release'), join(flat, 'Release')])
  for (const name of ['one', 'two']) {
    if (name === 'two') upstream.clearRequests()
    const apt = await world.machine(name, line, 'trusted=yes')
    const { code, output } = await apt.update()
    t.equal(code, 0, output)
    t.equal((await apt.install('hello')).code, 0)
  }
  t.same(
    upstream.requests.filter(({ bytes }) => bytes > 0).map(({ path }) => path),
    [],
    'the second takes nothing',
  )
  const release = await readFile(join(flat, 'Release'), 'utf8')
  await writeFile(join(flat, 'InRelease'), await clearSign(release, [world.key], {}))
  world.clock.advance(2 * 3600_000)
  const signed = await world.machine('signed', line)
  t.same(troubles(await signed.update()), clean)
  t.same(troubles(await signed.install('hello')), clean)
})

t.test('what no index names goes by the rules of HTTP', async (t) => {
  const world = await makeLearnedWorld(t, [hello('1'), other])
  const { archive, upstream, get } = world
  await mkdir(join(archive, 'project/trace'), { recursive: true })
  await writeFile(join(archive, 'project/trace/master'), 'today\n')
  t.equal((await get('project/trace/master')).status, 403, 'before there is an archive')
  await (await world.machine('apt')).update()
  t.match(await get('project/trace/master'), { status: 200, headers: { 'x-cache': 'MISS' } })
  t.match(await get('project/trace/master'), { status: 200, headers: { 'x-cache': 'HIT' } })
  upstream.clearRequests()
  t.equal((await get('dists/stable/main/binary-mips/Packages.xz')).status, 404)
  t.equal(upstream.count(), 0, 'an index that the Release does not name')
  t.match(await get('pool/main/u/unknown/unknown_1_amd64.deb'), { status: 404 })
  await rm(join(archive, 'project'), { recursive: true })
  t.ok((await readdir(join(world.dir, 'var/web'))).length > 0)
})

t.test('a machine that had its indexes before the server knew of them', async (t) => {
  const world = await makeLearnedWorld(t, [hello('1'), other])
  const { upstream, get, sluice } = world
  const direct = await createApt(join(world.dir, 'moved'), {
    sources: `deb [signed-by=${world.key.publicAsc}] ${upstream.url} stable main`,
  })
  t.same(troubles(await direct.update()), clean)
  await writeFile(
    join(direct.dir, 'etc/apt/apt.conf.d/proxy'),
    `Acquire::http::Proxy "${sluice.url}";\n`,
  )
  t.same(troubles(await direct.download('other')), clean, 'it need not update first')
  t.same(troubles(await direct.update()), clean)
  await get(poolPath(hello('1')))
  await until(async () => (await sluice.api('GET', '/learned')).suites[0]?.indexes.length > 0)
  upstream.fault(/hello_/, { kind: 'flip', offset: 150_000 }, { times: 1 })
  world.clock.advance(2 * 3600_000)
  const { code, output } = await direct.install('hello')
  t.equal(code, 0, output)
})

t.test('debootstrap builds from it; the second takes nothing from upstream', async (t) => {
  const world = await makeLearnedWorld(t, [hello('1'), odd])
  const { dir, sluice, upstream, key } = world
  const [keyring, env] = [key.publicGpg, { http_proxy: sluice.url }]
  await bootstrap(t, 'by-proxy', { dir, keyring, url: upstream.url, env })
  upstream.clearRequests()
  await bootstrap(t, 'again', { dir, keyring, url: upstream.url, env })
  const url = `${sluice.url}/${new URL(upstream.url).host}`
  await bootstrap(t, 'by-path', { dir, keyring, url })
  t.equal(upstream.count(), 0)
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10))
}
