/**
 * What policies should do, worked out apart from the program: who may go when, by what was published and when, and nothing
 * else. Times are epoch milliseconds by the server's clock.
 */
import { DAY_MS, HOUR_MS } from './policy-world.ts'

/** What a channel has of a source, and since when. */
export interface Has {
  readonly version: string
  readonly since: number
}

/** By suite and source: `stable bash`. */
export type Books = Map<string, Has>

/** A policy, in words that nobody has to parse. */
export interface PlainRule {
  readonly fits: (suite: string, source: string) => boolean
  /** Days; absent for never. */
  readonly after?: number
  /** As the program writes it. */
  readonly text: string
}

export interface OraclePolicy {
  readonly name: string
  readonly from: string
  readonly to: string
  /** The hour at which it runs. */
  readonly hour: number
  /** Whether the hour is Berlin's, and not UTC. */
  readonly isBerlin: boolean
  readonly isOffOnSundays: boolean
  readonly rules: readonly PlainRule[]
  /** First and last day, and whether security goes all the same. */
  readonly freeze?: readonly [first: string, last: string, butSecurity: boolean]
}

/** What should be said of a candidate. */
export interface Expected {
  /** In the order of weight; none if it goes. */
  readonly kinds: readonly string[]
  readonly rule: string | undefined
  /** The run that it goes with by then; absent where that is none. */
  readonly goesAt: number | undefined
}

/** Central European summer time of 2025, as the law has it. */
const SUMMER = [Date.UTC(2025, 2, 30, 1), Date.UTC(2025, 9, 26, 1)] as const

/** What a clock on the wall shows, as if it were UTC. */
function wall({ isBerlin }: OraclePolicy, at: number): Date {
  const isSummer = at >= SUMMER[0] && at < SUMMER[1]
  return new Date(at + (isBerlin ? (isSummer ? 2 : 1) * HOUR_MS : 0))
}

/** The first scheduled time at `at` or later: hours are tried one by one. */
export function slotFrom(policy: OraclePolicy, at: number): number {
  for (let slot = Math.ceil(at / HOUR_MS) * HOUR_MS; ; slot += HOUR_MS) {
    const shown = wall(policy, slot)
    if (shown.getUTCHours() !== policy.hour) continue
    if (!(policy.isOffOnSundays && shown.getUTCDay() === 0)) return slot
  }
}

/** What is to be said of each candidate at a time. */
export function expectAt(
  policy: OraclePolicy,
  [from, to]: readonly [Books, Books],
  { at, held }: { readonly at: number; readonly held: ReadonlyMap<string, number> },
): Map<string, Expected> {
  const expected = new Map<string, Expected>()
  for (const [key, { version, since }] of from) {
    if (to.get(key)?.version === version) continue
    const [suite = '', source = ''] = key.split(' ')
    const rule = policy.rules.find(({ fits }) => fits(suite, source))
    const isFrozen = (time: number): boolean => isIn(policy, suite, time)
    const days = rule?.after
    const kinds = [
      ...(held.has(source) ? ['held'] : []),
      ...(rule === undefined ? ['no rule'] : days === undefined ? ['never'] : []),
      ...(isFrozen(at) ? ['frozen'] : []),
      ...(days !== undefined && at - since < days * DAY_MS ? ['too young'] : []),
    ]
    let goesAt: number | undefined
    const until = held.get(source) ?? at
    if (days !== undefined && Number.isFinite(until)) {
      goesAt = slotFrom(policy, Math.max(at, until, since + days * DAY_MS))
      while (isFrozen(goesAt)) goesAt = slotFrom(policy, goesAt + 1)
    }
    expected.set(`${key} ${version}`, { kinds, rule: rule?.text, goesAt })
  }
  return expected
}

function isIn(policy: OraclePolicy, suite: string, at: number): boolean {
  if (policy.freeze === undefined) return false
  const [first, last, butSecurity] = policy.freeze
  const day = wall(policy, at).toISOString().slice(0, 10)
  return day >= first && day <= last && !(butSecurity && suite.endsWith('-security'))
}
