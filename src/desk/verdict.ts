/**
 * Verdicts: what a policy says of each candidate, and why, in the words of Debian's britney. Nothing is read here: what is
 * known is told.
 *
 * A candidate is what waits of one source package in one suite. It goes if nothing speaks against it; else all that does is
 * told, what weighs most first. Its age is that of the very version: a newer one that takes its place waits anew.
 */
import type { Freeze } from './freeze.ts'
import { dayAt, freezeAt } from './freeze.ts'
import type { PolicySettings } from './policy.ts'
import { findRule, formatAge, type Rule } from './policy-rules.ts'
import { nextTime } from './timetable.ts'

/** What waits of a source package in one suite: `PendingSource` is one. */
export interface Candidate {
  readonly archive: string
  readonly suite: string
  readonly source: string
  /** Versions of the second channel and of the first. */
  readonly old: readonly string[]
  readonly new: readonly string[]
  /** Epoch milliseconds: when the first channel got it so. */
  readonly since: number
  readonly isSecurity: boolean
  readonly arrival?: { readonly replaced: readonly string[]; readonly isAtLeast: boolean }
}

/**
 * `held`, `declined`, `revoked`, `not newer`, `no suite`: the second channel does not take it; `gone`: the first channel has it no more;
 * `uninstallable`: the gate refuses it; `failed`: it was tried, and could not be.
 */
export type ReasonKind =
  | 'held'
  | 'declined'
  | 'revoked'
  | 'not newer'
  | 'no suite'
  | 'gone'
  | 'never'
  | 'no rule'
  | 'frozen'
  | 'too young'
  | 'uninstallable'
  | 'failed'

/** One thing that speaks against it. */
export interface VerdictReason {
  readonly kind: ReasonKind
  /** `too young, only 3 of 7 days old`. */
  readonly words: string
  /** What would make it go. */
  readonly hint?: string | undefined
  /** Epoch milliseconds: when it is over by itself, where that is known. */
  readonly until?: number | undefined
}

export interface Verdict {
  readonly archive: string
  readonly suite: string
  readonly source: string
  readonly old: readonly string[]
  readonly new: readonly string[]
  readonly goes: boolean
  /** The rule that decided, as it is written. */
  readonly rule?: string | undefined
  /** Empty if it goes. */
  readonly reasons: readonly VerdictReason[]
  /** Epoch milliseconds: the run that it goes with by then, if nothing else happens; absent where that is none. */
  readonly goesAt?: number | undefined
}

/** What is known besides the candidates. */
export interface Situation {
  readonly now: number
  readonly policy: PolicySettings
  /** Why the second channel does not take a candidate, if it does not. */
  readonly refused: (candidate: Candidate) => VerdictReason | undefined
}

/** The policy's verdict on each of the candidates, in their order. */
export function judge(candidates: readonly Candidate[], situation: Situation): Verdict[] {
  const { now, policy } = situation
  const frozen = (isSecurity: boolean): Freeze | undefined =>
    freezeAt(policy.freezes, { now, timeZone: policy.timeZone, isSecurity })
  const freezes = { security: frozen(true), other: frozen(false) }
  const whenOf = runTimes(policy)
  return candidates.map((candidate) => {
    const { archive, suite, source, old, isSecurity } = candidate
    const rule = findRule(policy.rules, candidate)
    const freeze = isSecurity ? freezes.security : freezes.other
    const refused = situation.refused(candidate)
    const lasting = [refused, goneReason(candidate, policy), noWay(rule)]
    const passing = [frozenReason(freeze), ageReason(candidate, rule, situation)]
    const reasons = [...lasting, ...passing].filter((one) => one !== undefined)
    const isTimely = lasting.every((one) => one === undefined || one.until !== undefined)
    const ripeAt = candidate.since + (rule?.afterMs ?? 0)
    return {
      archive,
      suite,
      source,
      old,
      new: candidate.new,
      goes: reasons.length === 0,
      rule: rule?.text,
      reasons,
      goesAt: isTimely ? whenOf(Math.max(now, ripeAt, refused?.until ?? 0), isSecurity) : undefined,
    }
  })
}

/** What speaks against it in one line; that it goes, and by which rule, if nothing does. */
export function verdictWords({ goes, rule, reasons }: Verdict): string {
  return goes ? `goes: ${rule}` : reasons.map(({ words }) => words).join('; ')
}

function goneReason(
  { new: versions, source }: Candidate,
  { from }: PolicySettings,
): VerdictReason | undefined {
  if (versions.length > 0) return undefined
  return {
    kind: 'gone',
    words: `${from} has it no more: a policy takes nothing out`,
    hint: `sluice promote ${source} --removals`,
  }
}

function noWay(rule: Rule | undefined): VerdictReason | undefined {
  if (rule === undefined) return { kind: 'no rule', words: 'no rule matches it' }
  return rule.afterMs === undefined ? { kind: 'never', words: `rule ${rule.text}` } : undefined
}

function frozenReason(freeze: Freeze | undefined): VerdictReason | undefined {
  if (freeze === undefined) return undefined
  const { to, reason } = freeze
  const why = reason === undefined ? '' : `: ${reason}`
  return { kind: 'frozen', words: `frozen to the end of ${to}${why}` }
}

function ageReason(
  { since, old, arrival }: Candidate,
  rule: Rule | undefined,
  { now, policy }: Situation,
): VerdictReason | undefined {
  const afterMs = rule?.afterMs
  if (afterMs === undefined || now - since >= afterMs) return undefined
  if (since > now) {
    const words = `too young: it came at ${new Date(since).toISOString()}, which is to come: the clock was set back`
    return { kind: 'too young', words }
  }
  const [count, unit] = unitOf(afterMs)
  const only = arrival?.isAtLeast === true ? 'at least' : 'only'
  const age = `${only} ${Math.floor((now - since) / unit)} of ${count} old`
  const replaced = arrival?.replaced ?? []
  const isAnew = replaced.length > 0 && replaced.join(' ') !== old.join(' ')
  const anew = isAnew ? `; it took the place of ${replaced.join(' ')}, and waits anew` : ''
  if (arrival?.isAtLeast !== true) return { kind: 'too young', words: `too young, ${age}${anew}` }
  const words = `too young, ${age}, as far back as the history of ${policy.from} goes`
  return { kind: 'too young', words, hint: `sluice channel set ${policy.from} --keep-days` }
}

const HOUR_MS = 3600_000

/** How an age is counted against this one: in days only where it is several whole ones. */
function unitOf(afterMs: number): [string, number] {
  if (afterMs >= 48 * HOUR_MS && afterMs % (24 * HOUR_MS) === 0) {
    return [formatAge(afterMs), 24 * HOUR_MS]
  }
  const isHours = afterMs >= 2 * HOUR_MS && afterMs % HOUR_MS === 0
  const [unit, word] = isHours ? [HOUR_MS, 'hours'] : [60_000, 'minutes']
  return [`${afterMs / unit} ${word}`, unit]
}

/** Says the first run at a time or later on which nothing is frozen; times that many share are looked for once. */
function runTimes(policy: PolicySettings): (at: number, isSecurity: boolean) => number | undefined {
  const known = new Map<string, number | undefined>()
  return (at, isSecurity) => {
    const key = `${at} ${isSecurity}`
    if (!known.has(key)) known.set(key, firstRun(policy, at, isSecurity))
    return known.get(key)
  }
}

function firstRun(policy: PolicySettings, at: number, isSecurity: boolean): number | undefined {
  if (!policy.enabled) return undefined
  const { freezes, timeZone } = policy
  let run = nextTime(policy, at - 1)
  // Each turn leaves one freeze behind.
  for (let turns = 0; run !== undefined && turns <= freezes.length; turns++) {
    const freeze = freezeAt(freezes, { now: run, timeZone, isSecurity })
    if (freeze === undefined) return run
    run = nextTime(policy, endOf(freeze, timeZone) - 1)
  }
  return undefined
}

/** When the day after the freeze begins. */
function endOf({ to }: Freeze, timeZone: string): number {
  let at = Date.parse(`${to}T00:00:00Z`) - 24 * HOUR_MS
  // Some days in a few time zones begin later than at midnight; croner knows.
  while (dayAt(at, timeZone) <= to) {
    const next = nextTime({ schedule: '0 0 * * *', timeZone }, at)
    if (next === undefined) break
    at = next
  }
  return at
}
