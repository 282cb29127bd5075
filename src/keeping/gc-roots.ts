/**
 * Where the garbage collector begins: which generations of each channel are kept and which expired, and what the kept ones
 * name, with pins and with what archives hold.
 */
import { listNewestStates } from '../archives/archive-table.ts'
import { type EarlierState, listEarlierStates } from '../archives/earlier-states.ts'
import { AppError } from '../base/errors.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Channel, listChannels } from '../channels/channel-table.ts'
import { listNamedSuites, listSerials, type SerialTime } from '../channels/generation-removal.ts'
import { listPinnedStates } from '../channels/pin-table.ts'
import type { Db } from '../store/database.ts'
import type { Roots } from './gc-mark.ts'
import { expiredOf, type Retention, retentionOf } from './retention.ts'

const GENERATIONS_AT_ONCE = 100

export interface ExpiredGenerations {
  readonly channel: Channel
  /** Newest first. */
  readonly serials: readonly number[]
}

export interface Gathered {
  readonly roots: Roots
  readonly expired: readonly ExpiredGenerations[]
  /** States of archives that the proxy serves no more. */
  readonly over: readonly EarlierState[]
  /** Generations of all channels, expired ones too. */
  readonly generations: number
}

/** Reads the roots as they are at `now` (epoch milliseconds). */
export async function gatherRoots(
  parts: ChannelParts,
  retention: Retention,
  now: number,
): Promise<Gathered> {
  const states = new Set<Sha256>(await listPinnedStates(parts.db))
  const releases = new Set<number>()
  const expired: ExpiredGenerations[] = []
  let generations = 0
  for (const channel of await listChannels(parts.db)) {
    const all = await listHistory(parts.db, channel)
    const serials = expiredOf(all, channel.head, retentionOf(channel, retention), now)
    if (serials.length > 0) expired.push({ channel, serials })
    generations += all.length
    const gone = new Set(serials)
    const kept = all.map(({ serial }) => serial).filter((serial) => !gone.has(serial))
    await readNamed(parts.db, channel, kept, { states, releases })
  }
  const { kept, over } = await listEarlierStates(parts.db, now)
  const upstream = new Set([...(await listNewestStates(parts.db)), ...kept.map((one) => one.state)])
  return { roots: { states, releases: [...releases], upstream }, expired, over, generations }
}

async function listHistory(db: Db, channel: Channel): Promise<SerialTime[]> {
  const all = await listSerials(db, channel.id)
  if (channel.head === 0 || all.some(({ serial }) => serial === channel.head)) return all
  // Deleted between the two looks, it has none.
  const isHere = (await listChannels(db)).some(({ id }) => id === channel.id)
  if (!isHere) return []
  throw damaged(`the head ${channel.head} of channel ${channel.name} is no generation`)
}

async function readNamed(
  db: Db,
  channel: Channel,
  serials: readonly number[],
  found: { readonly states: Set<Sha256>; readonly releases: Set<number> },
): Promise<void> {
  for (let at = 0; at < serials.length; at += GENERATIONS_AT_ONCE) {
    const some = serials.slice(at, at + GENERATIONS_AT_ONCE)
    for (const { serial, state, releaseId } of await listNamedSuites(db, channel.id, some)) {
      if (state === undefined) throw damaged(`${channel.name}@${serial} names no state`)
      found.states.add(state)
      found.releases.add(releaseId)
    }
    await breathe()
  }
}

function damaged(message: string): AppError {
  return new AppError('ERR_STORE', {
    message: `${message}: nothing is deleted from a store that is damaged`,
    hint: 'sluice verify tells all that is wrong',
  })
}
