/**
 * What waits, for who decides: those that are asked for, with what their changelogs and the policies say, in an order.
 *
 * A survey waits for changelogs that were not read yet only a little: it says how many those are, and they are read
 * meanwhile. Nothing is fetched (fetch-changelogs.ts does that).
 */
import type { Abortable } from '../base/abortable.ts'
import { type PolicyVerdicts, verdictsFor } from './judge-policy.ts'
import type { Needs, NeedsFinder } from './needs.ts'
import {
  addNews,
  type ChangelogState,
  type DeskParts,
  listCandidates,
  type PendingCandidate,
  type PendingDetails,
  type PendingPair,
} from './pending-details.ts'
import {
  asksChangelogs,
  candidateFilter,
  detailsFilter,
  type PendingFilter,
  type SortKey,
  sortPending,
} from './pending-selection.ts'
import { type Verdict, verdictWords } from './verdict.ts'

export interface SurveyParts extends DeskParts {
  readonly needs: NeedsFinder
}

export interface SurveyInput extends PendingPair {
  readonly filter: PendingFilter
  /** `security` unless told. */
  readonly sort?: SortKey | undefined
  readonly isReverse?: boolean | undefined
  /** So many are told at most. */
  readonly limit?: number | undefined
}

/** What a policy says of one that waits. */
export interface NamedVerdict extends Pick<Verdict, 'goes' | 'rule' | 'reasons' | 'goesAt'> {
  readonly policy: string
  readonly enabled: boolean
  /** All that speaks against it, or that it goes, in one line. */
  readonly words: string
}

export interface SurveyedSource extends PendingDetails {
  /** Of each policy from the one channel to the other; none between generations that are no heads. */
  readonly verdicts: readonly NamedVerdict[]
  /** What must come along; absent where that is not known. */
  readonly needs?: Needs | undefined
}

export interface PendingSurvey {
  /** How many wait in all, how many of those are for security, and how many are asked for. */
  readonly total: number
  readonly security: number
  readonly matched: number
  /** Of how many that may be asked for the changelog is in which state. */
  readonly changelogs: Readonly<Partial<Record<ChangelogState, number>>>
  readonly pending: readonly SurveyedSource[]
}

/** How long is waited for changelogs. */
const PATIENCE_MS = 300
/** Of so many the gate is asked what they need without anybody having said so: some seconds of work. */
const ASKED_UNASKED = 2000

/** Surveys; `ERR_USAGE` for a filter that makes no sense. */
export async function surveyPending(
  parts: SurveyParts,
  input: SurveyInput,
  { signal }: Abortable = {},
): Promise<PendingSurvey> {
  const { filter, sort = 'security', isReverse, limit } = input
  const isAskedFor = candidateFilter(filter, parts.clock.now())
  const passes = detailsFilter(filter)
  const all = await listCandidates(parts, input)
  const candidates = all.filter(isAskedFor)
  const details = await addNews(parts, candidates, { signal, patienceMs: PATIENCE_MS })
  const judged = await judgeAll(parts, input, candidates)
  const needs = await parts.needs.known(parts, input)
  if (all.length <= ASKED_UNASKED) await parts.needs.start(parts, input)
  const surveyed = details.map((one, at) => ({
    ...one,
    verdicts: verdictsAt(judged, at),
    needs: needs.get(one.source),
  }))
  const found = sortPending(surveyed.filter(passes), sort, isReverse)
  const counted = asksChangelogs(filter) ? surveyed : found
  return {
    total: all.length,
    security: all.filter((one) => one.isSecurity).length,
    matched: found.length,
    changelogs: countStates(counted),
    pending: found.slice(0, limit),
  }
}

async function judgeAll(
  parts: DeskParts,
  { from, to }: PendingPair,
  candidates: readonly PendingCandidate[],
): Promise<PolicyVerdicts[]> {
  const areHeads = [from, to].every(
    ({ channel, serial }) => parts.views.head(channel)?.serial === serial,
  )
  return areHeads ? verdictsFor(parts, { from: from.channel, to: to.channel, candidates }) : []
}

function verdictsAt(judged: readonly PolicyVerdicts[], at: number): NamedVerdict[] {
  return judged.flatMap(({ policy: { name: policy, enabled }, verdicts }) => {
    const verdict = verdicts[at]
    if (verdict === undefined) return []
    const { goes, rule, reasons, goesAt } = verdict
    return [{ policy, enabled, goes, rule, reasons, goesAt, words: verdictWords(verdict) }]
  })
}

function countStates(some: readonly PendingDetails[]): PendingSurvey['changelogs'] {
  const counts: Partial<Record<ChangelogState, number>> = {}
  for (const { changelog } of some) counts[changelog] = (counts[changelog] ?? 0) + 1
  return counts
}
