/**
 * A machine whose clock was ahead, or is behind: what was signed then is not signed with an older Date, and nobody waits
 * for days to be told so.
 */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const DAY_MS = 24 * 3600 * 1000
const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

t.test('a clock that went back is told at once, and all goes on when it is right', async (t) => {
  const made = new Date(Date.now() - 41 * DAY_MS)
  const clock = createTestClock(5 * DAY_MS)
  const { sluice, publish, machine } = await makeWorld(t, [hello('1')], {
    publish: { date: made, sign: { signedAt: made } },
    key: { createdAt: new Date(Date.now() - 42 * DAY_MS) },
    start: { clock, flags: { 'log-level': 'error' } },
  })
  const { api } = sluice
  clock.advance(4 * DAY_MS)
  const later = new Date(Date.now() - 40 * DAY_MS)
  await publish([hello('2')], { date: later, sign: { signedAt: later } })
  await api('POST', '/archives/refresh')
  const all = { from: 'testing', to: 'approved', all: true }
  t.match(await api('POST', '/promotions', all), { changes: [{ source: 'hello' }] })

  clock.advance(-3 * DAY_MS)
  const told = {
    code: 'ERR_CONFIG',
    message: /^the clock of this machine is behind: .* was signed at 20/,
  }
  t.match((await api('POST', '/channels/approved/rollback', { to: 1 })).error, told)
  t.match((await api('POST', '/keys/channel:approved/rotate', {})).error, told)
  t.match(
    await api('POST', '/holds', { channel: 'approved', source: 'hello' }),
    { error: undefined },
    'what needs no signature goes on',
  )
  t.match(await api('POST', '/channels', { name: 'fresh', from: 'testing' }), { name: 'fresh' })
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean, 'what there is is served')

  clock.advance(3 * DAY_MS)
  t.match((await api('POST', '/channels/approved/rollback', { to: 1 })).error, undefined)
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
})
