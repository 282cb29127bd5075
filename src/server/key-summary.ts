/**
 * What is told of the keys that publications are signed with.
 */
import { channelOf } from '../channels/ensure-publication.ts'
import { urlPathOf } from '../channels/release-urls.ts'
import { listPublicationKeys, type PublicationKey } from '../signing/publication-key-table.ts'
import { listPublications, type Publication } from '../signing/publication-table.ts'
import type { ApiContext } from './api-context.ts'
import { KEPT_MS, listSightings } from './client-table.ts'
import type { ServerParts } from './parts.ts'

/** Days that an old and a new key sign together, unless told otherwise. */
export const ROTATION_DAYS = 30

/** A key as the API tells it. */
export interface KeyEntry {
  readonly fingerprint: string
  readonly state: PublicationKey['state']
  readonly source: PublicationKey['source']
  /** Epoch milliseconds. */
  readonly madeAt: number
  /** Since when it is in this state. */
  readonly changedAt: number
}

/** Two keys sign: since when, and from when on that may end; epoch milliseconds. */
export interface Rotation {
  readonly since: number
  readonly finishFrom: number
  /** Machines that took the channel in the last 30 days, and not since then: they have the old key alone. */
  readonly absent: number
}

/** A publication with all keys that it ever had. */
export interface PublicationKeys {
  readonly publication: string
  /** Of the current key. */
  readonly fingerprint?: string | undefined
  readonly keyUrl: string
  /** The current one first, then the next one, then the retired ones, the last retired first. */
  readonly keys: readonly KeyEntry[]
  /** While a key is being replaced. */
  readonly rotation?: Rotation | undefined
}

const order = ['current', 'next', 'retired']

/** All publications. */
export async function listKeys(context: ApiContext): Promise<PublicationKeys[]> {
  const publications = await listPublications(context.parts.db)
  return Promise.all(publications.map((publication) => keysOf(context, publication)))
}

/** One publication. */
export async function keysOf(
  { parts, publicUrl }: ApiContext,
  { id, name }: Publication,
): Promise<PublicationKeys> {
  const keys = (await listPublicationKeys(parts.db, id)).toSorted(
    (a, b) => order.indexOf(a.state) - order.indexOf(b.state) || b.changedAt - a.changedAt,
  )
  const since = keys.find((key) => key.state === 'next')?.madeAt
  const channel = channelOf(name)
  return {
    publication: name,
    fingerprint: keys.find((key) => key.state === 'current')?.fingerprint,
    keyUrl: `${publicUrl()}/${urlPathOf(channel)}/key.asc`,
    keys: keys.map(({ fingerprint, state, source, madeAt, changedAt }) => ({
      fingerprint,
      state,
      source,
      madeAt,
      changedAt,
    })),
    rotation: since === undefined ? undefined : await rotationOf(parts, channel, since),
  }
}

async function rotationOf(parts: ServerParts, channel: string, since: number): Promise<Rotation> {
  await parts.clientLog.flush()
  const sightings = await listSightings(parts.db, channel, parts.clock.now() - KEPT_MS)
  const [all, back] = [sightings, sightings.filter((one) => one.seenAt >= since)].map(
    (some) => new Set(some.map((one) => one.address)).size,
  )
  const absent = (all ?? 0) - (back ?? 0)
  return { since, finishFrom: since + ROTATION_DAYS * 24 * 3600_000, absent }
}

/** How long, in seconds, the keys that are being replaced have been: for `/metrics`. */
export async function rotationAges({
  db,
  clock,
}: ServerParts): Promise<ReadonlyMap<string, number>> {
  const ages = new Map<string, number>()
  const names = new Map((await listPublications(db)).map(({ id, name }) => [id, name]))
  for (const { state, publicationId, madeAt } of await listPublicationKeys(db)) {
    if (state !== 'next') continue
    ages.set(names.get(publicationId) ?? '', Math.floor((clock.now() - madeAt) / 1000))
  }
  return ages
}
