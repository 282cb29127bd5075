/**
 * A bar and what is left: `[===========         ] 12 of 40 files, 3 s left`.
 */
import { formatSpan } from './words.ts'

const CELLS = 30

/** The bar of a part between 0 and 1; empty where there is no such part (0 of 0). */
export function bar(part: number): string {
  const full = Number.isNaN(part) ? 0 : Math.round(Math.min(1, Math.max(0, part)) * CELLS)
  return `[${'='.repeat(full)}${' '.repeat(CELLS - full)}]`
}

/** Tells how long a job goes on, judged by how fast it went so far; nothing in its first second. */
export interface Pace {
  /** `3 s left`, or nothing while that cannot be told. */
  left(done: number, total: number): string
}

/** A pace that begins now; `now` tells milliseconds. */
export function createPace(now: () => number = () => performance.now()): Pace {
  const startedAt = now()
  return {
    left: (done, total) => {
      const passedMs = now() - startedAt
      if (passedMs < 1000 || done <= 0 || done >= total) return ''
      return `${formatSpan((passedMs / done) * (total - done))} left`
    },
  }
}
