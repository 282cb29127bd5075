/**
 * A run of a policy: judges what waits, promotes what may go, and writes down why each candidate did or did not.
 *
 * Nothing is promoted twice, nor for nothing, whenever the power goes: the run is written down with its scheduled time,
 * then with what it is about to promote and the serial of the head before; a run that a crash left finds by these what it
 * promoted already. What is promoted is of the very generation that was judged.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { getChannel } from '../channels/channel-table.ts'
import { listGenerations } from '../channels/generation-table.ts'
import { inTransaction } from '../store/database.ts'
import { candidateKey, readWaiting } from './judge-policy.ts'
import {
  closePolicyRun,
  findOpenRun,
  listPolicyRuns,
  openPolicyRun,
  type PolicyRun,
  planPolicyRun,
  type RunDetail,
  type RunEntry,
} from './policy-runs.ts'
import { getPolicy, notePolicyDone, type Policy } from './policy-table.ts'
import { promoteMost } from './promote-most.ts'
import { nextTime } from './timetable.ts'
import { tryPromotion } from './try-promotion.ts'
import { judge, type Verdict, verdictWords } from './verdict.ts'

export interface RunPolicyInput {
  readonly name: string
  readonly who: string
  readonly why?: string | undefined
  /** Of a schedule: then it runs only if a scheduled time has come that is not done. */
  readonly isScheduled?: boolean | undefined
}

/** Pauses before what failed is tried again; after the last, the next scheduled time is waited for. */
const RETRIES_MS = [2, 5, 15, 60].map((minutes) => minutes * 60_000)

/** How a policy's promotions are signed in the audit and in a channel's history. */
export function nameOfPolicy({ name }: Pick<Policy, 'name'>): string {
  return `policy ${name}`
}

/** What a run would do now; nothing is written. */
export async function tryPolicy(parts: ChannelParts, name: string): Promise<Verdict[]> {
  const policy = await getPolicy(parts.db, name)
  const waiting = await readWaiting(parts, policy)
  if (waiting === undefined) return []
  const { from, candidates, refused } = waiting
  const verdicts = judge(candidates, { now: parts.clock.now(), policy, refused })
  return tryPromotion(parts, { policy, from, verdicts })
}

/**
 * Runs a policy, or goes on with the run that a crash left; undefined if nothing was due. What could not be promoted is told
 * by `problem` of the run, and tried again before long.
 */
export function runPolicy(
  parts: ChannelParts,
  input: RunPolicyInput,
  abortable: Abortable = {},
): Promise<PolicyRun | undefined> {
  // No channel can be called so.
  return parts.channelLock(`policy ${input.name}`)(async () => {
    const policy = await getPolicy(parts.db, input.name)
    const left = await findOpenRun(parts.db, policy.id)
    const run = left ?? (await begin(parts, policy, input))
    if (run === undefined) return undefined
    crashPoint('policy: run written down')
    let detail: RunDetail = run.detail
    let problem: string | undefined
    try {
      const done = left === undefined ? undefined : await findDone(parts, policy, left)
      // Switched off since it began, or since a crash left it: then it ends with what it has done.
      const isWanted = policy.enabled || run.dueAt === undefined
      const made = done ?? (isWanted ? await work(parts, policy, run, abortable) : idle)
      detail = made.detail
      problem = made.problem
    } catch (error) {
      // It stays open, and is gone on with.
      if (abortable.signal?.aborted === true) throw error
      problem = toAppError(error).message
      const done = await findDone(parts, policy, await reread(parts, run))
      detail = done?.detail ?? { went: [], stayed: [], generations: [] }
    }
    return end(parts, policy, run, { detail, problem })
  })
}

/** The scheduled time that is due, or the one that is made up for. */
export function dueTime(policy: Policy, now: number): number | undefined {
  const next = policy.enabled ? nextDue(policy) : undefined
  return next !== undefined && next <= now ? next : undefined
}

/** When the policy has to be looked at next. */
export function nextDue(policy: Policy): number | undefined {
  const next = nextTime(policy, policy.doneUntil)
  const { retryAt } = policy
  return retryAt === undefined || (next !== undefined && next < retryAt) ? next : retryAt
}

async function begin(
  parts: ChannelParts,
  policy: Policy,
  { who, why, isScheduled }: RunPolicyInput,
): Promise<PolicyRun | undefined> {
  const startedAt = parts.clock.now()
  const dueAt = isScheduled === true ? dueTime(policy, startedAt) : undefined
  if (isScheduled === true && dueAt === undefined) return undefined
  return inTransaction(parts.db, async (trx) => {
    // All that was due while nothing ran, or while the clock leapt, is made up for by this one run.
    if (dueAt !== undefined) await notePolicyDone(trx, policy.id, { doneUntil: startedAt })
    return openPolicyRun(trx, { policyId: policy.id, dueAt, who, why, startedAt })
  })
}

const idle: Made = {
  detail: { went: [], stayed: [], generations: [] },
  problem: 'the policy was switched off meanwhile',
}

interface Made {
  readonly detail: RunDetail
  readonly problem?: string | undefined
}

async function work(
  parts: ChannelParts,
  policy: Policy,
  run: PolicyRun,
  { signal }: Abortable,
): Promise<Made> {
  const waiting = await readWaiting(parts, policy)
  if (waiting === undefined) return { detail: { went: [], stayed: [], generations: [] } }
  const { from, target, candidates, refused } = waiting
  const verdicts = judge(candidates, { now: parts.clock.now(), policy, refused })
  const stayed = verdicts.filter((one) => !one.goes).map(entryOf)
  const went = verdicts.filter((one) => one.goes).map(entryOf)
  const generations: number[] = []
  if (went.length === 0) return { detail: { went, stayed, generations } }
  const detail = { went, stayed, generations }
  await planPolicyRun(parts.db, run, { before: target.head, detail })
  crashPoint('policy: plan written down')
  const made = await promoteMost(
    parts,
    { policy, from, verdicts: verdicts.filter((one) => one.goes), by: byWhom(run) },
    { signal },
  )
  crashPoint('policy: promoted')
  const kept = new Map(made.stayed.map((one) => [candidateKey(one), one]))
  return {
    detail: {
      went: went.filter((one) => !kept.has(candidateKey(one))),
      stayed: [...kept.values(), ...stayed],
      generations: made.generations,
    },
    problem: made.problem,
  }
}

/** What a run that a crash left has promoted of what it was about to; undefined if nothing. */
async function findDone(
  parts: ChannelParts,
  policy: Policy,
  { before, detail }: PolicyRun,
): Promise<Made | undefined> {
  if (before === undefined) return undefined
  const { id, head } = await getChannel(parts.db, policy.to)
  const later = await listGenerations(parts.db, id, head - before)
  const own = later.filter(({ serial, who }) => serial > before && who === nameOfPolicy(policy))
  if (own.length === 0) return undefined
  // A generation of very many changes does not name them: it was all that the run was about to promote.
  const isWhole = own.some(({ changes }) => changes === undefined)
  const changed = new Set(own.flatMap(({ changes }) => changes ?? []).map(candidateKey))
  const [went, missed] = [true, false].map((isIn) =>
    detail.went.filter((one) => (isWhole || changed.has(candidateKey(one))) === isIn),
  )
  const rest = (missed ?? []).map((one) => ({ ...one, words: 'left for the next run by a crash' }))
  const generations = own.map(({ serial }) => serial).sort((a, b) => a - b)
  const stayed = [...rest, ...detail.stayed]
  return { detail: { went: went ?? [], stayed, generations } }
}

async function reread(parts: ChannelParts, run: PolicyRun): Promise<PolicyRun> {
  return (await findOpenRun(parts.db, run.policyId)) ?? run
}

async function end(
  parts: ChannelParts,
  policy: Policy,
  run: PolicyRun,
  { detail, problem }: Made,
): Promise<PolicyRun> {
  const at = parts.clock.now()
  await inTransaction(parts.db, async (trx) => {
    await closePolicyRun(trx, run, { at, detail, problem })
    if (run.dueAt === undefined) return
    const pause = problem === undefined ? undefined : RETRIES_MS[policy.retries]
    const retryAt = pause === undefined ? undefined : at + pause
    const retries = pause === undefined ? 0 : policy.retries + 1
    await notePolicyDone(trx, policy.id, { retryAt, retries })
  })
  crashPoint('policy: run ended')
  const ended = (await listPolicyRuns(parts.db, policy.id, 1))[0]
  if (ended?.id === run.id) return ended
  throw new AppError('ERR_NOT_FOUND', { message: `policy ${policy.name} was deleted meanwhile` })
}

function entryOf(verdict: Verdict): RunEntry {
  const { archive, suite, source, old, new: versions } = verdict
  return { archive, suite, source, old, new: versions, words: verdictWords(verdict) }
}

/** For the reason of a promotion: who asked for a run that no schedule did. */
function byWhom({ dueAt, who, why }: PolicyRun): string {
  if (dueAt !== undefined) return ''
  return why === undefined ? `asked for by ${who}` : `asked for by ${who}: ${why}`
}
