/**
 * A clock that tests move on; meanwhile it runs at the machine's pace.
 */
import type { Clock } from '../../src/base/clock.ts'

export interface TestClock extends Clock {
  /** Moves the time on; whoever waited for a time up to then goes on. */
  advance(ms: number): void
}

/** A clock that shows the machine's time, `ago` milliseconds earlier, plus what it was advanced by. */
export function createTestClock(ago = 0): TestClock {
  let ahead = -ago
  const waiting = new Set<() => void>()
  const now = (): number => Date.now() + ahead
  return {
    now,
    advance: (ms) => {
      ahead += ms
      for (const look of [...waiting]) look()
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
