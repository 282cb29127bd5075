/**
 * Holds that have an end: from then on a hold counts for nothing, whoever looks. A curated channel takes promotions of the
 * source again; a derived one follows its base, unless what it holds is newer: that stays as a promotion does.
 *
 * The row of a hold that is over stays until it is settled: with its line in the audit, in the transaction of whatever the
 * channel does next, or of the schedule (hold-schedule.ts). Until then it is told as over. A clock that is set back makes a
 * hold count again that is not settled yet.
 */
import type { Clock } from '../base/clock.ts'
import { writeAudit } from '../store/audit.ts'
import type { Db } from '../store/database.ts'
import { type Channel, titleOf } from './channel-table.ts'
import { dropPins, listPins, type Pin, putPins } from './pin-table.ts'

/** Whether it is a hold that has ended. */
export function isOver({ kind, until }: Pin, now: number): boolean {
  return kind === 'hold' && until !== undefined && until <= now
}

/** The holds of a channel that count now. */
export async function listHolds(
  { db, clock }: { readonly db: Db; readonly clock: Clock },
  channelId: number,
): Promise<Pin[]> {
  const now = clock.now()
  return (await listPins(db, channelId)).filter((pin) => pin.kind === 'hold' && !isOver(pin, now))
}

/** What is left of a derived channel's hold: it lasts until the base has as new a version. */
export function lifted(pin: Pin): Pin {
  return { ...pin, kind: 'promotion', until: undefined }
}

/** Writes down that these holds of a channel are over, with the audit; within the caller's transaction. */
export async function settleHolds(
  db: Db,
  { id, name, baseId }: Channel,
  { over, at }: { readonly over: readonly Pin[]; readonly at: number },
): Promise<void> {
  if (baseId === undefined) await dropPins(db, id, over)
  else await putPins(db, id, over.map(lifted))
  for (const pin of new Map(over.map((one) => [one.source, one])).values()) {
    const { source, until, who, why, madeAt } = pin
    await writeAudit(db, {
      at,
      who: 'system',
      what: 'hold expired',
      object: titleOf(name),
      why: `it was to end at ${new Date(until ?? at).toISOString()}`,
      detail: { source, until, by: who, since: madeAt, reason: why },
    })
  }
}

/** A channel's pins as they count now, and how what is over of them is settled: first in the caller's transaction. */
export async function settledPins(
  { db, clock }: { readonly db: Db; readonly clock: Clock },
  channel: Channel,
): Promise<{ readonly pins: readonly Pin[]; readonly settle: (trx: Db) => Promise<void> }> {
  const at = clock.now()
  const all = await listPins(db, channel.id)
  const over = all.filter((pin) => isOver(pin, at))
  return {
    pins: all.map((pin) => (over.includes(pin) ? lifted(pin) : pin)),
    settle: (trx) => settleHolds(trx, channel, { over, at }),
  }
}
