/**
 * Waiting for news: many readers wait for one writer's progress. A ring wakes all who wait at that moment, and is not
 * remembered: look at the state first, then wait, with nothing awaited between.
 */
export interface Bell {
  /** Wakes all who wait. */
  ring(): void
  /** Resolves at the next ring, or when the signal is aborted (which the caller looks at). */
  wait(signal: AbortSignal | undefined): Promise<void>
}

/** A bell that nobody waits for yet. */
export function createBell(): Bell {
  const waiting = new Set<() => void>()
  return {
    ring: () => {
      for (const wake of waiting) wake()
    },
    wait: async (signal) => {
      if (signal?.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const wake = (): void => resolve()
      waiting.add(wake)
      signal?.addEventListener('abort', wake)
      await promise
      waiting.delete(wake)
      signal?.removeEventListener('abort', wake)
    },
  }
}
