/**
 * What is to be told of each source package that waits, for who decides on it in the morning: besides the difference itself
 * (channels/pending.ts) what its changelog says is new, and whether somebody holds it back or declined it.
 *
 * What others say of candidates (verdicts of policies, what must come along) is joined to these by archive, suite and source.
 */
import type { Abortable } from '../base/abortable.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { getChannel } from '../channels/channel-table.ts'
import { type Decline, listDeclines } from '../channels/decline-table.ts'
import { declinedIn, declineOf, leavesNothing } from '../channels/declined.ts'
import { listHolds } from '../channels/hold-end.ts'
import { listPendingDebs, type PendingSource, type PendingWithDebs } from '../channels/pending.ts'
import type { Pin } from '../channels/pin-table.ts'
import type { GenerationView } from '../channels/views.ts'
import { type NewEntries, newEntriesOf } from './changelog-digest.ts'
import type { ChangelogReader } from './changelogs.ts'
import type { KnownChangelog } from './read-changelogs.ts'

export interface DeskParts extends ChannelParts {
  readonly changelogReader: ChangelogReader
}

/** `read`, or why nothing is told; `gone` of a source that the first channel has no more. */
export type ChangelogState = 'read' | 'gone' | Exclude<KnownChangelog, object>

/** What the changelog says is new; nothing, and urgency `unknown`, unless it was read. */
export interface PendingNews extends NewEntries {
  readonly changelog: ChangelogState
}

/** Who keeps it back, since when and until when (epoch milliseconds) and why. */
export type PendingHold = Pick<Pin, 'who' | 'why' | 'madeAt' | 'until'>

/** A candidate with what the database says of it at once. */
export interface PendingCandidate extends PendingWithDebs, KeptBack {}

export interface PendingDetails extends PendingSource, PendingNews, KeptBack {}

interface KeptBack {
  readonly hold?: PendingHold | undefined
  /** Where the second channel takes nothing of what is offered, since it declined that. */
  readonly decline?: Decline | undefined
}

export interface PendingPair {
  readonly from: GenerationView
  readonly to: GenerationView
}

/** How long who asks waits for changelogs that were not read yet; what the reader thinks right unless told. */
export interface Waiting extends Abortable {
  readonly patienceMs?: number | undefined
}

/** All that waits from the one generation to the other, security first, then by source. */
export async function describePending(
  parts: DeskParts,
  pair: PendingPair,
  waiting: Waiting = {},
): Promise<PendingDetails[]> {
  return addNews(parts, await listCandidates(parts, pair), waiting)
}

/** The same, before any changelog is looked at. */
export async function listCandidates(
  parts: ChannelParts,
  { from, to }: PendingPair,
): Promise<PendingCandidate[]> {
  const channel = await getChannel(parts.db, from.channel)
  const pending = await listPendingDebs(parts, { channel, view: from }, to)
  const held = await holdsOf(parts, to.channel)
  const declines = await listDeclines(parts.db, (await getChannel(parts.db, to.channel)).id)
  const isDeclined = declinedIn(declines)
  const declineIn = (one: PendingSource): Decline | undefined =>
    leavesNothing(one, isDeclined) ? declineOf(declines, one.source, one.new) : undefined
  return pending.map((one) => ({ ...one, hold: held.get(one.source), decline: declineIn(one) }))
}

/** So many changelogs are held at once: of each it is kept what is new. */
const PAGE = 200

/** Adds what their changelogs say. */
export async function addNews(
  { changelogReader }: DeskParts,
  candidates: readonly PendingCandidate[],
  { signal, patienceMs }: Waiting,
): Promise<PendingDetails[]> {
  const details: PendingDetails[] = []
  const startedAt = performance.now()
  for (let at = 0; at < candidates.length; at += PAGE) {
    const page = candidates.slice(at, at + PAGE)
    const spentMs = performance.now() - startedAt
    const leftMs = patienceMs === undefined ? undefined : Math.max(0, patienceMs - spentMs)
    const known = await changelogReader.know(
      page.map((one) => one.debs),
      { signal, patienceMs: leftMs },
    )
    for (const [index, { debs: _, ...one }] of page.entries()) {
      details.push({ ...one, ...newsOf(one, known[index] ?? 'unread') })
    }
  }
  return details
}

function newsOf(
  { old, new: versions }: Pick<PendingWithDebs, 'old' | 'new'>,
  known: KnownChangelog,
): PendingNews {
  const last = versions.at(-1)
  if (last === undefined || typeof known === 'string') {
    const changelog = last === undefined || typeof known !== 'string' ? 'gone' : known
    return { changelog, entries: [], isCut: false, urgency: 'unknown', cves: [] }
  }
  // Where architectures have different versions, what is new to the last of them is told.
  return { changelog: 'read', ...newEntriesOf(known, old[0], last) }
}

async function holdsOf(parts: ChannelParts, name: string): Promise<Map<string, PendingHold>> {
  const channel = await getChannel(parts.db, name)
  const holds = await listHolds(parts, channel.id)
  return new Map(
    holds.map(({ source, who, why, madeAt, until }) => [source, { who, why, madeAt, until }]),
  )
}
