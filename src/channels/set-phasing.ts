/**
 * Saying whether promotions to a channel keep `Phased-Update-Percentage`.
 */
import { AppError } from '../base/errors.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel, setKeepsPhasing } from './channel-table.ts'

/** Says it for promotions to come: what is there stays as it is. `ERR_REFUSED` for a channel that takes no promotion. */
export function changePhasing(
  parts: ChannelParts,
  input: Reason & { readonly channel: string; readonly keepsPhasing: boolean },
): Promise<Channel> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const { name, kind, keepsPhasing: before } = channel
    if (kind === 'following' || kind === 'class') {
      throw new AppError('ERR_REFUSED', {
        message: `${name} takes no promotion: it has the phasing that what it follows has`,
        hint: 'say it of the channels that are promoted to: sluice channel list',
      })
    }
    const { keepsPhasing } = input
    if (before === keepsPhasing) return channel
    await inTransaction(parts.db, async (trx) => {
      await setKeepsPhasing(trx, channel.id, keepsPhasing)
      await writeAudit(trx, {
        at: parts.clock.now(),
        who: input.who,
        what: 'channel set',
        object: `channel ${name}`,
        why: input.why,
        detail: { before: { keepsPhasing: before }, now: { keepsPhasing } },
      })
    })
    return { ...channel, keepsPhasing }
  })
}
