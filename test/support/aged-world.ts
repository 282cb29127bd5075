/**
 * A world whose clock begins at noon of a day long past and is moved on by days: for what a server does over weeks. At noon
 * it collects nothing by itself, unless more than a day and a half has passed since it last did.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createMutex } from '../../src/base/mutex.ts'
import { createTestClock, type TestClock } from './test-clock.ts'
import { makeWorld, type World } from './world.ts'

const HOUR_MS = 3600_000
export const DAY_MS = 24 * HOUR_MS

export interface AgedWorld extends World {
  readonly clock: TestClock
  /** Moves the time on, and waits until what is due by then is signed anew. */
  pass(ms: number): Promise<void>
  /** Publishes at upstream as of the world's time, and has Sluice look; its answer. */
  renew(packages: readonly PackageSpec[]): ReturnType<World['sluice']['api']>
  /** Promotes all of testing to approved. */
  promote(): ReturnType<World['sluice']['api']>
  /** Makes so many generations of approved, by rolling back to two older ones in turns. */
  rollBack(count: number, serials: readonly [number, number]): Promise<void>
  /** Lets days pass, with a collection on each of them; what the last one reported. */
  live(days: number): ReturnType<World['sluice']['api']>
}

/** Options of sources of a real apt, whose time is the machine's. */
export const anyTime = ' check-valid-until=no'

/** Makes it; ten generations and ten days are kept. */
export async function makeAgedWorld(
  t: Test,
  packages: readonly PackageSpec[],
  flags: Record<string, string> = {},
): Promise<AgedWorld> {
  const begin = new Date(Date.now() - 200 * DAY_MS)
  begin.setHours(12, 0, 0, 0)
  const clock = createTestClock(Date.now() - begin.getTime())
  const made = new Date(clock.now() - 3600_000)
  const world = await makeWorld(t, packages, {
    publish: { date: made, sign: { signedAt: made } },
    key: { createdAt: new Date(clock.now() - DAY_MS) },
    start: {
      clock,
      flags: {
        'retain-generations': '10',
        'retain-days': '10',
        'log-level': 'silent',
        ...flags,
      },
    },
  })
  const { sluice } = world
  const pass: AgedWorld['pass'] = async (ms) => {
    clock.advance(ms)
    const isDue = ({ validUntil }: { validUntil: number | null }): boolean =>
      validUntil !== null && validUntil * 1000 <= clock.now() + 7 * DAY_MS
    // It is looked for once an hour: the last look may have been just before.
    for (let looks = 1; (await sluice.api('GET', '/channels')).some(isDue); looks++) {
      await sleep(10)
      if (looks % 50 === 0) clock.advance(HOUR_MS)
    }
  }
  const oneAtATime = createMutex()
  const renew: AgedWorld['renew'] = async (some) => {
    await oneAtATime(async () => {
      clock.advance(60_000)
      const date = new Date(clock.now() - 30_000)
      await world.publish(some, { date, sign: { signedAt: date } })
    })
    return sluice.api('POST', '/archives/refresh')
  }
  const promote: AgedWorld['promote'] = () =>
    sluice.api('POST', '/promotions', {
      from: 'testing',
      to: 'approved',
      all: true,
      removals: true,
    })
  const rollBack: AgedWorld['rollBack'] = async (count, serials) => {
    for (let at = 0; at < count; at++) {
      await sluice.api('POST', '/channels/approved/rollback', { to: serials[at % 2] })
    }
  }
  const live: AgedWorld['live'] = async (days) => {
    let report: unknown
    for (let day = 0; day < days; day++) {
      await pass(DAY_MS)
      report = await sluice.api('POST', '/gc', {})
    }
    return report
  }
  return { ...world, clock, pass, renew, promote, rollBack, live }
}
