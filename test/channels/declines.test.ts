/**
 * Declines: a version that a channel never takes, whichever way it would come; newer ones come as usual.
 */
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { caughtUp, machineAt } from '../support/based.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const toApproved = { from: 'testing', to: 'approved' }
const hello = { ...toApproved, sources: [{ name: 'hello' }] }
const declined = { channel: 'approved', source: 'hello', version: '2', reason: 'breaks our shop' }

async function upstreamHas(world: World, ...packages: PackageSpec[]): Promise<void> {
  await world.publish(packages)
  await world.sluice.api('POST', '/archives/refresh')
}

t.test('a curated channel never takes a declined version, and takes a newer one', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { api } = world.sluice
  t.match(await api('POST', '/declines', { ...declined, version: '9' }), { isKnown: false })
  await api('DELETE', '/declines', { ...declined, version: '9' })
  await upstreamHas(world, pack('hello', '2'), pack('other', '2'))
  t.match(await api('POST', '/declines', declined), { isIn: [], isKnown: true })
  for (const force of [false, true]) {
    t.match((await api('POST', '/promotions', { ...hello, force })).error, {
      code: 'ERR_REFUSED',
      message: 'approved declined hello 2',
      hint: /sluice undecline hello=2 --channel approved/,
    })
  }
  t.match((await api('GET', '/pending')).pending, [
    { source: 'hello', note: 'declined', decline: { version: '2', why: 'breaks our shop' } },
    { source: 'other', note: undefined },
  ])
  t.match(await api('POST', '/promotions', { ...toApproved, patterns: ['hel*'] }), {
    changes: [],
    leftOut: [{ source: 'hello', reason: 'declined', words: /2 declined by admin .*our shop/ }],
  })
  t.match(await api('POST', '/promotions', { ...toApproved, all: true }), {
    changes: [{ source: 'other', new: ['2'] }],
    leftOut: [{ source: 'hello', new: ['2'], reason: 'declined' }],
  })
  t.match(await api('GET', '/declines?channel=approved'), [
    { channel: 'approved', source: 'hello', version: '2', who: 'admin', why: 'breaks our shop' },
  ])
  t.same(await api('GET', '/declines?channel=testing'), [])
  await upstreamHas(world, pack('hello', '3'), pack('other', '2'))
  t.match(await api('POST', '/promotions', hello), { changes: [{ old: ['1'], new: ['3'] }] })
  await api('DELETE', '/declines', { ...declined, reason: 'mended' })
  t.same(await api('GET', '/declines'), [])
  const audit = await api('GET', '/audit?what=decline')
  t.match(audit, [{ what: 'decline', object: 'channel approved', why: 'breaks our shop' }])
  t.match(await api('GET', '/audit?limit=1'), [{ what: 'undecline', why: 'mended' }])
})

t.test('a declined version that is there stays, and it is told how to go back', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { api } = world.sluice
  await upstreamHas(world, pack('hello', '2'), pack('other', '1'))
  await api('POST', '/promotions', { ...toApproved, all: true })
  await upstreamHas(world, pack('hello', '2'), pack('other', '2'))
  await api('POST', '/promotions', { ...toApproved, all: true })
  t.match(await api('POST', '/declines', declined), {
    isIn: [{ archive: 'nut', suite: 'stable' }],
    before: 1,
  })
  const back = { ...hello, from: 'approved@1' }
  t.match(await api('POST', '/promotions', back), { changes: [{ old: ['2'], new: ['1'] }] })
  t.match((await api('POST', '/promotions', hello)).error, { message: /declined hello 2/ })
})

t.test('a derived channel keeps what it has until its base has another version', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { dir, sluice } = world
  const { api } = sluice
  for (const name of ['web', 'lab']) await api('POST', '/channels', { name, base: 'approved' })
  for (const channel of ['web', 'lab']) await api('POST', '/declines', { ...declined, channel })
  const promoteAll = async (...packages: PackageSpec[]): Promise<void> => {
    await upstreamHas(world, ...packages)
    await api('POST', '/promotions', { ...toApproved, all: true })
    for (const channel of ['web', 'lab']) await caughtUp(sluice, channel)
  }
  await promoteAll(pack('hello', '2'), pack('other', '2'))
  await promoteAll(pack('hello', '2'), pack('other', '3'))
  const apt = await machineAt(join(dir, 'one'), sluice, 'channels/web')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
  t.equal((await apt.policy('other')).candidate, '3')
  t.match(await api('GET', '/channels/web'), {
    pins: [{ source: 'hello', kind: 'decline', new: ['1'], why: '2 is declined' }],
  })
  // A copy begins as what it is copied from, and declines nothing of its own.
  await api('POST', '/channels', { name: 'copy', from: 'web' })
  t.same(await api('GET', '/declines?channel=copy'), [])
  const taken = await api('DELETE', '/declines', { ...declined, channel: 'lab' })
  t.match(taken, { generation: { changes: [{ source: 'hello', old: ['1'], new: ['2'] }] } })
  t.match(await api('GET', '/channels/lab'), { pins: [] })
  await promoteAll(pack('hello', '3'), pack('other', '3'))
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '3')
  t.match(await api('GET', '/channels/web'), { pins: [] })
  t.same((await api('GET', '/diff?from=approved&to=web')).changes, [])
})

t.test('of several versions that an archive keeps, the declined one does not come', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { dir, sluice } = world
  const { api } = sluice
  await api('POST', '/channels', { name: 'web', base: 'testing' })
  await api('POST', '/channels', { name: 'lab', base: 'approved' })
  await api('POST', '/declines', { ...declined, channel: 'lab' })
  for (const channel of ['web', 'approved'])
    await api('POST', '/declines', { ...declined, channel })
  const versions = async (name: string, channel: string): Promise<string[]> => {
    const apt = await machineAt(join(dir, name), sluice, `channels/${channel}`)
    t.same(troubles(await apt.update()), clean)
    return (await apt.policy('hello')).versions.map(({ version }) => version)
  }
  await upstreamHas(world, pack('hello', '1'), pack('hello', '2'))
  await caughtUp(sluice, 'web')
  t.same(await versions('one', 'web'), ['1'])
  t.match((await api('POST', '/promotions', hello)).error, { message: /declined hello 2/ })
  await upstreamHas(world, pack('hello', '1'), pack('hello', '2'), pack('hello', '3'))
  await caughtUp(sluice, 'web')
  t.same(await versions('two', 'web'), ['3', '1'])
  const toLab = await api('POST', '/promotions', { ...hello, to: 'lab' })
  t.match(toLab, { changes: [{ old: [], new: ['3'] }] })
  t.same(await versions('four', 'lab'), ['3', '1'])
  t.match(await api('POST', '/promotions', hello), { changes: [{ old: [], new: ['3'] }] })
  t.same(await versions('three', 'approved'), ['3', '1'])
  t.match((await api('POST', '/promotions', { ...hello, dryRun: true })).error, {
    message: /declined hello 2/,
  })
})

t.test('what cannot be declined is told', async (t) => {
  const { sluice } = await makeWorld(t, [pack('hello', '1')])
  const { api } = sluice
  const asked = [
    api('POST', '/declines', { ...declined, channel: 'testing' }),
    api('POST', '/declines', { ...declined, channel: 'nowhere' }),
    api('POST', '/declines', { ...declined, source: 'hallo' }),
    api('POST', '/declines', { ...declined, version: '2 3' }),
    api('DELETE', '/declines', declined),
  ]
  t.match(
    (await Promise.all(asked)).map((one) => one.error),
    [
      { code: 'ERR_REFUSED', hint: /sluice channel create NAME --base testing/ },
      { code: 'ERR_NOT_FOUND' },
      { code: 'ERR_NOT_FOUND', message: 'no archive has a source package hallo' },
      { code: 'ERR_USAGE', message: '"2 3" is no version' },
      { code: 'ERR_NOT_FOUND', message: 'channel approved does not decline hello 2' },
    ],
  )
})
