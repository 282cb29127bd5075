/**
 * Saying which archives a channel follows.
 */
import { getArchive } from '../archives/archive-table.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { getChannel, isClass, setFollows, titleOf } from './channel-table.ts'
import { deriveChannel } from './derive.ts'
import { followArchives } from './follow.ts'
import type { Generation } from './generation-table.ts'

/** Says anew which archives a following channel tracks, or a derived one besides its base, and brings it to what they hold. */
export async function setFollowed(
  parts: ChannelParts,
  input: Reason & { readonly channel: string; readonly follow: readonly string[] },
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  for (const archive of input.follow) await getArchive(parts.db, archive)
  const channel = await parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    if (channel.kind === 'curated') {
      throw new AppError('ERR_REFUSED', {
        message: `channel ${channel.name} changes by promotion only; it follows nothing`,
        hint: `let the channel that it is promoted from follow the archive, then: sluice promote --all --to ${channel.name}`,
      })
    }
    if (isClass(channel)) {
      throw new AppError('ERR_REFUSED', {
        message: `${titleOf(channel.name)} is what its channel is`,
        hint: 'let that channel follow the archive: sluice class list tells which it is',
      })
    }
    await inTransaction(parts.db, async (trx) => {
      await setFollows(trx, channel.id, input.follow)
      await writeAudit(trx, {
        at: parts.clock.now(),
        who: input.who,
        what: 'channel set',
        object: `channel ${channel.name}`,
        why: input.why,
        detail: { before: channel.follows, follow: input.follow },
      })
    })
    return channel
  })
  return channel.baseId === undefined
    ? followArchives(parts, input, { signal })
    : deriveChannel(parts, input, { signal })
}
