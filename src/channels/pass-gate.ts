/**
 * The gate before a promotion: what would break something is refused if it was named, and left out if a rule chose it; by
 * force it goes, and what breaks is told.
 *
 * What goes back to the state that a channel had (a rollback, a copy), or follows by itself, is not asked: the one must work
 * when something is broken already, and the other is not somebody's choice.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import type { ChannelParts } from './channel-parts.ts'
import { findCompanions } from './companions.ts'
import type { SourceChange } from './generation-table.ts'
import { judgePlan, type PlannedBreakage } from './judge-plan.ts'
import type { LeftOut, PromotionPlan } from './plan.ts'
import { changeKey, extended, subsetOf } from './plan-subset.ts'
import type { GenerationView } from './views.ts'

export interface GatePlanInput {
  readonly from: GenerationView
  readonly to: GenerationView
  readonly plan: PromotionPlan
  /** Sources that go or nothing does. */
  readonly named: ReadonlySet<string>
  /** All that could go between the two channels. */
  readonly offered: () => Promise<PromotionPlan>
  /** Adds what has to go with it, the smallest such set. */
  readonly withDeps: boolean
  readonly force: boolean
  readonly dryRun: boolean
  /** Does not look for what could go with it when it refuses. */
  readonly isBrief: boolean
}

export interface GatedPlan {
  /** With what was added, and without what was left out. */
  readonly plan: PromotionPlan
  /** What this plan breaks. */
  readonly broken: readonly PlannedBreakage[]
  /** What was added. */
  readonly companions: readonly SourceChange[]
  /** Of a dry run, which does not throw it. */
  readonly refusal?: AppError | undefined
}

/** Rounds of leaving out; each leaves out one source at the least. */
const ROUNDS = 100
/** The channel waits for the search: what goes together in large sets is for a person to choose. */
const SEARCH_MS = 120_000
const HINT_MS = 20_000
/** Packages that are named in an answer, and sources in a hint. */
const TOLD = 100
const HINTED = 8

/** What of the plan goes; `ERR_GATE` if what was named does not, which a dry run tells. */
export async function gatePlan(
  parts: ChannelParts,
  input: GatePlanInput,
  { signal }: Abortable,
): Promise<GatedPlan> {
  const { from, to, force, named } = input
  const judge: Judge = (plan) => judgePlan(parts, { from, to, plan }, { signal })
  const first = await judge(input.plan)
  const isHelped = input.withDeps && first.length > 0
  const added = isHelped ? await addCompanions(input, judge, { signal }) : undefined
  const plan = added?.plan ?? input.plan
  const companions = added?.companions ?? []
  const broken = added === undefined ? first : []
  if (broken.length === 0 || force) return { plan, broken, companions }
  const gated = { ...(await leaveOut(judge, { plan, broken }, named)), companions }
  if (gated.broken.length === 0) return gated
  const refusal = await refuse(input, judge, gated, { signal })
  if (!input.dryRun) throw refusal
  return { ...gated, refusal }
}

type Judge = (plan: PromotionPlan) => Promise<PlannedBreakage[]>

async function addCompanions(
  { plan, offered, withDeps }: GatePlanInput,
  judge: Judge,
  { signal }: Abortable,
): Promise<Pick<GatedPlan, 'plan' | 'companions'> | undefined> {
  const all = await offered()
  const search = { plan, offered: all, judge, isThorough: withDeps }
  const limit = AbortSignal.timeout(withDeps ? SEARCH_MS : HINT_MS)
  const isOver = signal === undefined ? limit : AbortSignal.any([signal, limit])
  const companions = await findCompanions(search, { signal: isOver }).catch((error: unknown) => {
    if (limit.aborted && signal?.aborted !== true) return undefined
    throw error
  })
  if (companions === undefined) return undefined
  return { plan: extended(plan, all, new Set(companions.map(changeKey))), companions }
}

/** The plan without what a rule chose and the gate refuses; what is named stays, and what that breaks is told. */
async function leaveOut(
  judge: Judge,
  { plan, broken: first }: Pick<GatedPlan, 'plan' | 'broken'>,
  named: ReadonlySet<string>,
): Promise<Pick<GatedPlan, 'plan' | 'broken'>> {
  let left = plan
  for (let round = 0; ; round++) {
    const broken = round === 0 ? first : await judge(left)
    const mayStay = (change: SourceChange): boolean => !named.has(change.source)
    const blamed = blamedOf(left, broken, round < ROUNDS ? mayStay : () => false)
    if (broken.length === 0 || blamed.length === 0) return { plan: left, broken }
    const stays = new Set(blamed.map(changeKey))
    const rest = subsetOf(left, (key) => !stays.has(key))
    left = { ...rest, leftOut: [...rest.leftOut, ...blamed] }
  }
}

/** `ERR_GATE`: says what would break and what to do; `leftOut` is what would have to stay for the rest to go. */
async function refuse(
  input: GatePlanInput,
  judge: Judge,
  { plan, broken }: GatedPlan,
  { signal }: Abortable,
): Promise<AppError> {
  const rest = await leaveOut(judge, { plan, broken }, new Set())
  const known = new Set(plan.leftOut)
  const isLooked = !input.isBrief && !input.withDeps
  const found = isLooked ? await addCompanions({ ...input, plan }, judge, { signal }) : undefined
  const companions = found?.companions ?? []
  const more = broken.length - 1
  const [first] = broken
  const what = first === undefined ? '' : breakageWords(first)
  return new AppError('ERR_GATE', {
    message: `${input.to.channel} would break: ${what}${more > 0 ? `; and ${more} more` : ''}`,
    hint: hintOf(input, companions),
    details: {
      broken: toldOf(broken),
      with: companions,
      leftOut: rest.plan.leftOut.filter((one) => !known.has(one)),
    },
  })
}

function hintOf(
  { from, isBrief, withDeps }: GatePlanInput,
  companions: readonly SourceChange[],
): string {
  const names = [...new Set(companions.map(({ source }) => source))]
  if (names.length > 0) {
    const more = names.length > HINTED ? ` and ${names.length - HINTED} more` : ''
    return `promote ${names.slice(0, HINTED).join(', ')}${more} with it: --with-deps; or all the same: --force`
  }
  if (isBrief) return 'sluice promote … --dry-run tells what could go with it'
  return withDeps
    ? `nothing was found that ${from.channel} has and that mends it; all the same: --force`
    : '--with-deps looks for more that could go with it; all the same: --force'
}

/** `app 1 (amd64) depends on lib (= 1), and 3 more break by it`. */
export function breakageWords({ broken, root, words, architecture }: PlannedBreakage): string {
  const [first] = broken
  const isRoot = first?.package === root.package
  const own = `${root.package} ${root.version} (${architecture}) ${words}`
  const lead =
    isRoot || first === undefined ? own : `${first.package} ${first.version} needs it: ${own}`
  const others = broken.length - 1
  return others > 0 ? `${lead}, and ${others} more break with it` : lead
}

/** What is broken, as it is told to programs. */
export function toldOf(broken: readonly PlannedBreakage[]): object[] {
  return broken.slice(0, TOLD).map((one) => ({
    release: one.release,
    architecture: one.architecture,
    ...one.root,
    relation: one.relation,
    words: one.words,
    breaks: one.broken.slice(0, TOLD).map((other) => other.package),
    count: one.broken.length,
  }))
}

/** The changes to blame, of those that may stay; all of them where none is. */
function blamedOf(
  plan: PromotionPlan,
  broken: readonly PlannedBreakage[],
  mayStay: (change: SourceChange) => boolean,
): LeftOut[] {
  const blame = (names: (one: PlannedBreakage) => readonly string[]): LeftOut[] => {
    const causes = new Map<string, PlannedBreakage>()
    for (const one of broken) {
      for (const name of names(one)) if (!causes.has(name)) causes.set(name, one)
    }
    return plan.changes.filter(mayStay).flatMap((change) => {
      const by = causes.get(change.source)
      return by === undefined
        ? []
        : [{ ...change, reason: 'uninstallable', words: breakageWords(by) }]
    })
  }
  const blamed = blame((one) => one.blamed)
  if (blamed.length > 0 || broken.length === 0) return blamed
  const involved = blame((one) => one.involved)
  if (involved.length > 0) return involved
  const all = plan.changes.map(({ source }) => source)
  return blame((one) => (one === broken[0] ? all : []))
}
