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
import type { SourceChange } from './generation-table.ts'
import { judgePlan, type PlannedBreakage } from './judge-plan.ts'
import { filesOf, type LeftOut, type PromotionPlan } from './plan.ts'
import { namedSources, type Selection } from './selection.ts'
import type { GenerationView } from './views.ts'

export interface GateInput {
  readonly to: GenerationView
  readonly plan: PromotionPlan
  /** Sources that go or nothing does. */
  readonly named: ReadonlySet<string>
}

export interface GatedPlan {
  /** Without what was left out. */
  readonly plan: PromotionPlan
  /** What this plan breaks. */
  readonly broken: readonly PlannedBreakage[]
}

/** Rounds of leaving out; each leaves out one source at the least. */
const ROUNDS = 100
/** Packages that are named in an answer. */
const TOLD = 100

export interface GatePlanInput extends Omit<GateInput, 'named'> {
  readonly selection: Selection
  readonly force: boolean
  readonly dryRun: boolean
}

/** What of the plan goes; `ERR_GATE` if what was named does not, which a dry run tells. */
export async function gatePlan(
  parts: ChannelParts,
  { to, plan, selection, force, dryRun }: GatePlanInput,
  { signal }: Abortable,
): Promise<GatedPlan & { readonly refusal?: AppError | undefined }> {
  const all = new Set(plan.changes.map(({ source }) => source))
  const named = force ? all : namedSources(selection)
  const gated = await passGate(parts, { to, plan, named }, { signal })
  if (gated.broken.length === 0 || force) return gated
  const refusal = await refuse(parts, { ...gated, to }, { signal })
  if (!dryRun) throw refusal
  return { ...gated, refusal }
}

/** The plan without what a rule chose and the gate refuses; what is named stays, and what that breaks is told. */
async function passGate(
  parts: ChannelParts,
  { to, plan, named }: GateInput,
  { signal }: Abortable,
): Promise<GatedPlan> {
  let left = plan
  for (let round = 0; ; round++) {
    const broken = await judgePlan(parts, { to, plan: left }, { signal })
    const mayStay = (change: SourceChange): boolean => !named.has(change.source)
    const blamed = blamedOf(left, broken, round < ROUNDS ? mayStay : () => false)
    if (broken.length === 0 || blamed.length === 0) return { plan: left, broken }
    left = without(left, blamed)
  }
}

/** `ERR_GATE`: says what would break and what to do; `stays` is what would have to stay for the rest to go. */
async function refuse(
  parts: ChannelParts,
  { to, plan, broken }: GatedPlan & Pick<GateInput, 'to'>,
  { signal }: Abortable,
): Promise<AppError> {
  const rest = await passGate(parts, { to, plan, named: new Set() }, { signal })
  const known = new Set(plan.leftOut)
  const more = broken.length - 1
  const [first] = broken
  const what = first === undefined ? '' : breakageWords(first)
  return new AppError('ERR_GATE', {
    message: `${to.channel} would break: ${what}${more > 0 ? `; and ${more} more` : ''}`,
    hint: 'promote with it what it needs, or all the same: --force',
    details: {
      broken: toldOf(broken),
      leftOut: rest.plan.leftOut.filter((one) => !known.has(one)),
    },
  })
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
  const blame = (names: (one: PlannedBreakage) => readonly string[]): LeftOut[] =>
    plan.changes.filter(mayStay).flatMap((change) => {
      const by = broken.find((one) => names(one).includes(change.source))
      return by === undefined
        ? []
        : [{ ...change, reason: 'uninstallable', words: breakageWords(by) }]
    })
  const blamed = blame((one) => one.blamed)
  if (blamed.length > 0 || broken.length === 0) return blamed
  const involved = blame((one) => one.involved)
  return involved.length > 0 ? involved : blame(() => plan.changes.map(({ source }) => source))
}

/** The plan without these changes. */
function without(plan: PromotionPlan, stays: readonly LeftOut[]): PromotionPlan {
  const keyOf = ({ archive, suite, source }: SourceChange): string =>
    `${archive} ${suite} ${source}`
  const left = new Set(stays.map(keyOf))
  const suites = plan.suites.flatMap((suite) => {
    const goes = ({ source }: { readonly source: string }): boolean =>
      !left.has(keyOf({ ...suite, source, old: [], new: [] }))
    const diffs = suite.diffs
      .map((diff) => ({
        ...diff,
        removed: diff.removed.filter(goes),
        added: diff.added.filter(goes),
      }))
      .filter((diff) => diff.removed.length + diff.added.length > 0)
    const isEmptied = diffs.length === 0 && suite.diffs.length > 0
    return isEmptied ? [] : [{ ...suite, diffs, changes: suite.changes.filter(goes) }]
  })
  const changes = suites.flatMap((suite) => suite.changes)
  return { ...plan, suites, changes, leftOut: [...plan.leftOut, ...stays], files: filesOf(suites) }
}
