/**
 * A clock that runs faster than the machine's and never passes it: what an archive lives through in weeks is then tried in
 * minutes. It is given by numbers, so that several processes, and a server that is started again, share one time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../src/base/clock.ts'

export interface Pace {
  /** The machine's time when the clock was started, and what it showed then: epoch milliseconds. */
  readonly startedAt: number
  readonly showed: number
  /** How many milliseconds pass in one of the machine's. */
  readonly rate: number
}

/** The pace of a clock that is started now and will show the machine's time in `forMs`, or stop short of it. */
export function paceFor(forMs: number, rate: number): Pace {
  const startedAt = Date.now()
  return { startedAt, showed: startedAt - forMs * rate, rate }
}

/** The clock of this pace. */
export function fastClock({ startedAt, showed, rate }: Pace): Clock {
  const now = (): number => Math.min(Date.now(), showed + (Date.now() - startedAt) * rate)
  return {
    now,
    until: async (at, { signal } = {}) => {
      for (let left = at - now(); left > 0; left = at - now()) {
        await sleep(Math.max(1, Math.min(left / rate, 1000)), undefined, { signal })
      }
    },
  }
}
