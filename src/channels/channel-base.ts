/**
 * What a derived channel or a class is based on: which channels may be a base, and what of one is served.
 */
import { AppError } from '../base/errors.ts'
import type { Db } from '../store/database.ts'
import type { ChannelParts } from './channel-parts.ts'
import { type Channel, findChannelById, isClass, listChannels } from './channel-table.ts'
import type { GenerationView } from './views.ts'

/** Channels that may stand between one and the channel that changes by itself: each is a flip later. */
export const MAX_DEPTH = 8

/** The channel that this one is based on; `ERR_STORE` if it is not there. */
export async function getBase(db: Db, channel: Channel): Promise<Channel> {
  const base = channel.baseId === undefined ? undefined : await findChannelById(db, channel.baseId)
  if (base !== undefined) return base
  throw new AppError('ERR_STORE', {
    message: `what ${channel.name} is based on is not there`,
    hint: 'sluice verify',
  })
}

/**
 * The head of a base, whatever it is called at the moment; undefined before its first generation. By its row, not by its
 * name: while it is renamed, nothing is served under either name for an instant.
 */
export async function headOfBase(
  parts: ChannelParts,
  base: Channel,
): Promise<GenerationView | undefined> {
  return base.head === 0 ? undefined : parts.views.at(base, base.head)
}

/** Throws `ERR_REFUSED` if no channel called `name` (one that exists, if `id` is given) can be based on `base`. */
export async function assertBase(
  db: Db,
  base: Channel,
  { name, id }: { readonly name: string; readonly id?: number },
): Promise<void> {
  if (isClass(base)) {
    throw new AppError('ERR_REFUSED', {
      message: `${base.name} is what is published for a class: no channel is based on it`,
      hint: 'base it on the channel that the class is on: sluice class list',
    })
  }
  if (base.id === id) {
    throw new AppError('ERR_REFUSED', {
      message: `channel ${name} cannot be based on itself`,
      hint: 'sluice channel list tells what is based on what',
    })
  }
  const all = new Map((await listChannels(db)).map((one) => [one.id, one]))
  const above: string[] = []
  let at: Channel | undefined = base
  while (at !== undefined) {
    if (at.id === id) {
      throw new AppError('ERR_REFUSED', {
        message: `${base.name} is based on ${name} itself: ${[name, ...above.toReversed()].join(', then ')}`,
        hint: 'sluice channel list tells what is based on what',
      })
    }
    above.push(at.name)
    at = at.baseId === undefined ? undefined : all.get(at.baseId)
  }
  const depth = above.length + heightOf([...all.values()], id)
  if (depth > MAX_DEPTH) {
    throw new AppError('ERR_REFUSED', {
      message: `${name}, with what is based on it, would stand ${depth} channels away from ${above.at(-1)}; ${MAX_DEPTH} is the most`,
      hint: `base it on ${above.at(-1)} itself, or on one nearer to it`,
    })
  }
}

/** How many channels stand one on another above this one; 0 for a new one. */
function heightOf(all: readonly Channel[], id: number | undefined): number {
  if (id === undefined) return 0
  const own = all.filter((one) => one.baseId === id)
  return Math.max(0, ...own.map((one) => 1 + heightOf(all, one.id)))
}

/** What is based on a channel: names of derived channels, and of classes. */
export async function listDependents(
  db: Db,
  id: number,
): Promise<{ readonly derived: string[]; readonly classes: string[] }> {
  const own = (await listChannels(db)).filter((one) => one.baseId === id)
  const names = (some: readonly Channel[]): string[] => some.map((one) => one.name)
  return {
    derived: names(own.filter((one) => !isClass(one))),
    classes: names(own.filter(isClass)).map((name) => name.replace('class/', '')),
  }
}
