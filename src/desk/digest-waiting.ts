/**
 * What a digest tells of the sources that wait: security first, and what is held marked, since it waits for nobody.
 */
import type { Abortable } from '../base/abortable.ts'
import type { Channel } from '../channels/channel-table.ts'
import { type DeskParts, describePending } from './pending-details.ts'

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
  /** CVE ids that its changelog names for what is new, as far as packages of it are here. */
  readonly cves: readonly string[]
}

/** So many are told of a source; a kernel may have hundreds. */
const MOST_CVES = 50

/** All that `from` has differently than `to`; nothing, where one of them serves nothing yet. */
export async function listWaiting(
  parts: DeskParts,
  channels: { readonly from: Channel; readonly to: Channel },
  abortable: Abortable = {},
): Promise<WaitingSource[]> {
  const from = parts.views.head(channels.from.name)
  const to = parts.views.head(channels.to.name)
  if (from === undefined || to === undefined) return []
  const pending = await describePending(parts, { from, to }, abortable)
  return pending.map(
    ({ archive, suite, source, since, isSecurity, hold, cves, ...one }): WaitingSource => ({
      archive,
      suite,
      source,
      old: one.old,
      new: one.new,
      since,
      isSecurity,
      isHeld: hold !== undefined,
      cves: cves.slice(0, MOST_CVES),
    }),
  )
}
