/**
 * Source packages in channels: apt-get source takes them from testing and from approved, each as the channel has them.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { type SourceSpec, sourceDirectory } from '../../fixtures/source-packages.ts'
import type { TestApt } from '../support/apt.ts'
import { bodyOf, listedFiles, stanzasOf } from '../support/odd-world.ts'
import type { RunResult } from '../support/run.ts'
import { clean, makeWorld, troubles, type World, type WorldOptions } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }
const sourceOf = ({ name, version }: PackageSpec, more: Partial<SourceSpec> = {}): SourceSpec => ({
  name,
  version,
  ...more,
})
const old = hello('1:1.0-1')
const fresh = hello('1:2.0~rc1-1')
const withSources: WorldOptions = { settings: { sources: true } }

function publishing(...packages: readonly PackageSpec[]): Required<WorldOptions>['publish'] {
  return { sources: packages.map((one) => sourceOf(one, { isSigned: true })) }
}

/** A machine with a line for sources, too. */
async function developer(world: World, name: string, channel: string): Promise<TestApt> {
  const apt = await world.machine(name, channel)
  const key = join(apt.dir, 'sluice.asc')
  const line = `[signed-by=${key}] ${world.sluice.url}/channels/${channel}/nut stable main`
  await apt.setSources(`deb ${line}\ndeb-src ${line}`)
  return apt
}

/** `apt-get source` in an empty directory, whose path comes with the result. */
async function source(apt: TestApt, ...args: string[]): Promise<RunResult & { dir: string }> {
  const dir = join(apt.dir, `source-${args.join('-').replaceAll(/[^a-z0-9.-]+/g, '_')}`)
  await mkdir(dir)
  const script = ['-c', `cd ${dir} && exec apt-get source "$@"`, 'sh', ...args]
  return { ...(await apt.run('sh', script)), dir }
}

async function promote(world: World, ...names: string[]): Promise<{ changes: object[] }> {
  const sources = names.map((name) => ({ name }))
  const answer = await world.sluice.api('POST', '/promotions', {
    from: 'testing',
    to: 'approved',
    ...(names.length === 0 ? { all: true } : { sources }),
  })
  if (answer.error !== undefined) throw new Error(JSON.stringify(answer.error))
  return answer
}

/** The index of sources that a channel serves. */
async function sourcesOf({ sluice }: World, channel: string): Promise<Map<string, string>[]> {
  const url = `${sluice.url}/channels/${channel}/nut/dists/stable/main/source/Sources.gz`
  return stanzasOf(gunzipSync(await bodyOf(url)).toString())
}

t.test('apt-get source takes from each channel what it has', async (t) => {
  const world = await makeWorld(t, [old, other], {
    ...withSources,
    publish: publishing(old, other),
  })
  await world.publish([fresh, other], publishing(fresh, other))
  await world.sluice.api('POST', '/archives/refresh')
  const testing = await developer(world, 'testing', 'testing')
  const approved = await developer(world, 'approved', 'approved')
  for (const [apt, upstream, debian] of [
    [testing, '2.0~rc1', '2.0~rc1-1'],
    [approved, '1.0', '1.0-1'],
  ] as const) {
    t.same(troubles(await apt.update()), clean)
    const { code, stdout, stderr, dir } = await source(apt, 'hello')
    t.equal(code, 0, stdout + stderr)
    t.notMatch(stdout + stderr, /^[WE]: /m)
    const files = [
      `hello-${upstream}`,
      `hello_${debian}.debian.tar.xz`,
      `hello_${debian}.dsc`,
      `hello_${upstream}.orig.tar.xz`,
      `hello_${upstream}.orig.tar.xz.asc`,
    ]
    t.same((await readdir(dir)).sort(), files.sort())
    t.equal(await readFile(join(dir, `hello-${upstream}/about`), 'utf8'), `hello ${upstream}\n`)
    for (const file of files.filter((name) => name !== `hello-${upstream}`)) {
      const upstreams = join(world.dir, 'archive', sourceDirectory(sourceOf(old)), file)
      t.ok((await readFile(join(dir, file))).equals(await readFile(upstreams)), file)
    }
  }
  const native = await source(testing, '--download-only', 'other')
  t.equal(native.code, 0, native.stderr)
  t.same((await readdir(native.dir)).sort(), ['other_1.dsc', 'other_1.tar.xz'])
})

t.test('promotion takes the source package with its binaries, files fetched before', async (t) => {
  const world = await makeWorld(t, [old, other], {
    ...withSources,
    publish: publishing(old, other),
  })
  await world.publish([fresh, other], publishing(fresh, other))
  await world.sluice.api('POST', '/archives/refresh')
  const waits = { source: 'hello', old: [old.version], new: [fresh.version], binaries: 1 }
  t.match((await world.sluice.api('GET', '/pending')).pending, [waits])
  t.equal(world.upstream.count(/hello_2\.0.*(dsc|xz|asc)$/), 0)
  const promoted = await promote(world, 'hello')
  t.match(promoted, {
    changes: [{ source: 'hello', old: [old.version], new: [fresh.version] }],
    files: { count: 5 },
  })
  t.equal(world.upstream.count(/hello_2\.0.*(dsc|xz|asc)$/), 4, 'one request for each file')
  await world.upstream.close()
  const apt = await developer(world, 'approved', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.equal((await source(apt, 'hello')).code, 0, 'upstream is not needed any more')
  t.same((await world.sluice.api('GET', '/pending')).pending, [])
  t.same((await world.sluice.api('GET', '/diff?from=testing&to=approved')).changes, [])
  t.match(await world.sluice.api('GET', '/search?name=hello'), [
    { channel: 'testing', architecture: 'amd64' },
    { channel: 'testing', architecture: 'source', version: fresh.version },
    { channel: 'approved', architecture: 'amd64' },
    { channel: 'approved', architecture: 'source', version: fresh.version },
  ])
  t.same((await world.sluice.api('POST', '/verify', { deep: true })).problems, [])
})

t.test('what puts a machine on a channel names its sources', async (t) => {
  const world = await makeWorld(t, [old], { ...withSources, publish: publishing(old) })
  const { setup } = await world.sluice.api('GET', '/channels/approved')
  t.match(setup.sources, /^Types: deb deb-src$/m)
  const apt = await world.machine('apt', 'approved')
  const key = join(apt.dir, 'sluice.asc')
  for (const text of [setup.sources, setup.oneLine.join('\n')]) {
    const sources = text.replaceAll(setup.keyPath, key)
    await apt.setSources(sources)
    t.same(troubles(await apt.update()), clean)
    t.match((await apt.run('apt-cache', ['showsrc', 'hello'])).stdout, /^Version: 1:1\.0-1$/m)
  }
})

t.test('a machine whose proxy this is gets sources through it, kept and verified', async (t) => {
  const world = await makeWorld(t, [old, other], {
    ...withSources,
    publish: { ...publishing(old, other), translations: true },
  })
  const asked = (): number => world.upstream.count(/hello_1\.0.*(dsc|xz|asc)$/)
  for (const name of ['one', 'two']) {
    const apt = await world.proxied(name)
    const line = `[signed-by=${world.key.publicAsc}] ${world.upstream.url} stable main`
    await apt.setSources(`deb ${line}\ndeb-src ${line}`)
    t.same(troubles(await apt.update()), clean)
    t.ok((await apt.lists()).some((file) => file.endsWith('_i18n_Translation-en')))
    t.equal((await source(apt, 'hello')).code, 0)
    t.equal(asked(), 4, `${name}: one request for each file`)
  }
})

t.test('sources that are switched on later come for what a channel holds', async (t) => {
  const late = { name: 'late', version: '1', arch: 'all' }
  const world = await makeWorld(t, [old, other], { publish: publishing(old, other) })
  await world.publish([fresh, other, late], publishing(fresh, other, late))
  await world.sluice.api('PATCH', '/archives/nut', { sources: true })
  t.match(await world.sluice.api('GET', '/archives/nut'), { sources: true })
  const { outcomes } = await world.sluice.api('POST', '/archives/refresh')
  t.match(outcomes, [{ kind: 'changed', packages: 3, sources: 3 }])
  t.match((await world.sluice.api('GET', '/pending')).pending, [
    { source: 'hello', old: [old.version], new: [fresh.version] },
    { source: 'late', old: [], new: ['1'] },
  ])
  await promote(world, 'late')
  const names = async (channel: string): Promise<(string | undefined)[]> =>
    (await sourcesOf(world, channel)).map((stanza) => stanza.get('Package')).sort()
  t.same(await names('approved'), ['late', 'other'], 'hello is here in another version')
  await promote(world, 'hello')
  t.same(await names('approved'), ['hello', 'late', 'other'])
  t.same(await indexDigests(world, 'approved'), await indexDigests(world, 'testing'))
})

t.test('sources are switched on where nothing waits, and off again', async (t) => {
  const world = await makeWorld(t, [old], { publish: publishing(old) })
  await world.sluice.api('PATCH', '/archives/nut', { sources: true })
  await world.sluice.api('POST', '/archives/refresh')
  t.same((await world.sluice.api('GET', '/pending')).pending, [])
  await promote(world)
  t.same(await indexDigests(world, 'approved'), await indexDigests(world, 'testing'))
  t.match([...(await indexDigests(world, 'approved')).keys()], /main\/source\/Sources/)
  await world.sluice.api('PATCH', '/archives/nut', { sources: false })
  const { outcomes } = await world.sluice.api('POST', '/archives/refresh')
  t.match(outcomes, [{ kind: 'changed' }])
  t.notMatch([...(await indexDigests(world, 'testing')).keys()].join(' '), /Sources/)
  t.same((await world.sluice.api('GET', '/pending')).pending, [])
})

t.test('a file that the .dsc does not name is not there', async (t) => {
  const world = await makeWorld(t, [old], { ...withSources, publish: publishing(old) })
  const [stanza] = await sourcesOf(world, 'approved')
  const base = `${world.sluice.url}/channels/approved/nut/${stanza?.get('Directory')}`
  const status = async (url: string): Promise<number> => (await fetch(url)).status
  t.equal(await status(`${base}/hello_1.0.orig.tar.xz`), 200, 'the .dsc is fetched for it')
  t.equal(world.upstream.count(/\.dsc$/), 1)
  t.equal(await status(`${base}/hello_1.0.orig.tar.gz`), 404)
  t.equal(await status(`${base}/about`), 404)
  const [deb] = stanzasOf(
    gunzipSync(
      await bodyOf(
        `${world.sluice.url}/channels/approved/nut/dists/stable/main/binary-amd64/Packages.gz`,
      ),
    ).toString(),
  )
  const dir = deb?.get('Filename')?.split('/').slice(0, -1).join('/')
  const asDsc = `${world.sluice.url}/channels/approved/nut/${dir}/hello_1.0.orig.tar.xz`
  t.equal(await status(asDsc), 404, 'a .deb names no files')
  t.equal(world.upstream.count(/\.deb$/), 0, 'nor is it fetched for that')
  t.equal(await status(`${base.slice(0, -2)}00/hello_1.0.orig.tar.xz`), 404)
})

t.test('a damaged .dsc is not believed', async (t) => {
  const world = await makeWorld(t, [old], { ...withSources, publish: publishing(old) })
  world.upstream.fault(/hello_1\.0-1\.dsc$/, { kind: 'flip', offset: 40 })
  const apt = await developer(world, 'approved', 'approved')
  t.same(troubles(await apt.update()), clean)
  const { code, stderr } = await source(apt, 'hello')
  t.not(code, 0)
  t.match(stderr, /^E: Failed to fetch/m)
})

async function indexDigests(
  { sluice }: World,
  channel: string,
): Promise<Map<string, { sha256: string; size: number }>> {
  const release = await bodyOf(`${sluice.url}/channels/${channel}/nut/dists/stable/Release`)
  const listed = [...listedFiles(release.toString())]
  return new Map(listed.filter(([path]) => !path.endsWith('.diff/Index')))
}
