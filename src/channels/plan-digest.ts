/**
 * The digest of a plan: who was shown what a promotion would do gives it back, and that happens, or nothing.
 *
 * It is the SHA-256 of JSON: both generations, what counts of the options, and each change with its versions, sorted. A generation
 * never changes, so that the same digest means the same bytes. What plans said is kept in memory for a while, to tell in
 * what they differ from what would happen by now.
 */
import { AppError } from '../base/errors.ts'
import type { Lru } from '../base/lru.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import type { SourceChange } from './generation-table.ts'

/** What a digest is of. */
export interface PlanFacts {
  readonly from: PlanPoint
  readonly to: PlanPoint
  readonly options: PlanOptions
  readonly changes: readonly SourceChange[]
}

export interface PlanPoint {
  readonly channel: string
  readonly serial: number
}

/** The options that decide on more than which sources there are. */
export interface PlanOptions {
  /** Whether all comes that the first channel has, also what is no package. */
  readonly whole: boolean
  readonly removals: boolean
  readonly force: boolean
  /** Whether what comes keeps its `Phased-Update-Percentage`. */
  readonly keepsPhasing: boolean
}

/** Plans that were told, by the beginning of their digests. */
export type KnownPlans = Lru<string, PlanFacts>

/** What is asked for of a digest: its beginning is enough. */
export const PLAN_DIGEST = /^[0-9a-f]{12,64}$/
const KEY_LENGTH = 12
const TOLD = 5

/** The digest of a plan, which is remembered. */
export function digestOfPlan(known: KnownPlans, facts: PlanFacts): Sha256 {
  const { from, to, options } = facts
  const changes = facts.changes
    .map((one) => JSON.stringify([one.archive, one.suite, one.source, one.old, one.new]))
    .sort()
  const ends = [from.channel, from.serial, to.channel, to.serial]
  const { whole, removals, force, keepsPhasing } = options
  const text = JSON.stringify({ format: 1, ends, whole, removals, force, keepsPhasing, changes })
  const digest = sha256Of(Buffer.from(text))
  known.set(digest.slice(0, KEY_LENGTH), facts, 1 + changes.length)
  return digest
}

/** Throws `ERR_REFUSED` unless `given` is the digest of the plan; says in what that one differed, if it is known. */
export function assertPlan(known: KnownPlans, given: string, facts: PlanFacts): void {
  const shown = known.get(given.slice(0, KEY_LENGTH))
  const now = digestOfPlan(known, facts)
  if (PLAN_DIGEST.test(given) && now.startsWith(given)) return
  const differences = shown === undefined ? [] : differencesOf(shown, facts)
  const moved = shown !== undefined && shown.from.serial !== facts.from.serial
  const again = `sluice promote … --from ${facts.from.channel} --to ${facts.to.channel} --dry-run`
  throw new AppError('ERR_REFUSED', {
    message:
      differences.length === 0
        ? `what would happen now is not the plan ${given.slice(0, 16)}`
        : `what would happen now is not what was shown: ${differences.join('; ')}`,
    hint:
      moved && shown.to.serial === facts.to.serial
        ? `${again} shows it; --from ${shown.from.channel}@${shown.from.serial} takes what was there then`
        : `${again} shows it`,
    details: { given, now, differences },
  })
}

function differencesOf(shown: PlanFacts, now: PlanFacts): string[] {
  const differences: string[] = []
  for (const end of ['from', 'to'] as const) {
    const [then, is] = [shown[end], now[end]]
    if (then.channel !== is.channel)
      differences.push(`it was of ${then.channel}, not ${is.channel}`)
    else if (then.serial !== is.serial) {
      differences.push(`${is.channel} is at generation ${is.serial}, not ${then.serial}`)
    }
  }
  const options = {
    whole: '--all',
    removals: '--removals',
    force: '--force',
    keepsPhasing: 'phasing kept',
  }
  for (const name of ['whole', 'removals', 'force', 'keepsPhasing'] as const) {
    if (shown.options[name] === now.options[name]) continue
    differences.push(`it was ${shown.options[name] ? 'with' : 'without'} ${options[name]}`)
  }
  return [...differences, ...changesBetween(shown.changes, now.changes)]
}

function changesBetween(shown: readonly SourceChange[], now: readonly SourceChange[]): string[] {
  const keyOf = (one: SourceChange): string => [one.archive, one.suite, one.source].join(' ')
  const versions = (one: SourceChange): string =>
    `${one.old.join(' ') || '(none)'} -> ${one.new.join(' ') || '(none)'}`
  const [before, after] = [
    new Map(shown.map((one) => [keyOf(one), one])),
    new Map(now.map((one) => [keyOf(one), one])),
  ]
  const differences: string[] = []
  for (const [key, one] of before) {
    const other = after.get(key)
    if (other === undefined) differences.push(`${one.source} would not change any more`)
    else if (versions(other) !== versions(one)) {
      differences.push(`${one.source} ${versions(other)}, not ${versions(one)}`)
    }
  }
  for (const [key, one] of after) {
    if (!before.has(key)) differences.push(`${one.source} ${versions(one)} as well`)
  }
  const more = differences.length - TOLD
  return more > 0 ? [...differences.slice(0, TOLD), `and ${more} more`] : differences
}
