/**
 * Making channels: one that follows archives, or a copy of what another has now.
 */
import { getArchive } from '../archives/archive-table.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel, insertChannel, isChannelName } from './channel-table.ts'
import { createBased } from './create-based.ts'
import { followedEntries } from './follow.ts'
import { findGeneration } from './generation-name.ts'
import { type NewChannel, publishGeneration } from './publish.ts'
import { assertCanBeCalled } from './taken-names.ts'

export interface CreateInput extends Reason {
  readonly name: string
  /** Archives to follow; or a channel, or `CHANNEL@SERIAL` or `CHANNEL@TIME`, to copy once. */
  readonly source:
    | { readonly follow: readonly string[] }
    | { readonly from: string }
    /** A channel to be based on, and archives to follow besides. */
    | { readonly base: string; readonly follow: readonly string[] }
}

/**
 * Makes a channel together with its first generation; a following one may have none until its archives hold something.
 */
export async function createChannel(
  parts: ChannelParts,
  input: CreateInput,
  { signal }: Abortable = {},
): Promise<Channel> {
  if (!isChannelName(input.name)) {
    throw new AppError('ERR_USAGE', {
      message: `a channel cannot be called ${JSON.stringify(input.name)}`,
      hint: 'lower-case letters, digits, dots, plus and minus, beginning with a letter or digit',
    })
  }
  if ('base' in input.source) {
    const { name, who, why } = input
    return createBased(parts, { name, who, why, kind: 'derived', ...input.source }, { signal })
  }
  const follows = 'follow' in input.source ? input.source.follow : []
  for (const archive of follows) await getArchive(parts.db, archive)
  const from = 'from' in input.source ? await findGeneration(parts, input.source.from) : undefined
  const insert = async (trx: Db): Promise<Channel> => {
    const kind = from === undefined ? 'following' : 'curated'
    const made = await insertChannel(trx, {
      name: input.name,
      kind,
      follows,
      madeAt: parts.clock.now(),
    })
    const detail = 'from' in input.source ? { from: input.source.from } : { follow: follows }
    await writeAudit(trx, {
      at: parts.clock.now(),
      who: input.who,
      what: 'channel create',
      object: `channel ${input.name}`,
      why: input.why,
      detail,
    })
    return made
  }
  return parts.channelLock(input.name)(async () => {
    await assertCanBeCalled(parts.db, input.name)
    const entries = from?.suites ?? (await followedEntries(parts, follows))
    if (entries.length === 0) return inTransaction(parts.db, insert)
    const channel: NewChannel = { name: input.name, head: 0, insert }
    await publishGeneration(parts, { ...input, channel, kind: 'create', entries }, { signal })
    return getChannel(parts.db, input.name)
  })
}
