/**
 * Promotes as much as can go of what a policy lets go, in one generation if that can be.
 *
 * What the second channel or the gate refuses by name is left out and told; where a refusal does not say what it is about,
 * the halves are tried, and what was left out is tried once more after the others went. What keeps all of it from going (the
 * line to upstream, the disk) is the run's problem; where it may be about one file, halves are tried, a few times.
 */
import type { Abortable } from '../base/abortable.ts'
import { type AppError, isAppError, toAppError } from '../base/errors.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { getChannel } from '../channels/channel-table.ts'
import { listPins } from '../channels/pin-table.ts'
import type { LeftOut } from '../channels/plan.ts'
import { promote } from '../channels/promote.ts'
import type { Selection } from '../channels/selection.ts'
import type { GenerationView } from '../channels/views.ts'
import { candidateKey, refusalReason } from './judge-policy.ts'
import type { RunEntry } from './policy-runs.ts'
import type { Policy } from './policy-table.ts'
import type { Verdict } from './verdict.ts'

export interface PromoteMostInput {
  readonly policy: Policy
  /** The generation that was judged. */
  readonly from: GenerationView
  /** What goes. */
  readonly verdicts: readonly Verdict[]
  /** Who asked, where that was not the schedule; or nothing. */
  readonly by: string
}

export interface MostPromoted {
  /** Serials, in order. */
  readonly generations: number[]
  /** What could not go, and why. */
  readonly stayed: readonly RunEntry[]
  /** Why it should be tried again. */
  readonly problem?: string | undefined
}

/** Attempts that may fail in one run: refusals cost a plan, other failures perhaps a time-out. */
const REFUSALS = 200
const FAILURES = 12

interface Attempts {
  readonly generations: number[]
  readonly stayed: Map<string, RunEntry>
  refusalsLeft: number
  failuresLeft: number
  problem: string | undefined
}

/** Promotes them; throws only when it is interrupted. */
export async function promoteMost(
  parts: ChannelParts,
  input: PromoteMostInput,
  abortable: Abortable = {},
): Promise<MostPromoted> {
  const attempts: Attempts = {
    generations: [],
    stayed: new Map(),
    refusalsLeft: REFUSALS,
    failuresLeft: FAILURES,
    problem: undefined,
  }
  await tryAll(parts, input, attempts, abortable)
  const isLeft = ({ source, archive, suite }: Verdict): boolean =>
    attempts.stayed.get(candidateKey({ source, archive, suite }))?.words.startsWith('refused: ') ===
    true
  // What needed something that has gone by now can go.
  const again = input.verdicts.filter(isLeft)
  if (again.length > 0 && attempts.generations.length > 0) {
    for (const one of again) attempts.stayed.delete(candidateKey(one))
    await tryAll(parts, { ...input, verdicts: again }, attempts, abortable)
  }
  const { generations, stayed, problem } = attempts
  return { generations, stayed: [...stayed.values()], problem }
}

async function tryAll(
  parts: ChannelParts,
  input: PromoteMostInput,
  attempts: Attempts,
  { signal }: Abortable,
): Promise<void> {
  const { verdicts } = input
  if (verdicts.length === 0) return
  try {
    await promoteThese(parts, input, attempts, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    const failure = toAppError(error)
    const isRefusal = isAppError(failure, 'ERR_REFUSED') || isAppError(failure, 'ERR_GATE')
    const blamed = isRefusal ? await blame(parts, input, failure) : []
    if (isRefusal) attempts.refusalsLeft--
    else attempts.failuresLeft--
    if (blamed.length > 0) {
      for (const one of blamed) attempts.stayed.set(candidateKey(one), one)
      const rest = verdicts.filter((one) => !attempts.stayed.has(candidateKey(one)))
      return tryAll(parts, { ...input, verdicts: rest }, attempts, { signal })
    }
    const isOver = attempts.refusalsLeft <= 0 || attempts.failuresLeft <= 0
    const mayBeOne = isRefusal || isAboutFile(failure)
    if (verdicts.length === 1 || isOver || !mayBeOne)
      return give(verdicts, failure, isRefusal, attempts)
    const half = Math.ceil(verdicts.length / 2)
    for (const some of [verdicts.slice(0, half), verdicts.slice(half)]) {
      await tryAll(parts, { ...input, verdicts: some }, attempts, { signal })
    }
  }
}

/** Whether the others may have it better. */
function isAboutFile({ code }: AppError): boolean {
  return (
    code.startsWith('ERR_UPSTREAM_') ||
    ['ERR_NOT_FOUND', 'ERR_DIGEST_MISMATCH', 'ERR_SIZE_MISMATCH'].includes(code)
  )
}

function give(
  verdicts: readonly Verdict[],
  { message }: AppError,
  isRefusal: boolean,
  attempts: Attempts,
): void {
  if (!isRefusal) attempts.problem = message
  for (const { archive, suite, source, old, new: versions } of verdicts) {
    const words = `${isRefusal ? 'refused' : 'failed'}: ${message}`
    const entry = { archive, suite, source, old, new: versions, words }
    attempts.stayed.set(candidateKey(entry), entry)
  }
}

async function promoteThese(
  parts: ChannelParts,
  { policy, from, verdicts, by }: PromoteMostInput,
  attempts: Attempts,
  { signal }: Abortable,
): Promise<void> {
  const { generation } = await promote(
    parts,
    {
      from: `${from.channel}@${from.serial}`,
      to: policy.to,
      selection: selectionOf(verdicts),
      who: `policy ${policy.name}`,
      isBrief: true,
      why: [by, whyOf(verdicts)].filter(Boolean).join('; '),
    },
    { signal },
  )
  if (generation !== undefined) attempts.generations.push(generation.serial)
}

/** Just these, each of its suite. */
export function selectionOf(verdicts: readonly Verdict[]): Selection {
  const sources = verdicts.map(({ source: name, archive, suite }) => {
    return { name, in: { archive, suite } }
  })
  return { kind: 'sources', sources }
}

const NAMED = 8

/** The rules by which they go: `security after 1 day: openssl, curl; after 7 days: bash`. */
function whyOf(verdicts: readonly Verdict[]): string {
  const byRule = Map.groupBy(verdicts, ({ rule = '' }) => rule)
  const texts = [...byRule].map(([rule, some]) => {
    const names = [...new Set(some.map(({ source }) => source))]
    const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : ''
    return `${rule}: ${names.slice(0, NAMED).join(', ')}${more}`
  })
  return texts.join('; ').slice(0, 1000)
}

/** What of it a refusal names. */
async function blame(
  parts: ChannelParts,
  { policy, verdicts }: PromoteMostInput,
  { details }: AppError,
): Promise<RunEntry[]> {
  const named = details?.leftOut
  if (!Array.isArray(named)) return []
  const leftOut: LeftOut[] = named
  const target = await getChannel(parts.db, policy.to)
  const holds = (await listPins(parts.db, target.id)).filter((pin) => pin.kind === 'hold')
  return verdicts.flatMap(({ archive, suite, source, old, new: versions }) => {
    const found = leftOut.find(
      (one) => one.source === source && one.archive === archive && one.suite === suite,
    )
    if (found === undefined) return []
    const { words } = refusalReason(found, target, holds)
    return [{ archive, suite, source, old, new: versions, words }]
  })
}
