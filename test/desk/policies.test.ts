/**
 * Policies on a real server, by its API: what they promote and tell, what they refuse, what is written of them.
 */
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { DAY_MS } from '../support/aged-world.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { makeWorld, type World } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const HOUR_MS = DAY_MS / 24

const night = {
  name: 'night',
  from: 'testing',
  to: 'approved',
  schedule: '0 6 * * *',
  rules: ['linux* never', 'quick* after 1 day', 'after 7 days'],
}

interface PolicyWorld extends World {
  readonly clock: TestClock
  /** Publishes at upstream as of the world's time, and lets testing follow. */
  renew(packages: readonly PackageSpec[]): Promise<void>
}

async function makePolicyWorld(t: Test, packages: readonly PackageSpec[]): Promise<PolicyWorld> {
  const begin = Date.UTC(2026, 0, 5, 12)
  const clock = createTestClock(Date.now() - begin)
  const made = new Date(clock.now() - HOUR_MS)
  const world = await makeWorld(t, packages, {
    publish: { date: made, sign: { signedAt: made } },
    key: { createdAt: new Date(clock.now() - DAY_MS) },
    start: { clock, flags: { 'log-level': 'silent' } },
  })
  const renew: PolicyWorld['renew'] = async (some) => {
    clock.advance(60_000)
    const date = new Date(clock.now() - 30_000)
    await world.publish(some, { date, sign: { signedAt: date } })
    await world.sluice.api('POST', '/archives/refresh')
  }
  return { ...world, clock, renew }
}

t.test('a policy promotes what is old enough, says why, and why not', async (t) => {
  const first = ['hello', 'quick', 'linux', 'other'].map((name) => pack(name, '1'))
  const { sluice, clock, renew } = await makePolicyWorld(t, first)
  const { api } = sluice
  const made = await api('POST', '/policies', { ...night, reason: 'as agreed' })
  t.match(made, { ...night, enabled: true, timeZone: 'UTC', freezes: [] })
  await api('POST', '/holds', { channel: 'approved', source: 'other', reason: 'breaks our shop' })
  await renew(['hello', 'quick', 'linux', 'other'].map((name) => pack(name, '2')))
  clock.advance(3 * DAY_MS)
  await ranAt(api, 'night', clock)
  const [run] = await api('GET', '/policies/night/runs?limit=1')
  t.match(run, {
    who: 'system',
    generations: [2],
    went: [{ source: 'quick', old: ['1'], new: ['2'], words: 'goes: quick* after 1 day' }],
    stayed: [
      { source: 'hello', words: 'too young, only 3 of 7 days old' },
      { source: 'linux', words: 'rule linux* never' },
      { source: 'other', words: /^held by admin since 2026-01-05: breaks our shop; too young/ },
    ],
  })
  t.match(await api('GET', '/audit?limit=1'), [
    { who: 'policy night', what: 'promote', why: 'quick* after 1 day: quick' },
  ])
  const [told] = await api('GET', '/explain?source=hello')
  t.match(told, {
    from: 'testing',
    to: 'approved',
    waiting: [
      { source: 'hello', verdicts: [{ policy: 'night', goes: false, rule: 'after 7 days' }] },
    ],
  })
  t.equal(told.waiting[0].verdicts[0].goesAt, Date.UTC(2026, 0, 13, 6))
  const [went] = await api('GET', '/explain?source=quick')
  t.match(went, {
    waiting: [],
    went: [{ policy: 'night', generations: [2], entry: { new: ['2'] } }],
  })

  clock.advance(4 * DAY_MS)
  await ranAt(api, 'night', clock)
  t.match((await api('GET', '/policies/night/runs?limit=1'))[0], { went: [{ source: 'hello' }] })
  t.match(await api('GET', '/channels/approved'), { head: 3 })
})

t.test('a newer version waits anew, and says so', async (t) => {
  const { sluice, clock, renew } = await makePolicyWorld(t, [pack('hello', '1')])
  const { api } = sluice
  await api('POST', '/policies', night)
  await renew([pack('hello', '2')])
  clock.advance(5 * DAY_MS)
  await renew([pack('hello', '3')])
  clock.advance(3 * DAY_MS)
  const { verdicts } = await api('POST', '/policies/night/run', { dryRun: true })
  t.match(verdicts, [
    {
      source: 'hello',
      goes: false,
      words: 'too young, only 3 of 7 days old; it took the place of 2, and waits anew',
    },
  ])
  t.match(await api('GET', '/channels/approved'), { head: 1 })
})

t.test('what is frozen stays, and goes by the first run after that', async (t) => {
  const { sluice, clock, renew } = await makePolicyWorld(t, [pack('hello', '1')])
  const { api } = sluice
  const freezes = ['2026-01-06 to 2026-01-20: stocktaking']
  await api('POST', '/policies', { ...night, freezes, timeZone: 'Europe/Berlin' })
  await renew([pack('hello', '2')])
  clock.advance(10 * DAY_MS)
  const dry = await api('POST', '/policies/night/run', { dryRun: true })
  t.match(dry.verdicts, [
    {
      words: 'frozen to the end of 2026-01-20: stocktaking',
      // Six o'clock in Berlin.
      goesAt: Date.UTC(2026, 0, 21, 5),
    },
  ])
  const byHand = await api('POST', '/policies/night/run', {})
  t.match(byHand, { who: 'admin', wentCount: 0, stayedCount: 1 })
})

t.test('a run by hand says who asked', async (t) => {
  const { sluice, renew } = await makePolicyWorld(t, [pack('hello', '1')])
  const { api } = sluice
  await api('POST', '/policies', { ...night, rules: ['after 0 days'], enabled: false })
  await renew([pack('hello', '2')])
  t.match(await api('POST', '/policies/night/run', { reason: 'urgent' }), { wentCount: 1 })
  t.match(await api('GET', '/audit?limit=1'), [
    { who: 'policy night', why: 'asked for by admin: urgent; after 0 days: hello' },
  ])
  t.match(await api('POST', '/policies/night/run', {}), { wentCount: 0 })
  t.match(await api('GET', '/channels/approved'), { head: 2 })
})

t.test('changes of a policy are in the audit, and faults are told', async (t) => {
  const { sluice } = await makePolicyWorld(t, [pack('hello', '1')])
  const { api } = sluice
  await api('POST', '/policies', night)
  t.match((await api('POST', '/policies', night)).error, { code: 'ERR_CONFLICT' })
  const wrong = { ...night, name: 'x', schedule: 'daily', rules: ['after 7 days', 'soon'] }
  const { error } = await api('POST', '/policies', wrong)
  t.match(error, { code: 'ERR_USAGE', message: /is no schedule/ })
  t.match(error.details.problems, [{ key: 'schedule' }, { key: 'rules[1]' }])
  const into = await api('POST', '/policies', {
    ...night,
    name: 'x',
    from: 'approved',
    to: 'testing',
  })
  t.match(into.error, { code: 'ERR_REFUSED', message: /testing follows its archives/ })
  await api('PATCH', '/policies/night', { rules: ['after 3 days'], reason: 'less' })
  t.match(await api('GET', '/audit?limit=1'), [
    {
      who: 'admin',
      what: 'policy set',
      object: 'policy night',
      why: 'less',
      detail: { rules: { before: night.rules, after: ['after 3 days'] } },
    },
  ])
  await api('PATCH', '/channels/approved', { name: 'live' })
  await api('DELETE', '/policies/night', { reason: 'by hand' })
  t.match(await api('GET', '/audit?limit=1'), [{ what: 'policy delete', why: 'by hand' }])
  t.same(await api('GET', '/policies'), [])
  t.match((await api('GET', '/policies/night')).error, { code: 'ERR_NOT_FOUND' })
})

/** Resolves when all that was due of the policy by now is done. */
async function ranAt(api: World['sluice']['api'], name: string, clock: TestClock): Promise<void> {
  for (;;) {
    const { nextAt, last } = await api('GET', `/policies/${name}`)
    if (nextAt > clock.now() && last?.endedAt !== undefined) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
