/**
 * What a digest tells of the sources that wait: security first, and what is held marked, since it waits for nobody.
 */
import type { ChannelParts } from '../channels/channel-parts.ts'
import type { Channel } from '../channels/channel-table.ts'
import { listPending } from '../channels/pending.ts'
import { listPins } from '../channels/pin-table.ts'
import { heldSources } from '../channels/promotion-target.ts'

export interface WaitingSource {
  readonly archive: string
  readonly suite: string
  readonly source: string
  /** Versions of the second channel, and of the first. */
  readonly old: readonly string[]
  readonly new: readonly string[]
  /** Epoch milliseconds: when the first channel got it. */
  readonly since: number
  readonly isSecurity: boolean
  readonly isHeld: boolean
  /** CVE ids that it mends, where they are known. */
  readonly cves: readonly string[]
}

/** All that `from` has differently than `to`. */
export async function listWaiting(
  parts: ChannelParts,
  from: Channel,
  to: Channel,
): Promise<WaitingSource[]> {
  const view = parts.views.head(from.name)
  if (view === undefined) return []
  const pending = await listPending(parts, { channel: from, view }, parts.views.head(to.name))
  const held = heldSources(await listPins(parts.db, to.id))
  return pending.map(
    ({ archive, suite, source, old, new: versions, since, isSecurity }): WaitingSource => ({
      archive,
      suite,
      source,
      old,
      new: versions,
      since,
      isSecurity,
      isHeld: held.has(source),
      cves: [],
    }),
  )
}
