/**
 * Holds: a source package is kept in a channel as it is. A derived channel has it so whatever its base does; to a curated
 * one no promotion of it is made. All suites of the channel are meant, also those that lack the source: it does not come
 * in by another suite.
 */
import { chunksOfSource } from '../archives/chunk-table.ts'
import { readState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel, titleOf } from './channel-table.ts'
import { publishDerived } from './derive.ts'
import type { Generation } from './generation-table.ts'
import { lifted, settledPins } from './hold-end.ts'
import { versionsIn } from './pin-order.ts'
import { dropPins, listPins, type Pin, putPins } from './pin-table.ts'
import { withPins } from './promotion-target.ts'

export interface HoldInput extends Reason {
  readonly channel: string
  readonly source: string
  /** Epoch milliseconds, to come: when the hold ends by itself. */
  readonly until?: number | undefined
  /** Of who has the change made, for the audit, where `why` is what the hold is for. */
  readonly auditWhy?: string | undefined
}

/**
 * Holds a source as the channel has it now; one that is held gets the new reason, and the new end or none. The pins, one for
 * each suite.
 */
export function hold(parts: ChannelParts, input: HoldInput): Promise<readonly Pin[]> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    assertCanHold(channel)
    const { source, who, why, until } = input
    assertIsToCome(until, parts.clock.now())
    const head = parts.views.head(channel.name)
    if (head === undefined) {
      throw new AppError('ERR_REFUSED', {
        message: `channel ${channel.name} holds nothing yet`,
        hint: `sluice channel show ${channel.name}`,
      })
    }
    await assertIsSource(parts.db, source)
    const madeAt = parts.clock.now()
    const pins: Pin[] = []
    for (const { archive, suite, state } of head.suites) {
      const versions = await versionsIn(parts, await readState(parts.blobs, state), source)
      const pinned = { archive, suite, source, kind: 'hold' as const, state }
      pins.push({ ...pinned, old: versions, new: versions, madeAt, who, why, until })
    }
    const { settle } = await settledPins(parts, channel)
    await inTransaction(parts.db, async (trx) => {
      await settle(trx)
      await putPins(trx, channel.id, pins)
      const held = pins.filter((pin) => pin.new.length > 0)
      const suites = held.map((pin) => [pin.archive, pin.suite, ...pin.new])
      const detail = { source, suites, until }
      const object = titleOf(channel.name)
      await writeAudit(trx, {
        at: madeAt,
        who,
        what: 'hold',
        object,
        why: input.auditWhy ?? why,
        detail: input.auditWhy === undefined ? detail : { ...detail, reason: why },
      })
    })
    if (until !== undefined) parts.holdEnds.ring()
    return pins
  })
}

/**
 * Lifts a hold: a derived channel follows its base again, unless what it holds is newer: that stays as a promotion does.
 * Undefined where nothing changes by it; `ERR_NOT_FOUND` if the source is not held.
 */
export function unhold(
  parts: ChannelParts,
  input: HoldInput,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const { source, who, why } = input
    const all = await listPins(parts.db, channel.id)
    const held = all.filter((pin) => pin.kind === 'hold' && pin.source === source)
    if (held.length === 0) {
      throw new AppError('ERR_NOT_FOUND', {
        message: `${source} is not held in channel ${channel.name}`,
        hint: `sluice hold --list --channel ${channel.name}`,
      })
    }
    const audit = (trx: Db): Promise<void> => {
      const detail = { source }
      const object = titleOf(channel.name)
      return writeAudit(trx, { at: parts.clock.now(), who, what: 'unhold', object, why, detail })
    }
    if (channel.baseId === undefined) {
      await inTransaction(parts.db, async (trx) => {
        await dropPins(trx, channel.id, held)
        await audit(trx)
      })
      return undefined
    }
    const freed = held.map(lifted)
    return publishDerived(
      parts,
      {
        channel,
        pins: withPins(all, freed),
        who,
        why: why ?? `${source} is not held any more`,
        also: async (trx) => {
          await putPins(trx, channel.id, freed)
          await audit(trx)
        },
      },
      { signal },
    )
  })
}

function assertCanHold({ name, kind }: Channel): void {
  if (kind === 'following') {
    throw new AppError('ERR_REFUSED', {
      message: `channel ${name} follows its archives: it keeps nothing back`,
      hint: `hold it in a channel that is based on ${name}: sluice channel create NAME --base ${name}`,
    })
  }
  if (kind === 'class') {
    throw new AppError('ERR_REFUSED', {
      message: `${titleOf(name)} is what its channel is: it keeps nothing back`,
      hint: 'hold it in that channel: sluice class list tells which it is',
    })
  }
}

function assertIsToCome(until: number | undefined, now: number): void {
  if (until === undefined || until > now) return
  throw new AppError('ERR_USAGE', {
    message: `the hold would be over already: it ends at ${new Date(until).toISOString()}`,
    hint: 'name a time to come: --until 2w',
  })
}

/** Throws `ERR_NOT_FOUND` if no archive ever had a source package of this name. */
export async function assertIsSource(db: Db, source: string): Promise<void> {
  if ((await chunksOfSource(db, source)).size > 0) return
  throw new AppError('ERR_NOT_FOUND', {
    message: `no archive has a source package ${source}`,
    hint: `this goes by source package: sluice search ${source}`,
  })
}
