/**
 * Which generations a channel keeps: its newest ones by number, and all that were served within a span of days.
 *
 * What counts is when a generation stopped being the head, not when it was made: a client may hold what it was told until
 * then, and has to find all that this names for as long as was promised (invariant 5). The head is always kept.
 */
import type { Channel } from '../channels/channel-table.ts'
import type { SerialTime } from '../channels/generation-removal.ts'

/** How much is kept at the least; one of the two is enough for a generation to stay. */
export interface Retention {
  readonly generations: number
  readonly days: number
}

/** Less than this is no promise: machines look once a day, and are off over a weekend. */
export const LEAST_GENERATIONS = 10
export const LEAST_DAYS = 10

const DAY_MS = 24 * 3600_000

/** The generations that are not kept any more at `now`, of all that a channel has (newest first), newest first. */
export function expiredOf(
  all: readonly SerialTime[],
  head: number,
  { generations, days }: Retention,
  now: number,
): number[] {
  return all.flatMap(({ serial }, at) => {
    const replacedAt = all[at - 1]?.madeAt ?? now
    const isKept = serial === head || at < generations || replacedAt > now - days * DAY_MS
    return isKept ? [] : [serial]
  })
}

/** What holds for a channel: its own settings, else the server's. */
export function retentionOf(
  { keepGenerations, keepDays }: Pick<Channel, 'keepGenerations' | 'keepDays'>,
  server: Retention,
): Retention {
  return {
    generations: keepGenerations ?? server.generations,
    days: keepDays ?? server.days,
  }
}
