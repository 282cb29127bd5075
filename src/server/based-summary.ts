/**
 * What the API tells of a channel's place among the others: what it is based on and whether it is up to that, what is based
 * on it, and what it keeps of its own.
 */
import { getBase, listDependents } from '../channels/channel-base.ts'
import type { Channel } from '../channels/channel-table.ts'
import { isOver } from '../channels/hold-end.ts'
import { listPins, type Pin } from '../channels/pin-table.ts'
import type { ServerParts } from './parts.ts'

/** What a derived channel or a class is based on; undefined for others. */
export async function summarizeBase(
  parts: ServerParts,
  channel: Channel,
): Promise<Record<string, unknown> | undefined> {
  if (channel.baseId === undefined) return undefined
  const base = await getBase(parts.db, channel)
  return {
    channel: base.name,
    // The generation of it that the channel is made of, if that is known yet.
    serial: parts.derivation.madeOf(channel.id),
    isBehind: await isBehind(parts, channel),
    problem: parts.derivation.problemOf(channel.id),
  }
}

/** Whether the channel, or what it is based on, has still to be brought up to its base. */
async function isBehind(parts: ServerParts, channel: Channel): Promise<boolean> {
  if (channel.baseId === undefined) return false
  const base = await getBase(parts.db, channel)
  return parts.derivation.madeOf(channel.id) !== base.head || isBehind(parts, base)
}

/** Pins and dependents, for the page of one channel. */
export async function summarizeOwn(
  parts: ServerParts,
  channel: Channel,
): Promise<Record<string, unknown>> {
  const pins = await listPins(parts.db, channel.id)
  const now = parts.clock.now()
  return {
    pins: pins.map((pin) => tellPin(pin, now)),
    usedBy: await listDependents(parts.db, channel.id),
  }
}

/** A pin as the API tells it at this time. */
export function tellPin(pin: Pin, now: number): Record<string, unknown> {
  const { archive, suite, source, kind, old, new: versions, madeAt, who, why, until } = pin
  const told = { archive, suite, source, kind, old, new: versions, madeAt, who, why, until }
  return isOver(pin, now) ? { ...told, isOver: true } : told
}
