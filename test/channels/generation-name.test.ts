/**
 * Generations by the time at which they were the head: the same bytes as were served then, for apt and for commands.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { parsePoint, snapshotId } from '../../src/channels/generation-name.ts'
import { anyTime, makeAgedWorld } from '../support/aged-world.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const HOUR_MS = 3600 * 1000
const DAY_MS = 24 * HOUR_MS
const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

t.test('a time is told from a serial, and must be one', async (t) => {
  t.same(parsePoint('41'), { kind: 'serial', serial: 41 })
  t.same(parsePoint('20261101'), { kind: 'serial', serial: 20261101 }, 'a date alone is none')
  const text = '20261101T235959Z'
  t.same(parsePoint(text), { kind: 'time', at: Date.UTC(2026, 10, 1, 23, 59, 59, 999), text })
  for (const wrong of ['', '0', '-1', '1.5', 'x', '20261301T000000Z', '20260230T000000Z', '1 '])
    t.equal(parsePoint(wrong), undefined, JSON.stringify(wrong))
  t.equal(snapshotId(Date.UTC(2026, 0, 2, 3, 4, 5, 6)), '20260102T030405Z')
})

interface Past {
  readonly world: World
  /** `200 ` and the text of this file, as a channel's name has it. */
  get(channel: string, file?: string): Promise<string>
  /** An hour before the first generation, and an hour after it and the second. */
  readonly times: { readonly before: string; readonly first: string; readonly second: string }
  /** What was served at the two. */
  readonly releases: readonly [string, string]
}

/** Generation 1 of approved, 40 days ago, generation 2 two days later, and some that are the second signed anew. */
async function makePast(t: Test): Promise<Past> {
  const made = new Date(Date.now() - 41 * DAY_MS)
  const clock = createTestClock(40 * DAY_MS)
  const world = await makeWorld(t, [hello('1')], {
    publish: { date: made, sign: { signedAt: made } },
    key: { createdAt: new Date(Date.now() - 42 * DAY_MS) },
    start: { clock },
  })
  const { sluice } = world
  const get: Past['get'] = async (channel, file = 'InRelease') => {
    const response = await fetch(`${sluice.url}/channels/${channel}/nut/dists/stable/${file}`)
    return `${response.status} ${await response.text()}`
  }
  const before = snapshotId(clock.now() - HOUR_MS)
  const first = snapshotId(clock.now() + HOUR_MS)
  const served = await get('approved')
  clock.advance(2 * DAY_MS)
  const moved = new Date(clock.now() - HOUR_MS)
  await world.publish([hello('2')], { date: moved, sign: { signedAt: moved } })
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const second = snapshotId(clock.now() + HOUR_MS)
  const releases = [served, await get('approved')] as const
  clock.advance(Date.now() - clock.now())
  while ((await sluice.api('GET', '/channels/approved')).head < 3) await sleep(20)
  return { world, get, times: { before, first, second }, releases }
}

t.test('what a channel had at a time', async (t) => {
  const { world, get, times, releases } = await makePast(t)
  const { sluice, machine } = world

  await t.test('is served byte for byte, also when it was signed anew since', async (t) => {
    t.equal(await get(`approved@${times.first}`), releases[0])
    t.equal(await get(`approved@${times.second}`), releases[1])
    t.equal(await get('approved@1'), releases[0])
    t.not(releases[1], await get('approved'))
    t.equal(await get('approved@20991231T000000Z'), await get('approved'), 'to come: the head')
    t.match(await get(`approved@${times.second}`, 'Release.gpg'), /^200 -----BEGIN PGP SIGNATURE/)
  })

  await t.test('is what apt installs from there', async (t) => {
    const past = await machine('past', `approved@${times.first}`, ' check-valid-until=no')
    t.same(troubles(await past.update()), clean)
    t.equal((await past.policy('hello')).candidate, '1')
    t.same(troubles(await past.install('hello')), clean)
    const later = await machine('later', `approved@${times.second}`, ' check-valid-until=no')
    t.same(troubles(await later.update()), clean)
    t.equal((await later.policy('hello')).candidate, '2')
  })

  await t.test('is taken by commands wherever they take a serial', async (t) => {
    const changes = [{ source: 'hello', old: ['1'], new: ['2'] }]
    const between = `from=approved@${times.first}&to=approved@${times.second}`
    t.match(await sluice.api('GET', `/diff?${between}`), {
      from: { channel: 'approved', serial: 1 },
      to: { channel: 'approved', serial: 2 },
      changes,
    })
    t.match(await sluice.api('GET', `/pending?from=testing&to=approved@${times.first}`), {
      pending: changes,
    })
    const old = { name: 'old', from: `approved@${times.first}` }
    t.match(await sluice.api('POST', '/channels', old), { head: 1 })
    t.same((await sluice.api('GET', '/diff?from=old&to=approved@1')).changes, [])
    const back = await sluice.api('POST', '/channels/approved/rollback', { to: times.first })
    t.match(back, { to: 1, generation: { changes: [{ old: ['2'], new: ['1'] }] } })
  })

  await t.test('is told if it never was', async (t) => {
    const early = await get(`approved@${times.before}`)
    t.match(early, /^404 .*had no generation at .*: its first, 1 was made at/)
    t.match(await get('approved@99'), /^404 .*has no generation 99/)
    t.match(await get('approved@yesterday'), /^404 .*stands a serial, or a time like/)
    t.match(await get('nowhere@1'), /^404 .*no channel nowhere/)
    const lost = await sluice.api('GET', `/diff?from=approved@${times.before}&to=approved`)
    t.match(lost.error, { code: 'ERR_NOT_FOUND', hint: 'sluice channel history approved' })
    const wrong = await sluice.api('POST', '/channels/approved/rollback', { to: 'last' })
    t.equal(wrong.error.code, 'ERR_USAGE')
  })
})

t.test(
  'a generation that is not kept any more is told as that, by serial and by time',
  async (t) => {
    const world = await makeAgedWorld(t, [hello('1')])
    const { sluice, clock, machine } = world
    const first = snapshotId(clock.now())
    const old = await machine('old', `approved@${first}`, anyTime)
    t.same(troubles(await old.update()), clean)
    await world.renew([hello('2')])
    await world.promote()
    await world.rollBack(12, [1, 2])
    await world.live(12)
    const told = /^410 sluice: generation 1 of channel approved is not kept any more/
    const get = async (name: string): Promise<string> => {
      const response = await fetch(`${sluice.url}/channels/${name}/nut/dists/stable/InRelease`)
      return `${response.status} ${await response.text()}`
    }
    t.match(await get('approved@1'), told)
    t.match(
      await get(`approved@${first}`),
      /^410 sluice: what channel approved had at \w+ is not kept any more: the oldest generation that is, \d+ was made at \d+T\d+Z/,
    )
    const { error } = await sluice.api('GET', `/diff?from=approved@${first}&to=approved`)
    t.match(error, { code: 'ERR_GONE', hint: 'sluice channel history approved' })
    t.match(
      (await sluice.api('POST', '/channels/approved/rollback', { to: '1' })).error.code,
      'ERR_GONE',
    )
    const { output } = await old.update()
    t.match(output, /410 {2}what channel approved had at/, 'apt says so too')
    const runs = await sluice.api('GET', '/search/history?name=hello&channel=approved')
    t.ok(runs.every((run: { since: { serial: number } }) => run.since.serial > 1))
  },
)
