/**
 * Which of what waits is told, and in which order: by what is known at once (names, suites, ages, holds), then by what
 * changelogs and policies say.
 *
 * Where a changelog is not known nobody can say which CVEs it names: what asks for them leaves such sources out, and counts
 * them (survey-pending.ts).
 */
import { AppError } from '../base/errors.ts'
import { parsePattern } from '../channels/package-pattern.ts'
import { urgencyRank } from '../debian/changelog-entries.ts'
import type { PendingCandidate, PendingDetails } from './pending-details.ts'

/** What is asked for by what is known at once; all of it must hold. */
export interface CandidateFilter {
  /** Names and patterns (`linux*`) of source packages. */
  readonly patterns?: readonly string[] | undefined
  readonly archive?: string | undefined
  readonly suite?: string | undefined
  /** Of suites of security updates, or of the others. */
  readonly security?: boolean | undefined
  readonly held?: boolean | undefined
  readonly declined?: boolean | undefined
  /** How long the first channel has had it: at least, at most. */
  readonly olderThanMs?: number | undefined
  readonly newerThanMs?: number | undefined
}

export interface PendingFilter extends CandidateFilter {
  /** A CVE id, or `any`. */
  readonly cve?: string | undefined
  /** The least. */
  readonly urgency?: string | undefined
  /** Whether a policy lets it go now. */
  readonly goes?: boolean | undefined
}

/** What can be asked of one that waits besides its details. */
export interface Judged {
  readonly verdicts: readonly { readonly goes: boolean; readonly goesAt?: number | undefined }[]
}

export const sortKeys = [
  'security',
  'source',
  'suite',
  'age',
  'size',
  'urgency',
  'cves',
  'verdict',
] as const

/**
 * `security`: what is for security first; `age`: what has waited longest; `size`, `urgency`, `cves`: the most first;
 * `verdict`: what goes first. What is alike is sorted by security, then by name.
 */
export type SortKey = (typeof sortKeys)[number]

/** Says of candidates whether they are asked for; `ERR_USAGE` for a malformed pattern. */
export function candidateFilter(
  filter: CandidateFilter,
  now: number,
): (one: PendingCandidate) => boolean {
  const patterns = (filter.patterns ?? []).map(parsePattern)
  const { archive, suite, security, held, declined, olderThanMs = 0 } = filter
  const newerThanMs = filter.newerThanMs ?? Number.POSITIVE_INFINITY
  return (one) =>
    (patterns.length === 0 || patterns.some((pattern) => pattern.matches(one.source))) &&
    (archive === undefined || one.archive === archive) &&
    (suite === undefined || one.suite === suite) &&
    (security === undefined || one.isSecurity === security) &&
    (held === undefined || (one.hold !== undefined) === held) &&
    (declined === undefined || (one.decline !== undefined) === declined) &&
    now - one.since >= olderThanMs &&
    now - one.since <= newerThanMs
}

/** The same by all else; `ERR_USAGE` for what is no CVE id and no urgency. */
export function detailsFilter({
  cve,
  urgency,
  goes,
}: PendingFilter): (one: PendingDetails & Judged) => boolean {
  const id = cve === undefined || cve === 'any' ? undefined : parseCve(cve)
  const least = urgency === undefined ? undefined : parseUrgency(urgency)
  return (one) =>
    (cve === undefined || (id === undefined ? one.cves.length > 0 : one.cves.includes(id))) &&
    (least === undefined || urgencyRank(one.urgency) >= least) &&
    (goes === undefined || one.verdicts.some((verdict) => verdict.goes) === goes)
}

/** Whether the filter asks for what only a changelog tells. */
export function asksChangelogs({ cve, urgency }: PendingFilter): boolean {
  return cve !== undefined || urgency !== undefined
}

/** In the order that is asked for. */
export function sortPending<One extends PendingDetails & Judged>(
  all: readonly One[],
  key: SortKey,
  isReverse = false,
): One[] {
  const rank = orders[key]
  const sorted = [...all].sort((a, b) => rank(a, b) || bySecurity(a, b) || byName(a, b))
  return isReverse ? sorted.reverse() : sorted
}

type Compare = (a: PendingDetails & Judged, b: PendingDetails & Judged) => number

const bySecurity: Compare = (a, b) => Number(b.isSecurity) - Number(a.isSecurity)
const byName: Compare = (a, b) =>
  compareTexts(a.source, b.source) ||
  compareTexts(a.archive, b.archive) ||
  compareTexts(a.suite, b.suite)

const orders: Readonly<Record<SortKey, Compare>> = {
  security: bySecurity,
  source: byName,
  suite: (a, b) => compareTexts(a.archive, b.archive) || compareTexts(a.suite, b.suite),
  age: (a, b) => a.since - b.since,
  size: (a, b) => b.sizeBytes - a.sizeBytes,
  urgency: (a, b) => urgencyRank(b.urgency) - urgencyRank(a.urgency),
  cves: (a, b) => b.cves.length - a.cves.length,
  verdict: (a, b) => goesAt(a) - goesAt(b),
}

/** When it goes by a policy: now comes first, never last. */
function goesAt({ verdicts }: Judged): number {
  const times = verdicts.map((one) => (one.goes ? 0 : (one.goesAt ?? Number.MAX_SAFE_INTEGER)))
  return Math.min(Number.MAX_SAFE_INTEGER, ...times)
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function parseCve(text: string): string {
  if (/^CVE-\d{4}-\d{4,10}$/i.test(text)) return text.toUpperCase()
  throw new AppError('ERR_USAGE', {
    message: `${JSON.stringify(text)} is no CVE id`,
    hint: 'CVE-2024-12345; without one: all that name any',
  })
}

function parseUrgency(text: string): number {
  const rank = urgencyRank(text)
  if (rank >= 0) return rank
  throw new AppError('ERR_USAGE', {
    message: `${JSON.stringify(text)} is no urgency`,
    hint: 'low, medium, high, emergency or critical',
  })
}
