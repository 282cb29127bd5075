/**
 * Why a source package did or did not go from one channel to another: what waits of it, what each policy says of that,
 * whether it could go by itself, and which runs of policies took it lately.
 */
import { chunksOfSource } from '../archives/chunk-table.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, isAppError } from '../base/errors.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { getPlainChannel } from '../channels/channel-table.ts'
import { listPending, type PendingSource } from '../channels/pending.ts'
import { promote } from '../channels/promote.ts'
import { verdictsFor } from './judge-policy.ts'
import { listPolicyRuns, type RunEntry } from './policy-runs.ts'
import { listPolicies } from './policy-table.ts'
import type { Verdict } from './verdict.ts'

export interface ExplainInput {
  readonly source: string
  /** Names of channels; those of all policies unless told, or testing and approved where there is none. */
  readonly from?: string | undefined
  readonly to?: string | undefined
}

/** What is to be said of the source between two channels. */
export interface Explanation {
  readonly from: string
  readonly to: string
  readonly waiting: readonly WaitingExplained[]
  /** How it went by policies, newest first. */
  readonly went: readonly WentByPolicy[]
}

export interface WaitingExplained extends PendingSource {
  readonly verdicts: readonly {
    readonly policy: string
    readonly enabled: boolean
    readonly verdict: Verdict
  }[]
  /** Why it could not be promoted by itself now, if it could not. */
  readonly refusal?: { readonly message: string; readonly hint?: string | undefined } | undefined
}

export interface WentByPolicy {
  readonly policy: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly generations: readonly number[]
  readonly entry: RunEntry
}

/** Runs that are looked through, of each policy; and how many are told. */
const RUNS = 100
const TOLD = 5

/** Explains; `ERR_NOT_FOUND` if a channel is not there, or nothing is known of the source. */
export async function explain(
  parts: ChannelParts,
  { source, from, to }: ExplainInput,
  abortable: Abortable = {},
): Promise<Explanation[]> {
  const policies = await listPolicies(parts.db)
  const pairs = new Map(
    policies
      .filter((one) => one.from === (from ?? one.from) && one.to === (to ?? one.to))
      .map((one) => [`${one.from} ${one.to}`, { from: one.from, to: one.to }]),
  )
  if (pairs.size === 0) pairs.set('', { from: from ?? 'testing', to: to ?? 'approved' })
  const explained: Explanation[] = []
  for (const pair of pairs.values()) {
    const waiting = await explainWaiting(parts, { source, ...pair }, abortable)
    explained.push({ ...pair, waiting, went: await wentLately(parts, { source, ...pair }) })
  }
  const isMet = explained.some(({ waiting, went }) => waiting.length > 0 || went.length > 0)
  if (isMet || (await chunksOfSource(parts.db, source)).size > 0) return explained
  throw new AppError('ERR_NOT_FOUND', {
    message: `no archive has a source package ${source}`,
    hint: `which source a package is made from: sluice search ${source}`,
  })
}

async function explainWaiting(
  parts: ChannelParts,
  { source, from, to }: Required<{ [Key in keyof ExplainInput]: string }>,
  { signal }: Abortable,
): Promise<WaitingExplained[]> {
  const channel = await getPlainChannel(parts.db, from)
  await getPlainChannel(parts.db, to)
  const view = parts.views.head(from)
  if (view === undefined) return []
  const all = await listPending(parts, { channel, view }, parts.views.head(to))
  const candidates = all.filter((one) => one.source === source)
  const judged = await verdictsFor(parts, { from, to, candidates })
  const explained: WaitingExplained[] = []
  for (const [at, candidate] of candidates.entries()) {
    const verdicts = judged.flatMap(({ policy, verdicts: some }) => {
      const verdict = some[at]
      return verdict === undefined
        ? []
        : [{ policy: policy.name, enabled: policy.enabled, verdict }]
    })
    const refusal = await refusalOf(parts, { from, to, candidate }, { signal })
    explained.push({ ...candidate, verdicts, refusal })
  }
  return explained
}

/** What a promotion of it alone would be told. */
async function refusalOf(
  parts: ChannelParts,
  { from, to, candidate }: { from: string; to: string; candidate: PendingSource },
  { signal }: Abortable,
): Promise<WaitingExplained['refusal']> {
  const { source, archive, suite } = candidate
  const sources = [{ name: source, in: { archive, suite } }]
  const selection = { kind: 'sources', sources } as const
  try {
    const input = { from, to, selection, dryRun: true, who: 'explain' }
    const { refusal } = await promote(parts, input, { signal })
    return refusal && { message: refusal.message, hint: refusal.hint }
  } catch (error) {
    if (!isAppError(error, 'ERR_REFUSED')) throw error
    return { message: error.message, hint: error.hint }
  }
}

async function wentLately(
  parts: ChannelParts,
  { source, from, to }: { source: string; from: string; to: string },
): Promise<WentByPolicy[]> {
  const found: WentByPolicy[] = []
  for (const policy of await listPolicies(parts.db)) {
    if (policy.from !== from || policy.to !== to) continue
    for (const { startedAt, endedAt, detail } of await listPolicyRuns(parts.db, policy.id, RUNS)) {
      const entries = endedAt === undefined ? [] : detail.went
      for (const entry of entries.filter((one) => one.source === source)) {
        const { generations } = detail
        found.push({ policy: policy.name, at: startedAt, generations, entry })
      }
    }
  }
  return found.sort((a, b) => b.at - a.at).slice(0, TOLD)
}
