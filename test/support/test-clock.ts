/**
 * A clock that tests move on; meanwhile it runs at the machine's pace.
 */
import type { Clock } from '../../src/base/clock.ts'
import { createLeapWatch } from '../../src/base/clock-leap.ts'

export interface TestClock extends Clock {
  /** Moves the time on; whoever waited for a time up to then goes on. */
  advance(ms: number): void
  /** Sets the clock, which is no time that passes: what its `leaptMs` notices. */
  leap(ms: number): void
}

/** A clock that shows the machine's time, `ago` milliseconds earlier, plus what it was advanced by. */
export function createTestClock(ago = 0): TestClock {
  let ahead = -ago
  let leapt = 0
  const waiting = new Set<() => void>()
  const now = (): number => Date.now() + ahead + leapt
  const look = (): void => {
    for (const one of [...waiting]) one()
  }
  return {
    now,
    leaptMs: createLeapWatch(now, () => now() - leapt),
    advance: (ms) => {
      ahead += ms
      look()
    },
    leap: (ms) => {
      leapt += ms
      look()
    },
    until: async (at, { signal } = {}) => {
      while (now() < at) {
        signal?.throwIfAborted()
        const moved = Promise.withResolvers<void>()
        const timer = setTimeout(moved.resolve, Math.min(at - now(), 2 ** 30))
        waiting.add(moved.resolve)
        signal?.addEventListener('abort', () => moved.resolve(), { once: true })
        await moved.promise
        clearTimeout(timer)
        waiting.delete(moved.resolve)
      }
      signal?.throwIfAborted()
    },
  }
}
