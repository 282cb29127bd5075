/**
 * Making what is based on a channel: a derived channel, or what is published for a class.
 */
import { getArchive } from '../archives/archive-table.ts'
import type { Abortable } from '../base/abortable.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction } from '../store/database.ts'
import { assertBase } from './channel-base.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel, insertChannel, titleOf } from './channel-table.ts'
import { readBelow } from './derive.ts'
import { type NewChannel, publishGeneration } from './publish.ts'
import { assertCanBeCalled } from './taken-names.ts'

export interface CreateBasedInput extends Reason {
  readonly name: string
  readonly kind: 'derived' | 'class'
  /** Name of the channel to be based on. */
  readonly base: string
  /** Archives to follow besides, where the base lacks the suite. */
  readonly follow: readonly string[]
}

/** Makes it together with its first generation; without one while its base holds nothing. */
export async function createBased(
  parts: ChannelParts,
  input: CreateBasedInput,
  { signal }: Abortable = {},
): Promise<Channel> {
  const { name, kind, follow } = input
  for (const archive of follow) await getArchive(parts.db, archive)
  const insert = async (trx: Db): Promise<Channel> => {
    const base = await getChannel(trx, input.base)
    await assertBase(trx, base, { name })
    const madeAt = parts.clock.now()
    const made = await insertChannel(trx, { name, kind, follows: follow, madeAt, baseId: base.id })
    const title = titleOf(name)
    await writeAudit(trx, {
      at: madeAt,
      who: input.who,
      what: `${title.split(' ')[0]} create`,
      object: title,
      why: input.why,
      detail: kind === 'class' ? { channel: base.name } : { base: base.name, follow },
    })
    return made
  }
  return parts.channelLock(name)(async () => {
    await assertCanBeCalled(parts.db, name)
    const base = await getChannel(parts.db, input.base)
    await assertBase(parts.db, base, { name })
    const { entries, serial } = await readBelow(parts, { follows: follow }, base)
    if (entries.length === 0) return inTransaction(parts.db, insert)
    const channel: NewChannel = { name, head: 0, insert }
    await publishGeneration(parts, { ...input, channel, kind: 'create', entries }, { signal })
    const made = await getChannel(parts.db, name)
    parts.derivation.noteDone(made.id, serial)
    // Its base may have been flipped while this was made.
    parts.derivation.wake(made.id)
    return made
  })
}
