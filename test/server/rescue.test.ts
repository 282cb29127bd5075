/**
 * Rescue goes on after a kill and past what fails, fetches what upstream replaced and nothing else, and can be told not to.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { type SourceSpec, sourceDirectory } from '../../fixtures/source-packages.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const deb = (name: string, version: string, content = 3000): PackageSpec => ({
  name,
  version,
  arch: 'amd64',
  content,
})
const debs = /\.deb$/

t.test('a rescue that was killed goes on after the next start', async (t) => {
  const packages = [deb('slow', '1', 300_000), deb('more', '1')]
  const world = await makeWorld(t, packages)
  const { upstream, dir } = world
  const apt = await world.machine('one', 'approved')
  await world.sluice.close()
  const first = await start(t, world.sluice.dataDir)
  await world.publish([deb('slow', '2'), deb('more', '2')])
  upstream.fault(/slow_1/, { kind: 'stall', bytes: 100_000 })
  const refresh = first.api('POST', '/archives/refresh').catch(() => undefined)
  while (upstream.bytes(/slow_1/) < 100_000) await first.api('GET', '/status')
  await first.stop('SIGKILL')
  await refresh
  upstream.clearFaults()
  const second = await start(t, world.sluice.dataDir)
  while ((await second.api('GET', '/channels/approved')).files.held.files < 2);
  // A file is held a moment before it is off the list.
  while ((await second.api('GET', '/archives/nut')).rescue.files > 0);
  t.match(await second.api('GET', '/archives/nut'), { rescue: { isOn: true, files: 0 } })
  for (const name of ['slow', 'more']) await rm(join(dir, 'archive', poolPath(deb(name, '1'))))
  const key = join(apt.dir, 'sluice.asc')
  await apt.setSources(`deb [signed-by=${key}] ${second.url}/channels/approved/nut stable main`)
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.download('slow', 'more')), clean)
})

t.test('only what upstream replaced is fetched, however much is named', async (t) => {
  const many = Array.from({ length: 30 }, (_, at) => deb(`pack-${at}`, '1', 1))
  const { sluice, upstream, publish } = await makeWorld(t, many)
  t.equal(upstream.count(debs), 0, 'not at the first import')
  await publish([...many.slice(1), deb('pack-0', '2', 1)])
  const { rescue } = await sluice.api('POST', '/archives/refresh')
  t.match(rescue, { files: 1, lost: 0, leftFiles: 0 })
  t.equal(upstream.count(debs), 1)
  await sluice.api('PATCH', '/archives/nut', { components: ['main', 'other'] })
  await sluice.api('POST', '/archives/refresh')
  t.equal(upstream.count(debs), 1, 'not for other settings')
  await sluice.api('DELETE', '/channels/testing')
  await sluice.api('DELETE', '/archives/nut')
  while ((await sluice.api('GET', '/channels/approved')).lostFiles[0]?.since === undefined);
  t.equal(upstream.count(debs), 1, 'not when the archive is removed')
  const shown = await sluice.api('GET', '/channels/approved')
  t.match(shown, { files: { held: { files: 1 }, lost: { files: 29 } } })
  t.equal(shown.lostFiles.length, 29)
  t.equal(shown.lostFiles[0].said, undefined)
})

t.test('an index that is no longer looked at costs no fetch', async (t) => {
  const both = (version: string): PackageSpec[] =>
    ['amd64', 'arm64'].map((arch) => ({ name: 'hello', version, arch }))
  const architectures = ['amd64', 'arm64']
  const { sluice, upstream } = await makeWorld(t, both('1'), {
    publish: { architectures },
    settings: { architectures },
  })
  await sluice.api('PATCH', '/archives/nut', { architectures: ['amd64'] })
  await sluice.api('POST', '/archives/refresh')
  t.equal(upstream.count(debs), 0)
})

t.test('an archive whose rescue is off loses what upstream drops, and says so', async (t) => {
  const { sluice, upstream, publish } = await makeWorld(t, [deb('hello', '1')])
  await sluice.api('PATCH', '/archives/nut', { rescue: false })
  await publish([deb('hello', '2')])
  const { rescue } = await sluice.api('POST', '/archives/refresh')
  t.match(rescue, { files: 0, lost: 0, leftFiles: 0 })
  t.equal(upstream.count(debs), 0)
  t.match(await sluice.api('GET', '/channels/approved'), { lost: 1 })
  await sluice.api('PATCH', '/archives/nut', { rescue: true })
  while ((await sluice.api('GET', '/channels/approved')).files.held.files < 1);
  t.equal(upstream.count(debs), 1)
})

t.test('an upstream that is away is asked again; a file that is gone, once a day', async (t) => {
  const clock = createTestClock()
  const world = await makeWorld(t, [deb('ill', '1'), deb('gone', '1')], { start: { clock } })
  const { sluice, upstream, publish } = world
  upstream.fault(/ill_1/, { kind: 'status', status: 503 })
  upstream.fault(/gone_1/, { kind: 'status', status: 404 })
  await publish([deb('ill', '2'), deb('gone', '2')])
  const { rescue } = await sluice.api('POST', '/archives/refresh')
  t.match(rescue, { files: 0, lost: 1, leftFiles: 1, problem: /503/ })
  t.equal(upstream.count(/gone_1/), 1)
  const shown = await sluice.api('GET', '/archives/nut')
  t.match(shown.rescue, { files: 1, active: 0, problem: { message: /503/ } })
  const approved = await sluice.api('GET', '/channels/approved')
  t.match(approved.files, { reachable: { files: 1 }, rescuing: { files: 1 }, lost: { files: 1 } })
  upstream.clearFaults()
  clock.advance(61_000)
  while ((await sluice.api('GET', '/archives/nut')).rescue.files > 0);
  t.equal(upstream.count(/gone_1/), 1, 'what is gone is left alone for a day')
  clock.advance(24 * 3600_000)
  while ((await sluice.api('GET', '/channels/approved')).lost > 0);
  t.equal(upstream.count(/gone_1/), 2)
  t.match(await sluice.api('GET', '/channels/approved'), { files: { held: { files: 2 } } })
})

t.test('source packages are rescued too, file by file', async (t) => {
  const sources = (version: string): SourceSpec[] => [{ name: 'hello', version }]
  const world = await makeWorld(t, [deb('hello', '1')], {
    publish: { sources: sources('1') },
    settings: { sources: true },
  })
  const { sluice, dir, publish } = world
  await publish([deb('hello', '1')], { sources: sources('2') })
  const { rescue } = await sluice.api('POST', '/archives/refresh')
  t.ok(rescue.files >= 2, 'the .dsc and what belongs to it')
  const { files } = await sluice.api('GET', '/channels/approved')
  t.equal(files.held.files, rescue.files)
  const pool = join(dir, 'archive', sourceDirectory({ name: 'hello', version: '1' }))
  for (const file of await readdir(pool)) {
    if (/^hello_1[.-]/.test(file)) await rm(join(pool, file))
  }
  const apt = await world.machine('one', 'approved')
  const key = join(apt.dir, 'sluice.asc')
  await apt.setSources(`deb-src [signed-by=${key}] ${sluice.url}/channels/approved/nut stable main`)
  t.same(troubles(await apt.update()), clean)
  const script = ['-c', `cd ${apt.dir} && exec apt-get source --download-only hello=1`]
  t.equal((await apt.run('sh', script)).code, 0)
})

t.test('a suite that is replaced as a whole is not fetched by itself', async (t) => {
  const files = (version: string): Record<string, string> => ({
    'main/binary-amd64/Packages': Array.from({ length: 5200 }, (_, at) => {
      const name = `pack-${at}`
      return [
        ...[`Package: ${name}`, `Version: ${version}`, 'Architecture: all', 'Size: 1000'],
        ...[`Filename: pool/${name}_${version}.deb`, `SHA256: ${sha256Of(name + version)}`, '\n'],
      ].join('\n')
    }).join(''),
  })
  const world = await makeWorld(t, [], { publish: { files: files('1') } })
  const { sluice, upstream, publish } = world
  await publish([], { files: files('2') })
  const { rescue } = await sluice.api('POST', '/archives/refresh')
  t.match(rescue, { files: 0, leftFiles: 0 })
  t.equal(upstream.count(debs), 0)
  t.match(await sluice.api('GET', '/channels/approved'), { lost: 5200 })
  t.equal((await sluice.api('GET', '/channels/approved')).lostFiles.length, 1000)
  const dry = await sluice.api('POST', '/channels/approved/fill', { dryRun: true })
  t.match(dry, { named: { files: 5200, bytes: 5_200_000 }, held: { files: 0 } })
})

t.test('a lost file is said once in the log', async (t) => {
  const world = await makeWorld(t, [deb('hello', '1')])
  await world.sluice.close()
  await world.publish([deb('hello', '2')])
  await rm(join(world.dir, 'archive', poolPath(deb('hello', '1'))))
  const started = await start(t, world.sluice.dataDir)
  await started.api('POST', '/archives/refresh')
  await started.stop('SIGTERM')
  const again = await start(t, world.sluice.dataDir)
  await again.api('POST', '/archives/refresh')
  await again.stop('SIGTERM')
  const logs = await Promise.all([started, again].map(async ({ ended }) => (await ended).text))
  t.equal(logs.join('').match(/superseded files are lost/g)?.length, 1)
})

async function start(t: Test, dataDir: string): Promise<SluiceProcess> {
  const started = await startProcess(t, dataDir)
  if (!('api' in started)) throw new Error(started.text)
  return started
}
