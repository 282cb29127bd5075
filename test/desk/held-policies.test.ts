/**
 * Policies and what is held for a while, or declined for good.
 */
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { DAY_MS } from '../support/aged-world.ts'
import { createTestClock } from '../support/test-clock.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })

t.test('a policy leaves what is held until the hold ends, and what is declined', async (t) => {
  const clock = createTestClock(Date.now() - Date.UTC(2026, 0, 5, 12))
  const publishedAt = () => new Date(Math.floor(clock.now() / 1000 - 60) * 1000)
  const date = publishedAt()
  const { sluice, publish } = await makeWorld(t, [pack('held', '1'), pack('bad', '1')], {
    publish: { date, sign: { signedAt: date } },
    key: { createdAt: new Date(clock.now() - DAY_MS) },
    start: { clock, flags: { 'log-level': 'silent', 'refresh-minutes': '10000' } },
  })
  const { api } = sluice
  const renew = async (...packages: PackageSpec[]): Promise<void> => {
    clock.advance(120_000)
    const at = publishedAt()
    await publish(packages, { date: at, sign: { signedAt: at } })
    await api('POST', '/archives/refresh')
  }
  const runsUntil = async (at: number) => {
    while ((await api('GET', '/policies/night')).doneUntil < at) await setTimeout(10)
    return api('GET', '/policies/night/runs?limit=1')
  }
  const rules = { from: 'testing', to: 'approved', rules: ['after 0 days'] }
  await api('POST', '/policies', { name: 'night', ...rules, schedule: '0 6 * * *' })
  const until = Date.UTC(2026, 0, 7)
  await api('POST', '/holds', { channel: 'approved', source: 'held', until, reason: 'the fair' })
  const bad = { channel: 'approved', source: 'bad', version: '2', reason: 'breaks our shop' }
  await api('POST', '/declines', bad)
  await renew(pack('held', '2'), pack('bad', '2'))
  clock.advance(DAY_MS)
  t.match(await runsUntil(Date.UTC(2026, 0, 6, 6)), [
    {
      went: [],
      stayed: [
        { source: 'bad', words: '2 declined by admin since 2026-01-05: breaks our shop' },
        { source: 'held', words: /^held by admin since 2026-01-05( until 2026-01-07)?: the fair$/ },
      ],
    },
  ])
  const told = await api('GET', '/explain?source=bad&from=testing&to=approved')
  t.match(JSON.stringify(told), /2 declined by admin since 2026-01-05/)
  clock.advance(DAY_MS)
  t.match(await runsUntil(Date.UTC(2026, 0, 7, 6)), [
    { went: [{ source: 'held', new: ['2'] }], stayed: [{ source: 'bad' }] },
  ])
  await renew(pack('held', '2'), pack('bad', '3'))
  clock.advance(DAY_MS)
  t.match(await runsUntil(Date.UTC(2026, 0, 8, 6)), [{ went: [{ source: 'bad', new: ['3'] }] }])
})
