/**
 * Saying how much of its history a channel keeps.
 */
import { AppError } from '../base/errors.ts'
import type { ChannelParts, Reason } from '../channels/channel-parts.ts'
import { type Channel, getChannel, setRetention } from '../channels/channel-table.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import { LEAST_DAYS, LEAST_GENERATIONS } from './retention.ts'

/** What is to hold: undefined leaves it as it is, null is what the server's settings say. */
export interface RetentionInput extends Reason {
  readonly channel: string
  readonly generations?: number | null | undefined
  readonly days?: number | null | undefined
}

/** Sets it; what goes by that goes with the next collection. `ERR_USAGE` below what clients were promised. */
export function changeRetention(parts: ChannelParts, input: RetentionInput): Promise<Channel> {
  assertEnough(input.generations, LEAST_GENERATIONS, 'generations')
  assertEnough(input.days, LEAST_DAYS, 'days')
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const { keepGenerations, keepDays } = channel
    const now = {
      keepGenerations: chosen(input.generations, keepGenerations),
      keepDays: chosen(input.days, keepDays),
    }
    await inTransaction(parts.db, async (trx) => {
      await setRetention(trx, channel.id, now)
      await writeAudit(trx, {
        at: parts.clock.now(),
        who: input.who,
        what: 'channel set',
        object: `channel ${channel.name}`,
        why: input.why,
        detail: { before: { keepGenerations, keepDays }, now },
      })
    })
    return { ...channel, ...now }
  })
}

function chosen(wanted: number | null | undefined, before: number | undefined): number | undefined {
  if (wanted === undefined) return before
  return wanted ?? undefined
}

function assertEnough(value: number | null | undefined, least: number, what: string): void {
  if (value === undefined || value === null || (Number.isInteger(value) && value >= least)) return
  throw new AppError('ERR_USAGE', {
    message: `a channel keeps ${least} ${what} at the least, not ${value}`,
    hint: 'clients that were told of a generation must find what it names for a while',
  })
}
