/**
 * The time, passed in wherever it matters, so that tests can hold it still or move it.
 */
import { setTimeout } from 'node:timers/promises'
import type { Abortable } from './abortable.ts'
import { createLeapWatch, type LeapWatch } from './clock-leap.ts'

export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
  /** Resolves when `now()` has reached `at`; rejects with an AbortError when the signal comes first. */
  until(at: number, abortable?: Abortable): Promise<void>
  /** By how much it leapt ahead a moment ago, where that is noticed: see clock-leap.ts. */
  readonly leaptMs?: LeapWatch | undefined
}

/** A machine that slept, or whose clock was set, is noticed within this time. */
const LOOK_AGAIN_MS = 60_000

const leaptMs = createLeapWatch(
  () => Date.now(),
  () => performance.now(),
)

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  leaptMs,
  until: async (at, { signal } = {}) => {
    for (let left = at - Date.now(); left > 0; left = at - Date.now()) {
      // Somebody always waits: so small steps are followed one by one.
      leaptMs()
      await setTimeout(Math.min(left, LOOK_AGAIN_MS), undefined, { signal })
    }
  },
}

/** Whole seconds since 1970, as Release files and HTTP dates carry them. */
export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000)
}
