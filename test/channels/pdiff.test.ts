/**
 * What an update costs a machine: real apt takes one patch for what changed, and has the same index as if it had fetched it.
 */
import t, { type Test } from 'tap'
import type { TestApt } from '../support/apt.ts'
import type { Recorded } from '../support/recorder.ts'
import { createTestClock } from '../support/test-clock.ts'
import { listOf, makeWideWorld, type WideWorld } from '../support/wide-world.ts'
import { clean, troubles } from '../support/world.ts'

/** Packages, the first `newer` of them in version 2. */
function versions(newer: number, count = 1500): Map<string, string> {
  const names = Array.from({ length: count }, (_, at) => `pkg${at}`)
  return new Map(names.map((name, at) => [name, at < newer ? '2' : '1']))
}

/** Kinds of what was fetched, in order. */
function kindsOf(fetched: readonly Recorded[]): string[] {
  return fetched.map(({ path, status }) => {
    const rest = path.split('/dists/stable/')[1] ?? path
    const kind = rest.replace(/^main\/binary-amd64\//, '').replace(/[0-9a-f]{16,64}/g, '…')
    return status === 200 ? kind : `${kind} ${status}`
  })
}

function bytesOf(fetched: readonly Recorded[]): number {
  return fetched.reduce((sum, { bytes }) => sum + bytes, 0)
}

const byPatch = ['InRelease', 'Packages.diff/by-hash/SHA256/…', 'Packages.diff/…-….gz']
const whole = ['InRelease', 'Packages.diff/by-hash/SHA256/…', 'by-hash/SHA256/…']

/** An update without any trouble, after which the machine has the index that is served. */
async function updated(t: Test, world: WideWorld, apt: TestApt): Promise<Recorded[]> {
  world.recorder.take()
  t.same(troubles(await apt.update()), clean)
  const fetched = world.recorder.take()
  t.equal(await listOf(apt), await world.packages(), 'its index is the one that is served')
  return fetched
}

t.test('a machine takes one patch, from any of the last twenty generations', async (t) => {
  const world = await makeWideWorld(t, versions(0))
  const first = await world.machine('first')
  const full = await updated(t, world, first)
  t.same(kindsOf(full), ['InRelease', 'by-hash/SHA256/…'], 'a new machine fetches the index')
  await world.publish(versions(30))
  const twenty = await world.machine('twenty')
  const one = await world.machine('one')
  for (let at = 0; at < 21; at++) {
    await world.promote(`pkg${at}`)
    if (at === 0) await updated(t, world, twenty)
    if (at === 19) await updated(t, world, one)
  }

  const fromOne = await updated(t, world, one)
  t.same(kindsOf(fromOne), byPatch)
  t.ok(bytesOf(fromOne) < 50_000, `${bytesOf(fromOne)} bytes, one generation behind`)
  t.equal((await one.policy('pkg20')).candidate, '2')
  const fromTwenty = await updated(t, world, twenty)
  t.same(kindsOf(fromTwenty), byPatch)
  t.ok(bytesOf(fromTwenty) < 200_000, `${bytesOf(fromTwenty)} bytes, twenty generations behind`)
  t.ok(bytesOf(full) > 4 * bytesOf(fromTwenty), `${bytesOf(full)} bytes is the index itself`)
  world.recorder.take()
  t.match(await first.update(), { code: 0, warnings: [], errors: [] })
  t.same(kindsOf(world.recorder.take()), whole, 'who is further behind fetches the index')
  t.equal(await listOf(first), await world.packages())
  t.same(kindsOf(await updated(t, world, first)), ['InRelease 304'], 'and then nothing')
})

t.test('a patch leads back after a rollback, and forth again', async (t) => {
  const world = await makeWideWorld(t, versions(0))
  await world.publish(versions(2))
  await world.promote('pkg0')
  const apt = await world.machine('one')
  await updated(t, world, apt)
  const behind = await world.machine('behind')
  await updated(t, world, behind)
  const rollback = (to: number): Promise<unknown> =>
    world.sluice().api('POST', '/channels/approved/rollback', { to })

  await rollback(1)
  t.same(kindsOf(await updated(t, world, apt)), byPatch)
  t.equal((await apt.policy('pkg0')).candidate, '1')
  await world.promote('pkg1')
  await rollback(2)
  t.same(kindsOf(await updated(t, world, apt)), byPatch)
  t.equal((await apt.policy('pkg0')).candidate, '2')
  t.equal((await apt.policy('pkg1')).candidate, '1')
  t.same(kindsOf(await updated(t, world, behind)), ['InRelease'], 'it has what is served again')
})

t.test('a Release signed anew costs a machine the Release; the patches stay', async (t) => {
  const world = await makeWideWorld(t, versions(0))
  const [apt, behind] = [await world.machine('one'), await world.machine('behind')]
  await updated(t, world, behind)
  await world.publish(versions(1))
  await world.promote('pkg0')
  await updated(t, world, apt)
  const resigned = await world.sluice().api('POST', '/keys/approved/rotate')
  t.match(resigned, { generation: { serial: 3 } })
  t.same(kindsOf(await updated(t, world, apt)), ['InRelease'])
  t.same(kindsOf(await updated(t, world, behind)), byPatch)
})

t.test('a server that was stopped serves the patches it made, and makes more', async (t) => {
  const world = await makeWideWorld(t, versions(0))
  const [apt, behind] = [await world.machine('one'), await world.machine('behind')]
  for (const machine of [apt, behind]) await updated(t, world, machine)
  await world.publish(versions(3))
  await world.promote('pkg0')
  const path = '/channels/approved/nut/dists/stable/main/binary-amd64/Packages.diff/Index'
  const index = await (await fetch(`${world.recorder.url}${path}`)).text()
  t.match(index, /^SHA256-Current: /)
  await world.restart()
  t.equal(await (await fetch(`${world.recorder.url}${path}`)).text(), index)
  t.same(kindsOf(await updated(t, world, apt)), byPatch, 'made before')
  await world.promote('pkg1')
  t.same(kindsOf(await updated(t, world, apt)), byPatch, 'made after')
  t.same(kindsOf(await updated(t, world, behind)), byPatch, 'over the restart')
  t.same((await world.sluice().api('POST', '/verify', { deep: true })).problems, [])
})

t.test(
  'who holds an older InRelease can finish, and an older generation has its own',
  async (t) => {
    const world = await makeWideWorld(t, versions(0))
    await world.publish(versions(3))
    await world.promote('pkg0')
    const base = `${world.sluice().url}/channels/approved`
    const path = 'nut/dists/stable/main/binary-amd64/Packages.diff'
    const index = await (await fetch(`${base}/${path}/Index`)).text()
    const patch = / (\S+\.gz)\n/.exec(index)?.[1]
    const release = await (await fetch(`${base}/nut/dists/stable/Release`)).text()
    const digest = /^ (\S{64}) +\d+ main\/binary-amd64\/Packages\.diff\/Index$/m.exec(release)?.[1]
    await world.promote('pkg1')
    await world.promote('pkg2')
    const older = await fetch(`${base}/${path}/by-hash/SHA256/${digest}`)
    t.equal(await older.text(), index, 'the Index, by its digest')
    t.match(older.headers.get('cache-control'), /immutable/)
    t.equal((await fetch(`${base}/${path}/${patch}`)).status, 200, 'and the patch that it names')
    t.equal(await (await fetch(`${base}@2/${path}/Index`)).text(), index)
    t.not(await (await fetch(`${base}/${path}/Index`)).text(), index, 'the head has another one')
    const gzDigest = /^ (\S{64}) +\d+ main\/binary-amd64\/Packages\.gz$/m.exec(release)?.[1]
    for (const none of [
      `${path}/0000000000000000-0000000000000000.gz`,
      `${path}/by-hash/SHA256/${'0'.repeat(64)}`,
      `${path}/by-hash/SHA256/${gzDigest}`.replace('by-hash/SHA256', 'by-hash/MD5Sum'),
      `${path}/`,
    ]) {
      t.equal((await fetch(`${base}/${none}`)).status, 404, none)
    }
  },
)

t.test('descriptions come by patch, too', async (t) => {
  const world = await makeWideWorld(t, versions(0), { hasDescriptions: true })
  const apt = await world.machine('one')
  await updated(t, world, apt)
  t.match(await listOf(apt, '_Translation-en'), /^Package: pkg7\n.*\n.*\n It is 1\.$/m)
  await world.publish(versions(8))
  await world.promote('pkg7')
  const fetched = kindsOf(await updated(t, world, apt))
  const ofDescriptions = byPatch.slice(1).map((kind) => {
    return kind.replace('Packages', 'main/i18n/Translation-en')
  })
  t.same(fetched.sort(), [...byPatch, ...ofDescriptions].sort())
  t.match(await listOf(apt, '_Translation-en'), /^Package: pkg7\n.*\n.*\n It is 2\.$/m)
})

t.test('patches begin at generations that are not kept any more, too', async (t) => {
  const dayMs = 24 * 3600_000
  // What is signed then is not expired today, which is apt's own time.
  const clock = createTestClock(13.5 * dayMs)
  const flags = { 'retain-generations': '10', 'retain-days': '10', 'log-level': 'silent' }
  const world = await makeWideWorld(t, versions(0), { start: { clock, flags } })
  const apt = await world.machine('one')
  await updated(t, world, apt)
  await world.publish(versions(15))
  for (let at = 0; at < 14; at++) await world.promote(`pkg${at}`)
  const api = (method: string, path: string) => world.sluice().api(method, path)
  for (const days of [11, 1.5]) {
    clock.advance(days * dayMs)
    await api('POST', '/gc')
  }
  const first = `${world.sluice().url}/channels/approved@1/nut/dists/stable/InRelease`
  t.equal((await fetch(first)).status, 410, 'what it has is gone')
  // Nothing that is remembered from before may help.
  await world.restart()
  await world.promote('pkg14')
  t.same(kindsOf(await updated(t, world, apt)), byPatch)
  t.same((await api('POST', '/verify')).problems, [])
})

t.test('an index that changed all over is fetched whole, and has no patch', async (t) => {
  const world = await makeWideWorld(t, versions(0, 300))
  const apt = await world.machine('one')
  await updated(t, world, apt)
  await world.publish(versions(300, 300))
  await world.sluice().api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  t.same(kindsOf(await updated(t, world, apt)), ['InRelease', 'by-hash/SHA256/…'])
})
