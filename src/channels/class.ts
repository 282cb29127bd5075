/**
 * Classes of machines: what is published for one is a channel's content under a URL and a key of its own, so that its
 * machines can be moved to another channel without anybody touching them.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import {
  type Channel,
  channelOfClass,
  isChannelName,
  isClass,
  listChannels,
} from './channel-table.ts'
import { createBased } from './create-based.ts'
import { changeBase, type Move } from './set-base.ts'

export interface ClassInput extends Reason {
  /** Of the class: `web`. */
  readonly name: string
  /** The channel that its machines get. */
  readonly channel: string
}

/** Makes a class; its machines get something once the channel holds something. */
export async function createClass(
  parts: ChannelParts,
  input: ClassInput,
  { signal }: Abortable = {},
): Promise<Channel> {
  if (!isChannelName(input.name)) {
    throw new AppError('ERR_USAGE', {
      message: `a class cannot be called ${JSON.stringify(input.name)}`,
      hint: 'lower-case letters, digits, dots, plus and minus, beginning with a letter or digit',
    })
  }
  const { who, why, channel: base } = input
  const name = channelOfClass(input.name)
  return createBased(parts, { who, why, name, kind: 'class', base, follow: [] }, { signal })
}

/** Moves a class to another channel. */
export function moveClass(
  parts: ChannelParts,
  { name, channel: base, who, why }: ClassInput,
  { signal }: Abortable = {},
): Promise<Move> {
  return changeBase(parts, { channel: channelOfClass(name), base, who, why }, { signal })
}

/** All classes, as the channels that they are. */
export async function listClasses(parts: ChannelParts): Promise<Channel[]> {
  return (await listChannels(parts.db)).filter(isClass)
}
