/** A key is replaced under the eyes of real apts: one that has the old key only, one that has the new one only. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { readPublicKeys } from '../../src/debian/public-keys.ts'
import type { TestApt } from '../support/apt.ts'
import { judgeSuite, keysAt, writeOneKey } from '../support/key-files.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const suitePath = '/channels/approved/nut/dists/stable'

/** A machine that has one key of `approved`, and no other. */
async function machineWith(world: World, name: string, fingerprint: string): Promise<TestApt> {
  const apt = await world.machine(name, 'approved')
  const url = `${world.sluice.url}/channels/approved/key.asc`
  await writeOneKey(url, fingerprint, join(apt.dir, 'sluice.asc'))
  return apt
}

async function promoteNext(world: World, version: string): Promise<void> {
  await world.publish([hello(version)])
  await world.sluice.api('POST', '/archives/refresh')
  await world.sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
}

/** What gpgv and sqv say of what `approved` serves with one key of it, kept from when it was first asked for. */
async function judge(
  world: World,
  fingerprint: string,
): Promise<{ good: number; words: string[]; sqv: boolean }> {
  const keyring = join(world.dir, `${fingerprint}.gpg`)
  const keyUrl = `${world.sluice.url}/channels/approved/key.gpg`
  if (!existsSync(keyring)) await writeOneKey(keyUrl, fingerprint, keyring)
  const { gpgv, sqv } = await judgeSuite(world.dir, `${world.sluice.url}${suitePath}`, keyring)
  const good = gpgv.filter((word) => word === 'GOODSIG').length
  return { good, words: [...new Set(gpgv)].sort(), sqv }
}

t.test('a machine with either key goes on while a key is replaced', async (t) => {
  const world = await makeWorld(t, [hello('1')])
  const { sluice } = world
  const keyUrl = `${sluice.url}/channels/approved/key.asc`
  const [old = ''] = await keysAt(keyUrl)
  const oldOnly = await machineWith(world, 'old', old)
  t.same(troubles(await oldOnly.update()), clean)

  const begun = await sluice.api('POST', '/keys/approved/rotate', { reason: 'laptop was stolen' })
  t.equal(begun.after.rotation.absent, 1, 'the one machine that there is')
  t.match(begun, { generation: { serial: 2 }, after: { publication: 'channel:approved' } })
  const [first, second] = await keysAt(keyUrl)
  t.equal(first, old)
  const fresh = second ?? ''
  t.match(fresh, /^[0-9A-F]{40}$/, 'the key file has both')
  t.same(
    await keysAt(`${sluice.url}/channels/approved/key.gpg`),
    [old, fresh],
    'and the binary one',
  )
  const newOnly = await machineWith(world, 'new', fresh)
  const both = await world.machine('both', 'approved')
  for (const apt of [oldOnly, newOnly, both]) t.same(troubles(await apt.update()), clean)
  for (const key of [old, fresh]) {
    const said = await judge(world, key)
    t.match(said, { good: 2, sqv: true }, 'InRelease and Release.gpg are good by either key')
    t.same(said.words, ['ERRSIG', 'GOODSIG', 'NO_PUBKEY', 'VALIDSIG'])
  }
  await promoteNext(world, '2')
  for (const apt of [oldOnly, newOnly, both]) {
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, '2')
  }
  t.match((await sluice.api('GET', '/channels/approved')).keys, {
    keys: [
      { fingerprint: old, state: 'current' },
      { fingerprint: fresh, state: 'next' },
    ],
  })
  t.equal((await sluice.api('GET', '/keys/approved')).rotation.absent, 0)
  const metrics = await (await fetch(`${sluice.url}/metrics`)).text()
  t.match(metrics, /^sluice_key_rotation_age_seconds\{publication="channel:approved"\} \d+$/m)

  const early = await sluice.api('POST', '/keys/approved/rotate', { finish: true })
  t.match(early.error, { code: 'ERR_REFUSED', hint: /--force/ })
  const done = await sluice.api('POST', '/keys/approved/rotate', { finish: true, force: true })
  t.match(done, { generation: { serial: 4 }, after: { fingerprint: fresh } })
  t.same(await keysAt(keyUrl), [fresh])
  for (const apt of [newOnly, both]) t.same(troubles(await apt.update()), clean)
  const refused = await oldOnly.update()
  t.match(
    refused.output,
    /NO_PUBKEY|not signed|no longer signed/,
    'the old key is worth nothing now',
  )
  t.match(await judge(world, fresh), { good: 2, sqv: true, words: ['GOODSIG', 'VALIDSIG'] })
  t.match(await judge(world, old), { good: 0, sqv: false })
  const what = (await sluice.api('GET', '/audit')).map((row: { what: string }) => row.what)
  t.same(
    what.filter((one: string) => one.startsWith('key r')),
    ['key retire', 'key rotate'],
  )
  t.same((await sluice.api('POST', '/verify')).problems, [])
})

/** A machine whose key is the file of the package, and who has the package's source. */
async function packaged(t: Test, world: World, name: string): Promise<TestApt> {
  const apt = await world.machine(name, 'approved')
  const file = join(apt.dir, 'etc/apt/keyrings/sluice-approved.asc')
  await mkdir(dirname(file), { recursive: true })
  await rename(join(apt.dir, 'sluice.asc'), file)
  const base = `[signed-by=${file}] ${world.sluice.url}/channels/approved`
  await apt.setSources(`deb ${base}/nut stable main\ndeb ${base}/sluice stable main`)
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('sluice-archive-keyring')), clean)
  return apt
}

t.test(
  'a machine with the keyring package gets the new key in time, another one not',
  async (t) => {
    const world = await makeWorld(t, [hello('1')])
    const { sluice } = world
    const [kept, missed] = [await packaged(t, world, 'kept'), await packaged(t, world, 'missed')]
    const rotate = (body: object) => sluice.api('POST', '/keys/approved/rotate', body)
    await rotate({})
    for (const apt of [kept, missed]) t.same(troubles(await apt.update()), clean)
    t.same(troubles(await kept.upgrade()), clean)
    const both = await keysAt(`${sluice.url}/channels/approved/key.asc`)
    const file = join(kept.dir, 'etc/apt/keyrings/sluice-approved.asc')
    const here = (await readPublicKeys(await readFile(file))).map((key) => key.fingerprint)
    t.same(here, both)

    await rotate({ finish: true, force: true })
    t.same(troubles(await kept.update()), clean)
    t.same(troubles(await kept.upgrade()), clean, 'and without the old key in it')
    t.equal((await readPublicKeys(await readFile(file))).length, 1)
    t.same(troubles(await kept.update()), clean)
    const refused = troubles(await missed.update())
    t.notSame(refused, clean)
  },
)

t.test('the old key goes after thirty days, and each step can be told twice', async (t) => {
  const clock = createTestClock()
  const { sluice } = await makeWorld(t, [hello('1')], { start: { clock } })
  const rotate = (body: object) => sluice.api('POST', '/keys/approved/rotate', body)
  t.match((await rotate({ finish: true })).error, { code: 'ERR_CONFLICT', hint: /key rotate/ })
  await rotate({})
  const again = await rotate({})
  t.equal(again.generation, undefined, 'the same once more does nothing')
  t.equal(again.after.keys.length, 2)
  clock.advance(29 * 24 * 3600_000)
  t.match((await rotate({ finish: true })).error, { code: 'ERR_REFUSED', message: /29\.0 days/ })
  clock.advance(24 * 3600_000)
  const done = await rotate({ finish: true })
  t.match(done.after.keys, [{ state: 'current' }, { state: 'retired' }])
  t.same(done.after.rotation, undefined)
  t.match((await rotate({ finish: true })).error, { code: 'ERR_CONFLICT' })
  const none = await sluice.api('POST', '/keys/nothing/rotate', {})
  t.match(none.error, { code: 'ERR_NOT_FOUND', hint: 'sluice key list' })
})
