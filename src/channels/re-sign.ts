/**
 * Signing anew, with the same content: before Valid-Until comes near, by other keys than before, and after a restore.
 */
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { liveKeys } from '../signing/publication-key-table.ts'
import { findPublication, findPublishedIdentity } from '../signing/publication-table.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { getChannel, titleOf } from './channel-table.ts'
import { RESIGN_AFTER_S, refuseEarlyClock } from './draft-suite.ts'
import { publicationOf } from './ensure-publication.ts'
import type { Generation } from './generation-table.ts'
import { publishGeneration } from './publish.ts'
import { tellsOwnUrls } from './release-urls.ts'
import type { GenerationView } from './views.ts'

/**
 * Signs a channel's suites anew when half of their life is over, so that no client sees one expire, and when its keys
 * (a crash may have come between) or the URL in the settings have changed since.
 */
export function resignIfDue(
  parts: ChannelParts,
  name: string,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(name)(async () => {
    const head = parts.views.head(name)
    if (head === undefined) return undefined
    const oldest = Math.min(...head.suites.map((suite) => suite.date))
    if (oldest <= nowSeconds(parts.clock) - RESIGN_AFTER_S) {
      const why = 'half of the time to Valid-Until is over'
      return resign(parts, name, { who: 'system', why }, { signal })
    }
    if (!head.suites.every((suite) => tellsOwnUrls(parts.address, name, suite))) {
      const why = 'the address of the server has changed'
      return resign(parts, name, { who: 'system', why }, { signal })
    }
    if (await isSignedByLiveKeys(parts, head)) return undefined
    return resign(parts, name, { who: 'system', why: 'its keys have changed' }, { signal })
  })
}

/**
 * Signs a channel anew whose head is older than clients may have seen, as its Date floors say: a restore raises these. apt
 * would take such a head for an old one that somebody replays, and keep what it has without a word.
 */
export function resignBelowFloor(
  parts: ChannelParts,
  name: string,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(name)(async () => {
    const publication = await findPublication(parts.db, publicationOf(name))
    if (publication === undefined) return undefined
    for (const { archive, suite, date } of parts.views.head(name)?.suites ?? []) {
      const known = await findPublishedIdentity(parts.db, publication.id, archive, suite)
      if (known === undefined || known.dateFloor <= date) continue
      refuseEarlyClock(parts, known.dateFloor, titleOf(name))
      const why = 'it was restored from a backup'
      return resign(parts, name, { who: 'system', why }, { signal })
    }
    return undefined
  })
}

/** Signs all suites of a channel anew, by the live keys; the caller holds its lock. Undefined if it serves nothing. */
export async function resign(
  parts: ChannelParts,
  name: string,
  reason: Reason,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  const entries = parts.views.head(name)?.suites
  if (entries === undefined) return undefined
  const channel = await getChannel(parts.db, name)
  const input = { ...reason, channel, kind: 're-sign' as const, entries, changes: [] }
  return publishGeneration(parts, { ...input, resign: true }, { signal })
}

/** Whether each suite is signed by the live keys of its publication, by all of them and no other. */
export async function isSignedByLiveKeys(
  parts: ChannelParts,
  view: GenerationView,
): Promise<boolean> {
  const publication = await findPublication(parts.db, publicationOf(view.channel))
  if (publication === undefined) return true
  const keys = (await liveKeys(parts.db, publication.id)).map(({ fingerprint }) => fingerprint)
  return view.suites.every(({ signedBy }) => signedBy.toSorted().join() === keys.toSorted().join())
}
