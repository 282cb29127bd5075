/**
 * Names of generations, in URLs and for commands:
 *
 *   approved                     the head
 *   approved@41                  the generation of this serial
 *   approved@20261101T000000Z    the one that was the head at that time (to the end of that second, UTC)
 *
 * The time is written as apt's snapshot services write it. One before the channel's first generation names nothing; one
 * to come names the head, as it does there. A class's publication is `class/web`, `class/web@41`.
 */
import { AppError } from '../base/errors.ts'
import type { ChannelParts } from './channel-parts.ts'
import { type Channel, getChannel, titleOf } from './channel-table.ts'
import { findOldest, findSerialAt } from './generation-table.ts'
import type { GenerationView } from './views.ts'

/** Which of a channel's generations is meant. */
export type GenerationPoint =
  | { readonly kind: 'head' }
  | { readonly kind: 'serial'; readonly serial: number }
  /** Epoch milliseconds, the last of the second that was named. */
  | { readonly kind: 'time'; readonly at: number; readonly text: string }

/** The channel and the point that a name means; undefined if it is malformed. */
export function parseGenerationName(
  text: string,
): { channel: string; point: GenerationPoint } | undefined {
  const at = text.indexOf('@')
  if (at < 0) return { channel: text, point: { kind: 'head' } }
  const point = parsePoint(text.slice(at + 1))
  return point && { channel: text.slice(0, at), point }
}

/** What stands behind the `@`: a serial or a time. */
export function parsePoint(text: string): GenerationPoint | undefined {
  // Nothing of the form of a time is taken for a serial: it has a letter.
  if (/^[1-9][0-9]{0,9}$/.test(text)) return { kind: 'serial', serial: Number(text) }
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number)
  const at = Date.UTC(year, month - 1, day, hour, minute, second)
  return snapshotId(at) === text ? { kind: 'time', at: at + 999, text } : undefined
}

/** A time as such a name has it: `20261101T000000Z`. */
export function snapshotId(epochMs: number): string {
  return new Date(epochMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

/**
 * The generation that `NAME`, `NAME@SERIAL` or `NAME@TIME` means; `ERR_NOT_FOUND` if there never was one, `ERR_GONE` if
 * it is not kept any more.
 */
export async function findGeneration(parts: ChannelParts, text: string): Promise<GenerationView> {
  const name = parseGenerationName(text)
  if (name === undefined) {
    throw new AppError('ERR_NOT_FOUND', {
      message: `${text} names no generation: behind the @ stands a serial, or a time like 20261101T000000Z`,
      hint: historyOf(text.slice(0, text.indexOf('@'))),
    })
  }
  const channel = await getChannel(parts.db, name.channel)
  const serial = await serialAt(parts, channel, name.point)
  const view = await parts.views.at(channel, serial)
  if (view === undefined) throw serial === 0 ? empty(channel) : absent(channel, serial)
  return view
}

/** The serial that is meant, of a generation that was or is; whether it is kept, the caller finds out. */
export async function serialAt(
  parts: ChannelParts,
  channel: Channel,
  point: GenerationPoint,
): Promise<number> {
  if (point.kind === 'head') return channel.head
  if (point.kind === 'serial') return point.serial
  const serial = await findSerialAt(parts.db, channel.id, point.at)
  if (serial !== undefined) return serial
  const oldest = await findOldest(parts.db, channel.id)
  if (oldest === undefined) throw empty(channel)
  const { name } = channel
  const hint = historyOf(name)
  const made = `${oldest.serial} was made at ${snapshotId(oldest.madeAt)}`
  throw oldest.serial === 1
    ? new AppError('ERR_NOT_FOUND', {
        message: `${titleOf(name)} had no generation at ${point.text}: its first, ${made}`,
        hint,
      })
    : new AppError('ERR_GONE', {
        message: `what ${titleOf(name)} had at ${point.text} is not kept any more: the oldest generation that is, ${made}`,
        hint,
      })
}

/** Why there is no generation of this serial: it was dropped, or there never was one. */
export function absent({ name, head }: Channel, serial: number): AppError {
  const hint = historyOf(name)
  return serial > head
    ? new AppError('ERR_NOT_FOUND', {
        message: `${titleOf(name)} has no generation ${serial}`,
        hint,
      })
    : new AppError('ERR_GONE', {
        message: `generation ${serial} of ${titleOf(name)} is not kept any more`,
        hint,
      })
}

function empty({ name }: Channel): AppError {
  return new AppError('ERR_NOT_FOUND', {
    message: `${titleOf(name)} has no generation yet`,
    hint: historyOf(name),
  })
}

function historyOf(name: string): string {
  return `sluice ${titleOf(name).replace(' ', ' history ')}`
}
