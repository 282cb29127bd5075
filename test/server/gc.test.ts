/**
 * When a server collects by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { brakeOf } from '../../src/keeping/gc-brake.ts'
import { noFigures } from '../../src/keeping/gc-figures.ts'
import { expiredOf } from '../../src/keeping/retention.ts'
import { isGcDue } from '../../src/server/gc.ts'
import { DAY_MS, makeAgedWorld } from '../support/aged-world.ts'

const HOUR_MS = 3600_000
const hello: PackageSpec = { name: 'hello', version: '1', arch: 'all' }

t.test(
  'it is once a night, when no file is fetched; else at the latest after a day and a half',
  async (t) => {
    const at = (hour: number): number => new Date(2026, 5, 10, hour).getTime()
    const startedAt = at(0) - 5 * DAY_MS
    const due = (hour: number, restedHours: number, isQuiet = true): boolean => {
      const now = at(hour)
      return isGcDue({ now, startedAt, lastAt: now - restedHours * HOUR_MS, isQuiet })
    }
    t.ok(due(3, 24))
    t.notOk(due(3, 24, false))
    t.notOk(due(3, 2), 'not twice in a night')
    t.notOk(due(12, 30))
    t.notOk(due(12, 24))
    t.ok(due(12, 36))
    t.ok(due(12, 36, false))
    const now = at(12)
    t.notOk(
      isGcDue({ now, startedAt: now - 60_000, lastAt: now - 30 * DAY_MS, isQuiet: true }),
      'just started',
    )
    t.notOk(
      isGcDue({ now, startedAt: now - DAY_MS, lastAt: undefined, isQuiet: true }),
      'never collected',
    )
    t.ok(isGcDue({ now, startedAt: now - 2 * DAY_MS, lastAt: undefined, isQuiet: true }))
  },
)

t.test('it happens by itself, and is told', async (t) => {
  const world = await makeAgedWorld(t, [hello])
  const { sluice } = world
  for (const name of ['testing', 'approved']) await sluice.api('DELETE', `/channels/${name}`)
  type Run = { endedAt: number; figures: { releases: number; rows: number } } | undefined
  const lastRun = async (): Promise<Run> => (await sluice.api('GET', '/gc')).last
  await world.pass(2 * DAY_MS)
  let first = await lastRun()
  for (; first === undefined; first = await lastRun()) await sleep(10)
  t.equal(first.figures.releases, 2)
  await world.pass(2 * DAY_MS)
  let second = await lastRun()
  for (; second?.endedAt === first.endedAt; second = await lastRun()) await sleep(10)
  t.ok((second?.figures.rows ?? 0) > 0)
  const [row] = await sluice.api('GET', '/audit?limit=1&what=gc')
  t.match(row, { who: 'system', what: 'gc', object: 'store', why: 'once a day' })
})

t.test('a generation is kept from the day on which it was replaced', async (t) => {
  const now = 1000 * DAY_MS
  // Serial 1 was served for 900 days, until yesterday; then one every minute.
  const all = [
    ...Array.from({ length: 20 }, (_, at) => ({
      serial: 21 - at,
      madeAt: now - DAY_MS - at * 60_000,
    })),
    { serial: 1, madeAt: now - 900 * DAY_MS },
  ]
  const rule = { generations: 10, days: 10 }
  t.same(expiredOf(all, 21, rule, now), [])
  const later = now + 10 * DAY_MS
  t.same(expiredOf(all, 21, rule, later), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
  t.same(expiredOf(all, 21, { generations: 20, days: 10 }, later), [1])
  t.same(expiredOf(all, 21, { generations: 10, days: 12 }, later), [])
  t.same(expiredOf(all, 5, rule, later), [11, 10, 9, 8, 7, 6, 4, 3, 2, 1], 'what is served stays')
  t.same(expiredOf([], 0, rule, later), [])
})

t.test('more than a fifth is too much, unless it is little', async (t) => {
  const store = { generations: 1000, chunks: 0, rows: 0, files: 0 }
  const brake = (due: object, rowBytes = 1e9, fileBytes = 9e9): string | undefined =>
    brakeOf({ due: { ...noFigures, ...due }, totals: { ...store, rowBytes, fileBytes } })
  t.equal(brake({}), undefined)
  t.equal(brake({ generations: 200, fileBytes: 2e9 }), undefined)
  t.match(brake({ generations: 201 }), /^it would delete 201 of 1000 generations \(20 %\), more/)
  t.match(brake({ fileBytes: 1.5e9, rowBytes: 0.6e9 }), /2100 MB of 10000 MB \(21 %\)/)
  t.match(brake({ generations: 900, fileBytes: 9e9 }), /900 of 1000 .* and 9000 MB of 10000 MB/)
  t.equal(brake({ fileBytes: 200e6 }, 0, 200e6), undefined, 'all of a small store')
})
