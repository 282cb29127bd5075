/**
 * What archives have besides packages, on request: apt fetches Contents and dep11 as apt-file and software centers tell it
 * to, and the installer's packages as the installer's makers do.
 */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { buildDeb, type PackageSpec } from '../../fixtures/debs.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import type { TestApt } from '../support/apt.ts'
import { bodyOf, listedFiles } from '../support/odd-world.ts'
import { run } from '../support/run.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const contents = (text: string): Record<string, string> => ({
  'main/Contents-amd64': `usr/bin/hello misc/${text}\n`,
  'main/Contents-all': `usr/share/${text} misc/data\n`,
  'main/Contents-arm64': 'usr/bin/hello misc/other\n',
  'main/Contents-udeb-amd64': 'bin/sh misc/busybox\n',
  'main/dep11/Components-amd64.yml': `---\nFile: DEP-11\nText: ${text}\n`,
  'main/dep11/Components-arm64.yml': '---\nFile: DEP-11\n',
  'main/dep11/icons-48x48.tar': 'no real icons',
  'main/cnf/Commands-amd64': `suite: stable\n`,
  'main/installer-amd64/current/images/SHA256SUMS': `${'a'.repeat(64)}  ./netboot/mini.iso\n`,
})
const all = { extras: ['contents', 'dep11', 'cnf', 'installer'] as const }
/** As apt-file and appstream have it in apt.conf.d. */
const targets = [
  'Acquire::IndexTargets::deb::Contents-deb { MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)"; ShortDescription "Contents-$(ARCHITECTURE)"; Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents (deb)"; flatMetaKey "Contents-$(ARCHITECTURE)"; PDiffs "true"; KeepCompressed "true"; };',
  'Acquire::IndexTargets::deb::DEP-11 { MetaKey "$(COMPONENT)/dep11/Components-$(NATIVE_ARCHITECTURE).yml"; ShortDescription "Components-$(NATIVE_ARCHITECTURE)"; Description "$(RELEASE)/$(COMPONENT) $(NATIVE_ARCHITECTURE) DEP-11 Metadata"; KeepCompressed "true"; KeepCompressedAs "gz"; };',
]

async function configured(world: World, name: string, channel: string): Promise<TestApt> {
  const apt = await world.machine(name, channel)
  const file = join(apt.dir, 'apt.conf')
  await writeFile(file, `${await readFile(file, 'utf8')}${targets.join('\n')}\n`)
  return apt
}

async function releaseOf(world: World, channel: string): Promise<ReturnType<typeof listedFiles>> {
  const url = `${world.sluice.url}/channels/${channel}/nut/dists/stable/Release`
  return listedFiles((await bodyOf(url)).toString())
}

async function kept(apt: TestApt, pattern: RegExp): Promise<string> {
  const file = (await apt.lists()).find((name) => pattern.test(name))
  if (file === undefined) return 'nothing'
  return (await run('/usr/lib/apt/apt-helper', ['cat-file', join(apt.listsDir, file)])).stdout
}

t.test('apt finds Contents and dep11 where it looks for them', async (t) => {
  const world = await makeWorld(t, [hello('1')], {
    publish: { files: contents('one') },
    settings: all,
  })
  const apt = await configured(world, 'apt', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.equal(await kept(apt, /Contents-amd64/), 'usr/bin/hello misc/one\n')
  t.equal(await kept(apt, /Contents-all/), 'usr/share/one misc/data\n')
  t.match(await kept(apt, /dep11/), /^Text: one$/m)

  const files = await releaseOf(world, 'approved')
  const others = [...files.keys()].filter((path) => !/binary-|\.diff\//.test(path))
  t.same(
    others.sort(),
    [
      ...['main/Contents-all', 'main/Contents-amd64', 'main/Contents-udeb-amd64'],
      ...['main/dep11/Components-amd64.yml', 'main/dep11/icons-48x48.tar'],
      ...['main/cnf/Commands-amd64', 'main/installer-amd64/current/images/SHA256SUMS'],
    ]
      .flatMap((path) => [path, `${path}.gz`])
      .sort(),
  )
  const base = `${world.sluice.url}/channels/approved/nut/dists/stable`
  for (const [path, { sha256, size }] of files) {
    if (!path.endsWith('.gz')) continue
    const data = await bodyOf(`${base}/${path}`)
    t.same({ sha256: sha256Of(data), size: data.length }, { sha256, size }, path)
    const dir = path.slice(0, path.lastIndexOf('/'))
    t.ok(data.equals(await bodyOf(`${base}/${dir}/by-hash/SHA256/${sha256}`)), `${path} by hash`)
  }

  await world.publish([hello('2')], { files: contents('two') })
  await world.sluice.api('POST', '/archives/refresh')
  const testing = await configured(world, 'testing', 'testing')
  t.same(troubles(await testing.update()), clean)
  t.equal(await kept(testing, /Contents-amd64/), 'usr/bin/hello misc/two\n')
  t.same(troubles(await apt.update()), clean)
  t.equal(await kept(apt, /Contents-amd64/), 'usr/bin/hello misc/one\n', 'approved stands still')
  const body = { from: 'testing', to: 'approved', sources: [{ name: 'hello' }] }
  await world.sluice.api('POST', '/promotions', body)
  const old = files.get('main/Contents-amd64.gz')
  t.equal((await fetch(`${base}/main/by-hash/SHA256/${old?.sha256}`)).status, 200)
  await world.upstream.close()
  t.same(troubles(await apt.update()), clean)
  t.equal(await kept(apt, /Contents-amd64/), 'usr/bin/hello misc/two\n')
  t.same((await world.sluice.api('POST', '/verify', { deep: true })).problems, [])
})

t.test('nothing of it is taken unless it is asked for', async (t) => {
  const world = await makeWorld(t, [hello('1')], { publish: { files: contents('one') } })
  t.equal(world.upstream.count(/Contents|dep11|cnf|installer/), 0)
  t.same([...(await releaseOf(world, 'testing')).keys()].sort(), [
    'main/binary-amd64/Packages',
    'main/binary-amd64/Packages.gz',
  ])
  await world.sluice.api('PATCH', '/archives/nut', { extras: ['cnf'] })
  await world.sluice.api('POST', '/archives/refresh')
  t.ok((await releaseOf(world, 'testing')).has('main/cnf/Commands-amd64.gz'))
  t.notOk((await releaseOf(world, 'testing')).has('main/Contents-amd64.gz'))
  t.match(await world.sluice.api('GET', '/archives/nut'), { suites: [{ packages: 1, files: 1 }] })
  t.match((await world.sluice.api('PATCH', '/archives/nut', { extras: ['all'] })).error, {
    code: 'ERR_USAGE',
  })
})

t.test('what Release lists and nobody has is left out and told; what is down is not', async (t) => {
  const world = await makeWorld(t, [hello('1')], { publish: { files: contents('one') } })
  world.upstream.fault(/Contents-amd64|Contents-all/, { kind: 'status', status: 404 })
  world.upstream.fault(/main\/by-hash/, { kind: 'status', status: 404 })
  await world.sluice.api('PATCH', '/archives/nut', { extras: ['contents'] })
  const { outcomes } = await world.sluice.api('POST', '/archives/refresh')
  t.match(outcomes, [
    {
      kind: 'changed',
      skipped: [{ package: 'main/Contents-all.gz' }, { package: 'main/Contents-amd64.gz' }],
    },
  ])
  t.notMatch([...(await releaseOf(world, 'testing')).keys()].join(' '), /Contents/)
  world.upstream.clearFaults()
  world.upstream.fault(/Contents|main\/by-hash/, { kind: 'status', status: 503 })
  await world.publish([hello('2')], { files: contents('two') })
  const again = await world.sluice.api('POST', '/archives/refresh')
  t.match(again.outcomes, [{ kind: 'failed', problem: { code: 'ERR_UPSTREAM_STATUS' } }])
  world.upstream.clearFaults()
  await world.sluice.api('POST', '/archives/refresh')
  t.ok((await releaseOf(world, 'testing')).has('main/Contents-amd64.gz'))
})

t.test('one that the disk damaged is noticed by a verification, and fetched again', async (t) => {
  const world = await makeWorld(t, [hello('1')], {
    publish: { files: contents('one') },
    settings: { extras: ['contents'] },
  })
  const file = (await releaseOf(world, 'approved')).get('main/Contents-amd64.gz')
  const path = `blobs/${file?.sha256.slice(0, 2)}/${file?.sha256.slice(2)}`
  await chmod(join(world.sluice.dataDir, path), 0o600)
  await writeFile(join(world.sluice.dataDir, path), 'damaged')
  const verify = async (): Promise<object[]> =>
    (await world.sluice.api('POST', '/verify', { deep: true })).problems
  t.match(await verify(), [{ what: new RegExp(`^blob ${file?.sha256}`) }])
  const url = `${world.sluice.url}/channels/approved/nut/dists/stable/main/Contents-amd64.gz`
  t.equal(sha256Of(await bodyOf(url)), file?.sha256)
  t.same(await verify(), [])
})

t.test('the installer finds its packages', async (t) => {
  const world = await makeWorld(t, [hello('1')], { settings: { extras: ['installer'] } })
  const udeb = { name: 'kbd-udeb', version: '1:2-1', arch: 'amd64', source: 'kbd' }
  const path = 'pool/main/k/kbd/kbd-udeb_2-1_amd64.udeb'
  const file = join(world.dir, 'archive', path)
  await buildDeb(file, udeb)
  const data = await readFile(file)
  const stanza = [
    'Package: kbd-udeb',
    'Package-Type: udeb',
    'Source: kbd',
    'Version: 1:2-1',
    'Architecture: amd64',
    'Maintainer: X <x@archive.example>',
    'Section: debian-installer',
    'Priority: optional',
    'Description: keyboards',
    `Filename: ${path}`,
    `Size: ${data.length}`,
    `SHA256: ${sha256Of(data)}`,
  ].join('\n')
  const index = 'main/debian-installer/binary-amd64/Packages'
  await world.publish([hello('1')], { files: { [index]: `${stanza}\n` } })
  await world.sluice.api('POST', '/archives/refresh')
  const promoted = await world.sluice.api('POST', '/promotions', {
    from: 'testing',
    to: 'approved',
    sources: [{ name: 'kbd' }],
  })
  t.match(promoted.changes, [{ source: 'kbd', old: [], new: ['1:2-1'] }])
  const release = await bodyOf(`${world.sluice.url}/channels/approved/nut/dists/stable/Release`)
  t.match(release.toString(), /^Components: main$/m)
  t.ok(listedFiles(release.toString()).has(`${index}.gz`))
  const apt = await world.machine('apt', 'approved')
  const key = join(apt.dir, 'sluice.asc')
  const line = `deb [signed-by=${key}] ${world.sluice.url}/channels/approved/nut stable`
  await apt.setSources(`${line} main\n${line} main/debian-installer`)
  t.same(troubles(await apt.update()), clean)
  const script = ['-c', `cd ${apt.dir}/tmp && exec apt-get download kbd-udeb`]
  t.match(await apt.run('sh', script), { code: 0, stderr: '' })
  t.ok(data.equals(await readFile(join(apt.dir, 'tmp/kbd-udeb_1%3a2-1_amd64.udeb'))))
  t.match(await world.sluice.api('GET', '/channels/approved'), {
    packages: 1,
    suiteList: [{ components: ['main'], architectures: ['amd64'], packages: 1, udebs: 1 }],
  })
})
