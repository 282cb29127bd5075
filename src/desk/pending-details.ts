/**
 * What is to be told of each source package that waits, for who decides on it in the morning: besides the difference itself
 * (channels/pending.ts) what its changelog says is new, and whether somebody holds it back.
 *
 * What others say of candidates (verdicts of policies, what must come along) is joined to these by archive, suite and source.
 */
import type { Abortable } from '../base/abortable.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { getChannel } from '../channels/channel-table.ts'
import { listHolds } from '../channels/hold-end.ts'
import { listPendingDebs, type PendingSource, type PendingWithDebs } from '../channels/pending.ts'
import type { Pin } from '../channels/pin-table.ts'
import type { GenerationView } from '../channels/views.ts'
import { type EntryDigest, type NewEntries, newEntriesOf } from './changelog-digest.ts'
import type { ChangelogReader, KnownChangelog } from './changelogs.ts'

export interface DeskParts extends ChannelParts {
  readonly changelogReader: ChangelogReader
}

/** What the changelog says; of the entries only the newest is told whole. */
export interface PendingNews extends Omit<NewEntries, 'entries'> {
  /** `read`, or why nothing is told. */
  readonly changelog: 'read' | Exclude<KnownChangelog, object>
  /** How many entries are new; at least so many if `isCut`. */
  readonly entries: number
  readonly newest?: EntryDigest | undefined
}

/** Who keeps it back, since when (epoch milliseconds) and why. */
export type PendingHold = Pick<Pin, 'who' | 'why' | 'madeAt'>

export interface PendingDetails extends PendingSource, PendingNews {
  readonly hold?: PendingHold | undefined
}

/** All that waits from the one generation to the other, security first, then by source. */
export async function describePending(
  parts: DeskParts,
  { from, to }: { readonly from: GenerationView; readonly to: GenerationView },
  abortable: Abortable = {},
): Promise<PendingDetails[]> {
  const channel = await getChannel(parts.db, from.channel)
  const pending = await listPendingDebs(parts, { channel, view: from }, to)
  const known = await parts.changelogReader.know(
    pending.map((one) => one.debs),
    abortable,
  )
  const held = await holdsOf(parts, to.channel)
  return pending.map(({ debs: _, ...one }, at) => ({
    ...one,
    ...newsOf(one, known[at] ?? 'unread'),
    hold: held.get(one.source),
  }))
}

function newsOf(
  { old, new: versions }: Pick<PendingWithDebs, 'old' | 'new'>,
  known: KnownChangelog,
): PendingNews {
  if (typeof known === 'string') {
    return { changelog: known, entries: 0, isCut: false, urgency: 'unknown', cves: [] }
  }
  // Where architectures have different versions, what is new to the last of them is told.
  const { entries, ...news } = newEntriesOf(known, old[0], versions.at(-1))
  return { changelog: 'read', ...news, entries: entries.length, newest: entries[0] }
}

async function holdsOf(parts: ChannelParts, name: string): Promise<Map<string, PendingHold>> {
  const channel = await getChannel(parts.db, name)
  const holds = await listHolds(parts, channel.id)
  return new Map(
    holds.map(({ source, who, why, madeAt }) => [source, { who, why, madeAt }] as const),
  )
}
