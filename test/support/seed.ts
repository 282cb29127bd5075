/**
 * What tests that draw at random begin with. `npm test` draws the same each time: a run tells of the change that it tries, and
 * not of luck. New draws are what soaks are for.
 */

/** The seed that was told (by SEED or SLUICE_SEED, as the test says), else one of its own in a soak, else always the same. */
export function seedOr(told: string | undefined): number {
  if (told !== undefined) return Number(told)
  return process.env.SOAK === undefined ? 1 : Math.floor(Math.random() * 1e6)
}

/** One in `oneIn` of the list, which ones is told by the seed; in a soak all. */
export function drawn<T>(list: readonly T[], oneIn: number, seed: number): T[] {
  return list.filter((_, at) => process.env.SOAK !== undefined || (seed + at) % oneIn === 0)
}
