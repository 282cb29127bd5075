/**
 * The time, passed in wherever it matters, so that tests can hold it still or move it.
 */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
}

/** The machine's own clock. */
export const systemClock: Clock = { now: () => Date.now() }

/** Whole seconds since 1970, as Release files and HTTP dates carry them. */
export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000)
}
