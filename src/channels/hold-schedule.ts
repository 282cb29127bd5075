/**
 * Settles holds when they end (hold-end.ts): those of derived channels go on with their base then. What ended while the
 * server was off, or while the clock leapt ahead, is settled at the start, or within a minute.
 */
import type { Abortable } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts } from './channel-parts.ts'
import { findChannelById, getChannel, listChannels } from './channel-table.ts'
import { publishDerived } from './derive.ts'
import type { Generation } from './generation-table.ts'
import { isOver, settleHolds } from './hold-end.ts'
import { firstHoldEnd, listPins } from './pin-table.ts'

const HOUR_MS = 3600_000
/** By the machine's own timer, whatever its clock does meanwhile. */
const LOOK_AGAIN_MS = 60_000
const RETRY_MS = 2 * 60_000

export interface HoldSchedule {
  /** Resolves when the round under way has ended. */
  stop(): Promise<void>
}

/** Starts it; `parts.holdEnds` is rung for a hold that is made or changed meanwhile. */
export function startHoldEnds(parts: ChannelParts, log: Log): HoldSchedule {
  const { clock, holdEnds } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      const round = new AbortController()
      const isOver = AbortSignal.any([signal, round.signal])
      // Before looking: a hold that is made while this looks is seen by the next look.
      const rung = holdEnds.wait(isOver)
      const until = await settleAll(parts, log, signal).catch((error: unknown) => {
        const { code, message } = toAppError(error)
        if (!signal.aborted) log.error({ code, problem: message }, 'holds not looked at')
        return clock.now() + RETRY_MS
      })
      const waking = AbortSignal.any([isOver, AbortSignal.timeout(LOOK_AGAIN_MS)])
      const due = clock.until(until, { signal: waking }).catch(() => undefined)
      await Promise.race([rung, due])
      round.abort()
    }
  }
  const running = loop()
  return {
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

/** Settles what is over in all channels; says when the next hold ends. */
async function settleAll(parts: ChannelParts, log: Log, signal: AbortSignal): Promise<number> {
  const { db, clock } = parts
  let isGood = true
  const first = await firstHoldEnd(db)
  const isDue = first !== undefined && first <= clock.now()
  for (const { id, name: channel } of isDue ? await listChannels(db) : []) {
    try {
      const { sources, generation } = await endHolds(parts, { channel }, { signal })
      if (sources.length === 0) continue
      log.info({ channel, sources, serial: generation?.serial }, 'holds are over')
    } catch (error) {
      if (signal.aborted) break
      // One that was deleted or renamed meanwhile is no failure.
      isGood = false
      if ((await findChannelById(db, id))?.name !== channel) continue
      const { code, message } = toAppError(error)
      log.error({ channel, code, problem: message }, 'holds not ended')
    }
  }
  if (!isGood) return clock.now() + RETRY_MS
  return Math.min(clock.now() + HOUR_MS, (await firstHoldEnd(db)) ?? Number.POSITIVE_INFINITY)
}

/** Ends the holds of a channel that are over; the sources, and the generation in which a derived channel went on without. */
export function endHolds(
  parts: ChannelParts,
  { channel: name }: { readonly channel: string },
  { signal }: Abortable = {},
): Promise<{ readonly sources: readonly string[]; readonly generation?: Generation | undefined }> {
  return parts.channelLock(name)(async () => {
    const channel = await getChannel(parts.db, name)
    const pins = await listPins(parts.db, channel.id)
    const at = parts.clock.now()
    const over = pins.filter((pin) => isOver(pin, at))
    const sources = [...new Set(over.map(({ source }) => source))]
    if (over.length === 0) return { sources }
    if (channel.baseId === undefined) {
      await inTransaction(parts.db, (trx) => settleHolds(trx, channel, { over, at }))
      return { sources }
    }
    const why = `no longer held: ${sources.join(', ')}`
    const made = { channel, pins, who: 'system', why }
    return { sources, generation: await publishDerived(parts, made, { signal }) }
  })
}
