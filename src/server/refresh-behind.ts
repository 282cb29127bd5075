/**
 * Looks upstream because somebody asked: who asks for a suite that upstream did not confirm for some minutes is answered
 * at once with what is here, and its archive is refreshed behind him, for those who come later.
 *
 * However many ask, an archive is looked at once in five minutes, and one archive at a time. One that fails is left for
 * longer each time, and no sooner than it told (`Retry-After`, see archives/origin-circuit.ts). The pauses count by the
 * monotonic clock: a clock that is set back or leaps ahead neither stops nor multiplies them.
 */
import type { Clock } from '../base/clock.ts'

const FRESH_MS = 5 * 60_000
const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 30 * 60_000

/** Refreshes an archive; false if that failed. */
export type RefreshWork = (archive: string, signal: AbortSignal) => Promise<boolean>

export interface RefreshBehind {
  /**
   * Something of this archive that can change was asked for, confirmed then (epoch milliseconds; undefined: not known). Costs
   * next to nothing, and waits for nothing.
   */
  ring(archive: string, confirmedAt: number | undefined): void
  /** From now on it is done, by this work; before, nothing is. */
  start(work: RefreshWork): void
  /** Resolves when what is under way has ended. */
  stop(): Promise<void>
}

interface State {
  readonly clock: Clock
  readonly now: () => number
  readonly freshMs: number
  readonly stopping: AbortController
  readonly lookedAt: Map<string, { failures: number; notBefore: number }>
  work: RefreshWork | undefined
  /** Ends with the last that was begun. */
  last: Promise<void>
}

export interface RefreshBehindOptions {
  /** What is younger is not looked at; five minutes, unless told. */
  readonly freshMs?: number | undefined
  /** Monotonic milliseconds; for tests. */
  readonly now?: (() => number) | undefined
}

/** Nothing is done before `start`. */
export function createRefreshBehind(
  clock: Clock,
  { freshMs = FRESH_MS, now = () => performance.now() }: RefreshBehindOptions = {},
): RefreshBehind {
  const state: State = {
    clock,
    now,
    freshMs: Math.min(freshMs, FRESH_MS),
    stopping: new AbortController(),
    lookedAt: new Map(),
    work: undefined,
    last: Promise.resolve(),
  }
  return {
    ring: (archive, confirmedAt) => {
      const ageMs = clock.now() - (confirmedAt ?? 0)
      if (ageMs >= 0 && ageMs < state.freshMs) return
      const { work, stopping } = state
      // What was learned is called by its URL, and looked at by who learned it.
      if (archive.includes('/')) return
      if (work === undefined || stopping.signal.aborted) return
      if (now() < (state.lookedAt.get(archive)?.notBefore ?? 0)) return
      begin(state, archive, work)
    },
    start: (work) => {
      state.work = work
    },
    stop: async () => {
      state.stopping.abort()
      await state.last
    },
  }
}

function begin(state: State, archive: string, work: RefreshWork): void {
  const { signal } = state.stopping
  const failures = state.lookedAt.get(archive)?.failures ?? 0
  // Nobody begins it again while it waits or goes on.
  state.lookedAt.set(archive, { failures, notBefore: Number.POSITIVE_INFINITY })
  const run = async (): Promise<void> => {
    const isGood = !signal.aborted && (await work(archive, signal).catch(() => false))
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures)
    state.lookedAt.set(
      archive,
      isGood
        ? { failures: 0, notBefore: state.now() + state.freshMs }
        : { failures: failures + 1, notBefore: state.now() + pauseMs },
    )
  }
  state.last = state.last.then(run)
}
