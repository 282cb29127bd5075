/**
 * What a digest tells of the sources that wait: security first, and marked what is held or declined, since it waits for
 * nobody.
 *
 * Of what is for security the changelogs are fetched, for the CVE ids they name, as far as that goes quickly; of all else
 * those are read whose packages are here.
 */
import { type Abortable, withTimeout } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import type { Channel } from '../channels/channel-table.ts'
import { fetchChangelogs } from './fetch-changelogs.ts'
import { type DeskParts, describePending, type PendingPair } from './pending-details.ts'

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
  readonly isDeclined: boolean
  /** CVE ids that its changelog names for what is new, as far as that is known. */
  readonly cves: readonly string[]
}

/** So many are told of a source; a kernel may have hundreds. */
const MOST_CVES = 50
const FETCH_MS = 60_000

/** All that `from` has differently than `to`; nothing, where one of them serves nothing yet. */
export async function listWaiting(
  parts: DeskParts,
  channels: { readonly from: Channel; readonly to: Channel },
  abortable: Abortable = {},
): Promise<WaitingSource[]> {
  const from = parts.views.head(channels.from.name)
  const to = parts.views.head(channels.to.name)
  if (from === undefined || to === undefined) return []
  await readSecurityChangelogs(parts, { from, to }, abortable)
  const pending = await describePending(parts, { from, to }, abortable)
  return pending.map(
    ({
      archive,
      suite,
      source,
      since,
      isSecurity,
      hold,
      decline,
      cves,
      ...one
    }): WaitingSource => ({
      archive,
      suite,
      source,
      old: one.old,
      new: one.new,
      since,
      isSecurity,
      isHeld: hold !== undefined,
      isDeclined: decline !== undefined,
      cves: cves.slice(0, MOST_CVES),
    }),
  )
}

/** What cannot be had in time is told without its CVE ids; the next digest may have them. */
async function readSecurityChangelogs(
  parts: DeskParts,
  pair: PendingPair,
  { signal }: Abortable,
): Promise<void> {
  const limit = withTimeout(signal, FETCH_MS)
  try {
    await fetchChangelogs(
      parts,
      { ...pair, filter: { security: true, held: false } },
      { signal: limit },
    )
  } catch (error) {
    signal?.throwIfAborted()
    if (!limit.aborted && toAppError(error).code === 'ERR_INTERNAL') throw error
  }
}
