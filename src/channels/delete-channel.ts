/**
 * Removing a channel or a class; not while something is based on it.
 */
import { AppError } from '../base/errors.ts'
import { findPublication } from '../signing/publication-table.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import { listDependents } from './channel-base.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { deleteChannelRow, getChannel, titleOf } from './channel-table.ts'
import { dropAllDeclines } from './decline-table.ts'
import { publicationOf } from './ensure-publication.ts'
import { deleteGenerations } from './generation-table.ts'
import { forgetServed } from './pdiff-table.ts'
import { dropAllPins } from './pin-table.ts'

/**
 * Removes a channel with its history; `ERR_REFUSED` while a class or a derived channel uses it. Its key and Date floors
 * stay, for a channel made anew under its name.
 */
export function deleteChannel(
  parts: ChannelParts,
  input: Reason & { readonly channel: string },
): Promise<void> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const title = titleOf(channel.name)
    await inTransaction(parts.db, async (trx) => {
      const used = usedBy(channel.name, await listDependents(trx, channel.id))
      if (used !== undefined) throw used
      await deleteGenerations(trx, channel.id)
      await dropAllPins(trx, channel.id)
      await dropAllDeclines(trx, channel.id)
      const publication = await findPublication(trx, publicationOf(channel.name))
      if (publication !== undefined) await forgetServed(trx, publication.id)
      await deleteChannelRow(trx, channel.id)
      await writeAudit(trx, {
        at: parts.clock.now(),
        who: input.who,
        what: `${title.split(' ')[0]} delete`,
        object: title,
        why: input.why,
        detail: { head: channel.head },
      })
    })
    parts.views.drop(channel.name)
  })
}

function usedBy(
  name: string,
  { derived, classes }: Awaited<ReturnType<typeof listDependents>>,
): AppError | undefined {
  const users = [...derived.map((one) => `channel ${one}`), ...classes.map((one) => `class ${one}`)]
  if (users.length === 0) return undefined
  const [channel, ofClass] = [derived[0], classes[0]]
  const moves = [
    ...(channel === undefined ? [] : [`sluice channel set ${channel} --base CHANNEL`]),
    ...(ofClass === undefined ? [] : [`sluice class set ${ofClass} --channel CHANNEL`]),
  ]
  return new AppError('ERR_REFUSED', {
    message: `channel ${name} is what ${users.join(', ')} ${users.length === 1 ? 'is' : 'are'} based on`,
    hint: `move what uses it first: ${moves.join('; ')}`,
  })
}
