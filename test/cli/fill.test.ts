/**
 * `sluice channel fill`: everything is fetched, what is not is named, and it does not take the disk's last room.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { runSluice, startProgram } from '../support/program.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const pack = (name: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
  name,
  version: '1',
  arch: 'amd64',
  content: 3000,
  ...more,
})
const debs = /\.deb$/
const fill = ({ sluice }: World, ...args: string[]) =>
  runSluice(['--data', sluice.dataDir, 'channel', 'fill', ...args])

t.test('a channel that is filled needs upstream no more', async (t) => {
  const world = await makeWorld(t, [pack('hello'), pack('other', { arch: 'all' })])
  const dry = await fill(world, 'approved', '--dry-run')
  t.match(dry, { code: 0, stdout: /^would fetch 2 files \(.*\) of 2 files .*\n.*there is room/ })
  t.equal(world.upstream.count(debs), 0)
  const filled = await fill(world, 'approved')
  t.match(filled, {
    code: 0,
    stdout:
      /^fill {5}2 of 2 files, .* kB of .* kB\n2 files \(.*\) fetched and checked; approved generation 1 has 2 files/,
  })
  t.match(await fill(world, 'approved'), { code: 0, stdout: /^approved generation 1 is full: 2/ })
  t.equal(world.upstream.count(debs), 2, 'each file once')
  const { files } = await world.sluice.api('GET', '/channels/approved')
  t.match(files, { held: { files: 2 }, reachable: { files: 0 }, lost: { files: 0 } })
  await world.upstream.close()
  const apt = await world.machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.download('hello', 'other')), clean)
})

t.test('what is lost is named, and all else is fetched', async (t) => {
  const world = await makeWorld(t, [pack('hello'), pack('other'), pack('more')])
  const { sluice, upstream, dir } = world
  await world.publish([pack('hello', { version: '2' }), pack('other'), pack('more')])
  await rm(join(dir, 'archive', poolPath(pack('hello'))))
  upstream.fault(/more_1/, { kind: 'status', status: 500 })
  await sluice.api('POST', '/archives/refresh')
  const filled = await fill(world, 'approved')
  t.match(filled, {
    code: 3,
    stdout:
      /1 file \(.*\) fetched[\s\S]*2 files are not here, 1 of them lost:\n {2}hello 1 amd64: LOST, .*404\n {2}more 1 amd64: .*500/,
  })
  const report = JSON.parse((await fill(world, 'approved', '--json')).stdout)
  t.match(report, { fetched: { files: 0 }, held: { files: 1 }, unfilledFiles: 2, lostFiles: 1 })
  upstream.clearFaults()
  t.match(await fill(world, 'testing'), { code: 0, stdout: /^fill[^\n]*\n2 files/ })
})

t.test('a fill can be for one architecture, and refuses one that is not there', async (t) => {
  const architectures = ['amd64', 'arm64']
  const world = await makeWorld(t, [pack('hello'), pack('arm', { arch: 'arm64' })], {
    publish: { architectures },
    settings: { architectures },
  })
  t.match(await fill(world, 'approved', '--arch', 'arm64'), { code: 0, stdout: /1 file/ })
  t.equal(world.upstream.count(/arm_1/), 1)
  t.equal(world.upstream.count(debs), 1)
  t.match(await fill(world, 'approved', '--arch', 's390x'), { code: 4, stderr: /amd64, arm64/ })
})

t.test(
  'a fill that would take the last room of the disk is refused before it begins',
  async (t) => {
    const huge = [
      ...['Package: huge', 'Version: 1', 'Architecture: amd64', 'Maintainer: nobody'],
      ...['Filename: pool/huge_1_amd64.deb', `Size: ${10 ** 15}`, `SHA256: ${'7'.repeat(64)}`],
      ...['Description: as large as no disk', ''],
    ]
    const files = { 'main/binary-amd64/Packages': huge.join('\n') }
    const world = await makeWorld(t, [pack('hello')], { publish: { files } })
    const refused = await fill(world, 'approved')
    t.match(refused, {
      code: 1,
      stderr: /filling approved takes 1000000000 MB[\s\S]*make room for/,
    })
    t.equal(world.upstream.count(debs), 0)
    t.match(await fill(world, 'approved', '--dry-run'), { code: 0, stdout: /NOT enough room/ })
  },
)

t.test('a fill that is broken off keeps what it has, and goes on from there', async (t) => {
  const names = Array.from({ length: 12 }, (_, at) => `pack-${at}`)
  const world = await makeWorld(
    t,
    names.map((name) => pack(name, { content: 15_000 })),
  )
  const { upstream } = world
  const rest = Promise.withResolvers<void>()
  upstream.fault(/pack-1\d_1/, { kind: 'hold', bytes: 5000, until: rest.promise })
  const args = ['--data', world.sluice.dataDir, 'channel', 'fill', 'approved']
  const program = startProgram(t, args)
  const counted = (): Promise<{ files: { held: { files: number } } }> =>
    world.sluice.api('GET', '/channels/approved')
  while ((await counted()).files.held.files < 10);
  program.signal('SIGINT')
  const { code, text } = await program.ended
  t.equal(code, 130, text)
  upstream.clearFaults()
  upstream.clearRequests()
  const again = fill(world, 'approved')
  rest.resolve()
  // What was under way comes to its end by itself, which may be before the second looks.
  t.match(await again, {
    code: 0,
    stdout: /2 files \(.*\) fetched|approved generation 1 is full: 12/,
  })
  t.equal(upstream.count(/pack-\d_1/), 0, 'what was here is not fetched again')
})
