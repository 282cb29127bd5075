/**
 * Who is on a channel: the clients that took it lately, and whether what they took is what the head holds.
 */
import type { Channel } from '../channels/channel-table.ts'
import { listNamedSuites } from '../channels/generation-removal.ts'
import { KEPT_MS, listSightings, type Sighting } from './client-table.ts'
import type { ServerParts } from './parts.ts'

const COUNTED_MS = 7 * 24 * 3600_000

/** What a client took, and how far that is from the head. */
export interface ChannelClient extends Sighting {
  /** It asks for the head, which holds something else by now. */
  readonly isBehind: boolean
}

/** How many addresses took a channel in the last 7 days. */
export interface ClientCount {
  readonly clients: number
  readonly behind: number
  /** Those that ask for old generations only, by their names. */
  readonly pinned: number
}

/** All clients of the last 30 days, the last one first. */
export async function clientsOf(parts: ServerParts, channel: Channel): Promise<ChannelClient[]> {
  return clientsSince(parts, channel, parts.clock.now() - KEPT_MS)
}

/** How many there are. */
export async function countClients(parts: ServerParts, channel: Channel): Promise<ClientCount> {
  const all = await clientsSince(parts, channel, parts.clock.now() - COUNTED_MS)
  const moving = all.filter((one) => !one.isPinned)
  const addresses = (some: readonly ChannelClient[]): Set<string> =>
    new Set(some.map((one) => one.address))
  const [every, followers] = [addresses(all), addresses(moving)]
  return {
    clients: every.size,
    behind: addresses(moving.filter((one) => one.isBehind)).size,
    pinned: every.size - followers.size,
  }
}

async function clientsSince(
  parts: ServerParts,
  channel: Channel,
  since: number,
): Promise<ChannelClient[]> {
  await parts.clientLog.flush()
  const sightings = await listSightings(parts.db, channel.name, since)
  const serials = [...new Set(sightings.map((one) => one.serial))]
  const states = new Map<string, string | undefined>()
  for (const { serial, archive, suite, state } of await listNamedSuites(
    parts.db,
    channel.id,
    serials,
  )) {
    states.set([serial, archive, suite].join(' '), state)
  }
  const head = new Map<string, string>()
  for (const { archive, suite, state } of parts.views.head(channel.name)?.suites ?? []) {
    head.set(`${archive} ${suite}`, state)
  }
  return sightings.map((one) => {
    const { serial, archive, suite, isPinned } = one
    // A generation that changed another suite, or was only signed anew, leaves nobody behind.
    const taken = states.get([serial, archive, suite].join(' '))
    const isSame = serial === channel.head || taken === head.get(`${archive} ${suite}`)
    return { ...one, isBehind: !isPinned && !isSame }
  })
}
