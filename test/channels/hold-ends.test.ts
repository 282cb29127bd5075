/**
 * Holds that end by themselves: from then on nothing is kept back any more, whoever looks, and channels go on alone.
 */
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { caughtUp, machineAt } from '../support/based.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const first = [pack('hello', '1'), pack('other', '1')]
const second = [pack('hello', '2'), pack('other', '1')]
const toApproved = { from: 'testing', to: 'approved' }
const DAY_MS = 24 * 3600_000

/** Resolves when the server has written down that holds are over; it does so in this very process. */
async function settled({ api }: TestSluice): Promise<void> {
  while ((await api('GET', '/holds')).length > 0) await setTimeout(10)
}

async function makeClocked(t: Test) {
  const clock = createTestClock(10 * DAY_MS)
  const options = { clock, flags: { 'log-level': 'silent', 'refresh-minutes': '10000' } }
  const date = new Date(Math.floor(clock.now() / 1000 - 3600) * 1000)
  const key = { createdAt: new Date(clock.now() - DAY_MS) }
  const sign = { signedAt: date }
  const world = await makeWorld(t, first, { start: options, key, publish: { date, sign } })
  const publish = async (packages: readonly PackageSpec[], sluice = world.sluice) => {
    const at = new Date(Math.floor(clock.now() / 1000 - 60) * 1000)
    await world.publish(packages, { date: at, sign: { signedAt: at } })
    await sluice.api('POST', '/archives/refresh')
  }
  return { ...world, clock, options, publish }
}

t.test('a hold of a curated channel counts to its end, and is told as over by then', async (t) => {
  const { sluice, clock, publish } = await makeClocked(t)
  const { api } = sluice
  const until = clock.now() + 2 * DAY_MS
  const held = { channel: 'approved', source: 'hello', reason: 'till the fair is over' }
  t.match((await api('POST', '/holds', { ...held, until: clock.now() - 1 })).error, {
    code: 'ERR_USAGE',
    message: /the hold would be over already/,
  })
  t.match(await api('POST', '/holds', { ...held, until }), { pins: [{ until }] })
  await publish(second)
  clock.advance(DAY_MS)
  const named = { ...toApproved, sources: [{ name: 'hello' }] }
  t.match((await api('POST', '/promotions', named)).error, { message: /hello is held/ })
  t.match((await api('GET', '/pending')).pending, [{ source: 'hello', note: 'held' }])
  t.match(await api('GET', '/holds'), [{ source: 'hello', until, isOver: undefined }])
  clock.advance(DAY_MS)
  t.match((await api('GET', '/pending')).pending, [{ source: 'hello', note: undefined }])
  await settled(sluice)
  t.match(await api('GET', '/audit?limit=1'), [
    {
      what: 'hold expired',
      who: 'system',
      object: 'channel approved',
      detail: { source: 'hello', until, by: 'admin', reason: 'till the fair is over' },
    },
  ])
  t.match(await api('POST', '/promotions', named), { changes: [{ source: 'hello', new: ['2'] }] })
})

t.test('a derived channel goes on with its base by itself when a hold ends', async (t) => {
  const { dir, sluice, clock, publish } = await makeClocked(t)
  const { api } = sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  const held = { channel: 'web', source: 'hello' }
  await api('POST', '/holds', { ...held, until: clock.now() + 9 * DAY_MS })
  // Anew with a nearer end: that is what counts.
  await api('POST', '/holds', { ...held, until: clock.now() + DAY_MS })
  await publish(second)
  await api('POST', '/promotions', { ...toApproved, all: true })
  await caughtUp(sluice, 'web')
  const apt = await machineAt(`${dir}/one`, sluice, 'channels/web')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
  clock.advance(DAY_MS)
  await settled(sluice)
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '2')
  t.match((await api('GET', '/channels/web/history'))[0], {
    kind: 'follow',
    why: 'no longer held: hello',
    changes: [{ source: 'hello', old: ['1'], new: ['2'] }],
  })
  t.match(await api('GET', '/channels/web'), { pins: [] })
  // A clock that is set back brings nothing back.
  clock.advance(-2 * DAY_MS)
  t.same(await api('GET', '/holds'), [])
})

t.test('what ended while the server was off is let go at its start', async (t) => {
  const { sluice, clock, options, publish } = await makeClocked(t)
  const { api } = sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  for (const channel of ['web', 'approved']) {
    const until = clock.now() + DAY_MS
    await api('POST', '/holds', { channel, source: 'other', until })
  }
  await publish([pack('hello', '1'), pack('other', '2')])
  await api('POST', '/promotions', { ...toApproved, sources: [{ name: 'other' }], force: true })
  await caughtUp(sluice, 'web')
  t.match(await api('GET', '/diff?from=approved&to=web'), { changes: [{ source: 'other' }] })
  t.match(await api('GET', '/holds?channel=approved'), [{ new: ['2'], until: Number }])
  await sluice.close()
  clock.advance(2 * DAY_MS)
  const again = await startSluice(sluice.dataDir, options)
  t.teardown(() => again.close())
  await settled(again)
  t.match(await again.api('GET', '/diff?from=approved&to=web'), { changes: [] })
  const audit = await again.api('GET', '/audit?what=hold+expired')
  t.match(audit.map(({ object }: { object: string }) => object).sort(), [
    'channel approved',
    'channel web',
  ])
})

t.test('a promotion of what was held settles the hold that is over', async (t) => {
  const { sluice, clock, publish } = await makeClocked(t)
  const { api } = sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await api('POST', '/holds', { channel: 'web', source: 'hello', until: clock.now() + DAY_MS })
  await publish(second)
  clock.advance(DAY_MS)
  const promoted = { from: 'testing', to: 'web', sources: [{ name: 'hello' }] }
  t.match(await api('POST', '/promotions', promoted), { changes: [{ new: ['2'] }] })
  await settled(sluice)
  t.match(await api('GET', '/audit?what=hold+expired'), [{ detail: { source: 'hello' } }])
  t.match(await api('GET', '/channels/web'), { pins: [{ kind: 'promotion', new: ['2'] }] })
})
