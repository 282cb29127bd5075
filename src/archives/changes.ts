/**
 * Counts the writes of tables that answers are made of, so that what is remembered of them is known to hold. Only the owners of
 * the tables count, each write after it was made and before anybody else has the connection. One count for all databases of the
 * process: a write of another one costs a query too many, and is seen by nobody otherwise.
 */

/** `archives`: the table `archive`; `suites`: the table `archive_suite`, with each look upstream; `origins`: the table `origin`;
 * `heads`: what channels serve; `learned`: the table `learned_suite`.
 */
export type Changing = 'archives' | 'suites' | 'origins' | 'heads' | 'learned'

/** Only ever compared with another. */
export type ChangeCount = number

const counts: Record<Changing, ChangeCount> = {
  archives: 0,
  suites: 0,
  origins: 0,
  heads: 0,
  learned: 0,
}
const listeners = new Set<() => void>()

/** Tells that this was written to. */
export function noteChange(what: Changing): void {
  counts[what] += 1
  for (const listener of listeners) listener()
}

/** The same number as before: nothing was written meanwhile. */
export function countChanges(what: Changing): ChangeCount {
  return counts[what]
}

/** Tells this listener of each write, in the same turn; until what it gives is called. */
export function onChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
