/**
 * Who is at work with what may be deleted, and who must not be disturbed at all.
 *
 * Work in progress finds things by their content and names them at its end (a refresh, a promotion). It takes a lease:
 * what was found dispensable since its begin is not deleted before its end, whatever the clock does meanwhile. A copy of
 * the whole (a backup) takes a hold: nothing is deleted before it lets go.
 */
import type { Clock } from './clock.ts'
import { createMutex, type Mutex } from './mutex.ts'

/** Ends a lease or a hold; again does nothing. */
export type LetGo = () => void

export interface Leases {
  /** Begins a lease. */
  begin(): LetGo
  /** Epoch milliseconds when the oldest lease that still runs began. */
  oldest(): number | undefined
  /** Resolves when all leases that run now have ended, whatever the clock said when they began. */
  othersEnded(): Promise<void>
  /** Waits until the piece of deletion under way has ended, and keeps the next one from beginning until it is let go. */
  hold(): Promise<LetGo>
  /** Runs a piece of deletion while nobody has a hold. */
  deleting: Mutex
}

/** No leases yet. */
export function createLeases(clock: Clock): Leases {
  const running = new Map<symbol, { readonly at: number; readonly ended: Promise<void> }>()
  const deleting = createMutex()
  return {
    begin: () => {
      const lease = Symbol('lease')
      const { promise: ended, resolve } = Promise.withResolvers<void>()
      running.set(lease, { at: clock.now(), ended })
      return () => {
        running.delete(lease)
        resolve()
      }
    },
    oldest: () => {
      const all = [...running.values()].map(({ at }) => at)
      return all.length === 0 ? undefined : Math.min(...all)
    },
    othersEnded: async () => {
      await Promise.all([...running.values()].map(({ ended }) => ended))
    },
    hold: async () => {
      const begun = Promise.withResolvers<void>()
      const held = Promise.withResolvers<void>()
      const over = deleting(() => {
        begun.resolve()
        return held.promise
      })
      over.catch(begun.reject)
      await begun.promise
      return held.resolve
    },
    deleting,
  }
}

/** Mutexes whose work has a lease from its begin to its end. */
export function leased(mutexes: (name: string) => Mutex, leases: Leases): (name: string) => Mutex {
  return (name) => (work) =>
    mutexes(name)(async () => {
      const end = leases.begin()
      try {
        return await work()
      } finally {
        end()
      }
    })
}
