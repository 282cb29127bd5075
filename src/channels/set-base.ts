/**
 * Basing a derived channel or a class on another channel: it holds what that one holds at once, under newer Dates, so
 * that machines follow at their next update, whichever of the two is newer.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { writeAudit } from '../store/audit.ts'
import { assertBase, getBase } from './channel-base.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel, setBase, titleOf } from './channel-table.ts'
import { publishDerived, readBelow } from './derive.ts'
import type { SuiteEntry } from './draft-suite.ts'
import type { Generation } from './generation-table.ts'
import { listPins } from './pin-table.ts'

export interface Move {
  /** Name of the channel that it was based on. */
  readonly before: string
  readonly base: string
  /** Absent where the new base holds what the old one did. */
  readonly generation?: Generation | undefined
  /** Suites that it had and has no more: machines that have them in their sources get errors. */
  readonly lost: readonly Pick<SuiteEntry, 'archive' | 'suite'>[]
}

/** Bases `channel` on `base`; `ERR_REFUSED` for one that is based on nothing, for cycles, and where `base` holds nothing. */
export function changeBase(
  parts: ChannelParts,
  input: Reason & { readonly channel: string; readonly base: string },
  { signal }: Abortable = {},
): Promise<Move> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const base = await getChannel(parts.db, input.base)
    if (channel.baseId === undefined) throw basedOnNothing(channel)
    const { id, name } = channel
    await assertBase(parts.db, base, { name, id })
    const before = await getBase(parts.db, channel)
    const { entries } = await readBelow(parts, channel, base)
    if (entries.length === 0) throw holdsNothing(channel, base)
    const had = parts.views.head(name)?.suites ?? []
    const generation = await publishDerived(
      parts,
      {
        channel: { ...channel, baseId: base.id },
        pins: await listPins(parts.db, id),
        kind: 'move',
        who: input.who,
        why: input.why ?? `from ${before.name} to ${base.name}`,
        also: async (trx) => {
          // What was looked at above may have changed while Releases were signed.
          await assertBase(trx, await getChannel(trx, input.base), { name, id })
          await setBase(trx, id, base.id)
          const title = titleOf(name)
          await writeAudit(trx, {
            at: parts.clock.now(),
            who: input.who,
            what: `${title.split(' ')[0]} set`,
            object: title,
            why: input.why,
            detail: { before: before.name, base: base.name },
          })
        },
      },
      { signal },
    )
    parts.derivation.wake(id)
    const has = parts.views.head(name)?.suites ?? []
    const lost = had.filter(
      (old) => !has.some((one) => one.archive === old.archive && one.suite === old.suite),
    )
    return {
      before: before.name,
      base: base.name,
      generation,
      lost: lost.map(({ archive, suite }) => ({ archive, suite })),
    }
  })
}

function basedOnNothing({ name, kind }: Channel): AppError {
  return new AppError('ERR_REFUSED', {
    message: `channel ${name} is ${kind}: it is based on no channel`,
    hint: 'make a derived one: sluice channel create NAME --base CHANNEL',
  })
}

function holdsNothing(channel: Channel, base: Channel): AppError {
  return new AppError('ERR_REFUSED', {
    message: `channel ${base.name} holds nothing yet: machines on ${titleOf(channel.name)} would get nothing`,
    hint: `sluice channel show ${base.name}`,
  })
}
