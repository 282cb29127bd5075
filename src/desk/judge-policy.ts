/**
 * Verdicts of the policies there are on what waits now: what a run would do, and what is told of each candidate.
 */
import { AppError } from '../base/errors.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Channel, getChannel } from '../channels/channel-table.ts'
import { listHolds } from '../channels/hold-end.ts'
import { listPending, type PendingSource } from '../channels/pending.ts'
import type { Pin } from '../channels/pin-table.ts'
import type { LeftOut } from '../channels/plan.ts'
import { refusals } from '../channels/promotion-target.ts'
import type { GenerationView } from '../channels/views.ts'
import { listPolicies, type Policy } from './policy-table.ts'
import {
  type Candidate,
  judge,
  type ReasonKind,
  type Verdict,
  type VerdictReason,
} from './verdict.ts'

/** What waits between two channels, and what the second one refuses of it. */
export interface Waiting {
  readonly from: GenerationView
  readonly target: Channel
  readonly candidates: readonly PendingSource[]
  readonly refused: (candidate: Candidate) => VerdictReason | undefined
}

/** Verdicts of one policy. */
export interface PolicyVerdicts {
  readonly policy: Policy
  /** In the order of the candidates. */
  readonly verdicts: readonly Verdict[]
}

export interface VerdictsInput {
  /** Names of channels, of their heads. */
  readonly from: string
  readonly to: string
  /** What `listPending` tells of them. */
  readonly candidates: readonly PendingSource[]
}

/**
 * The verdicts of each policy from the one channel to the other, by the policies' names; none where there is none. One that
 * is switched off says what it would do if its run were asked for.
 */
export async function verdictsFor(
  parts: ChannelParts,
  { from, to, candidates }: VerdictsInput,
): Promise<PolicyVerdicts[]> {
  const policies = (await listPolicies(parts.db)).filter(
    (policy) => policy.from === from && policy.to === to,
  )
  const view = parts.views.head(from)
  if (policies.length === 0 || view === undefined) return []
  const target = await getChannel(parts.db, to)
  const refused = await refusedBy(parts, target, view, candidates)
  const now = parts.clock.now()
  return policies.map((policy) => ({
    policy,
    verdicts: judge(candidates, { now, policy, refused }),
  }))
}

/** What waits for a policy; undefined as long as the first channel serves nothing. `ERR_NOT_FOUND` if a channel is gone. */
export async function readWaiting(
  parts: ChannelParts,
  { name, from, to, fromId, toId }: Policy,
): Promise<Waiting | undefined> {
  const channel = await getChannel(parts.db, from)
  const target = await getChannel(parts.db, to)
  if (channel.id !== fromId || target.id !== toId) {
    const gone = channel.id === fromId ? to : from
    throw new AppError('ERR_NOT_FOUND', {
      message: `the channel ${gone} of policy ${name} was deleted: the one that is called so is another`,
      hint: `if that is meant: sluice policy set ${name} --from ${from} --to ${to}`,
    })
  }
  const view = parts.views.head(from)
  if (view === undefined) return undefined
  const candidates = await listPending(parts, { channel, view }, parts.views.head(to))
  const refused = await refusedBy(parts, target, view, candidates)
  return { from: view, target, candidates, refused }
}

/** The key of a candidate among those of one pair of channels. */
export function candidateKey(one: Pick<Candidate, 'archive' | 'suite' | 'source'>): string {
  return `${one.archive} ${one.suite} ${one.source}`
}

async function refusedBy(
  parts: ChannelParts,
  target: Channel,
  from: GenerationView,
  candidates: readonly PendingSource[],
): Promise<Waiting['refused']> {
  const holds = await listHolds(parts, target.id)
  const ask = await refusals(parts, target, { from, isForced: false })
  const reasons = new Map<string, VerdictReason>()
  for (const refused of (await ask?.(candidates)) ?? []) {
    reasons.set(candidateKey(refused), refusalReason(refused, target, holds))
  }
  return (candidate) => reasons.get(candidateKey(candidate))
}

/** What the second channel's refusal is called in a verdict. */
export function refusalReason(
  { source, reason, archive, suite, words }: LeftOut,
  { name }: Pick<Channel, 'name'>,
  holds: readonly Pin[],
): VerdictReason {
  const kind: ReasonKind = isKnown(reason) ? reason : 'failed'
  if (reason === 'held') {
    const hint = `sluice unhold ${source} --channel ${name}`
    const pin = holds.find((one) => one.source === source)
    return { kind, words: heldWords(pin), hint, until: pin?.until }
  }
  if (reason === 'declined') {
    const hint = `sluice undecline ${source}=VERSION --channel ${name}`
    return { kind, words: words ?? 'declined', hint }
  }
  if (reason === 'revoked') {
    return { kind, words: words ?? 'revoked', hint: 'sluice revoke --list tells by whom' }
  }
  if (reason === 'not newer') return { kind, words: `${name} has as new a version by its base` }
  if (reason === 'no suite') {
    return { kind, words: `what ${name} is based on has no ${archive} ${suite}` }
  }
  if (reason === 'uninstallable') return { kind, words: `uninstallable: ${words ?? source}` }
  return { kind, words: reason }
}

function heldWords(pin: Pin | undefined): string {
  if (pin === undefined) return 'held'
  const { who, madeAt, until, why } = pin
  const day = (at: number): string => new Date(at).toISOString().slice(0, 10)
  const end = until === undefined ? '' : ` until ${day(until)}`
  return `held by ${who} since ${day(madeAt)}${end}${why === undefined ? '' : `: ${why}`}`
}

function isKnown(reason: string): reason is ReasonKind {
  return ['held', 'declined', 'revoked', 'not newer', 'no suite', 'uninstallable'].includes(reason)
}
