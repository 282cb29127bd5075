/**
 * Removing a channel.
 */
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { deleteChannelRow, getChannel } from './channel-table.ts'
import { deleteGenerations } from './generation-table.ts'

/** Removes a channel with its history. Its key and Date floors stay, for a channel made anew under its name. */
export function deleteChannel(
  parts: ChannelParts,
  input: Reason & { readonly channel: string },
): Promise<void> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    await inTransaction(parts.db, async (trx) => {
      await deleteGenerations(trx, channel.id)
      await deleteChannelRow(trx, channel.id)
      await writeAudit(trx, {
        at: parts.clock.now(),
        who: input.who,
        what: 'channel delete',
        object: `channel ${channel.name}`,
        why: input.why,
        detail: { head: channel.head },
      })
    })
    parts.views.drop(channel.name)
  })
}
