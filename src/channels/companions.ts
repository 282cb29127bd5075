/**
 * What has to go with a promotion so that it breaks nothing: a set of changes that the first channel has besides, of which
 * none can be spared.
 *
 * Wherever something breaks, what could mend it is added: what satisfies the relation, then the newer versions of those
 * that are broken by it. Where that leads nowhere, it is begun with all that could go, without what breaks something. When
 * all goes, whatever can be spared is dropped again, halves first.
 */
import type { Abortable } from '../base/abortable.ts'
import { fieldValue } from '../debian/control.ts'
import { parseRelations } from '../debian/relations.ts'
import type { SourceChange } from './generation-table.ts'
import type { PlannedBreakage } from './judge-plan.ts'
import type { PromotionPlan } from './plan.ts'
import { changeKey, extended } from './plan-subset.ts'

export interface CompanionsInput {
  readonly plan: PromotionPlan
  /** All that could go. */
  readonly offered: PromotionPlan
  readonly judge: (plan: PromotionPlan) => Promise<readonly PlannedBreakage[]>
  /** Also begins with all that could go, which can take a while. */
  readonly isThorough: boolean
}

/** Rounds of adding, and attempts with what turned out to have no place left out. */
const ROUNDS = 200
const ATTEMPTS = 8

/** The changes that have to go with the plan; undefined if there is no such set, or none is found. */
export async function findCompanions(
  input: CompanionsInput,
  { signal }: Abortable,
): Promise<SourceChange[] | undefined> {
  const { plan, offered } = input
  const own = new Set(plan.changes.map(changeKey))
  const all = new Map(
    offered.changes.map((one) => [changeKey(one), one] as const).filter(([key]) => !own.has(key)),
  )
  const chosen =
    (await growFromNothing(input, new Map(all), { signal })) ??
    (input.isThorough ? await shrinkFromAll(input, new Map(all), { signal }) : undefined)
  if (chosen === undefined) return undefined
  const needed = await spare(input, chosen, { signal })
  return needed.flatMap((key) => all.get(key) ?? [])
}

async function growFromNothing(
  input: CompanionsInput,
  open: Map<string, SourceChange>,
  { signal }: Abortable,
): Promise<string[] | undefined> {
  const remedies = createRemedies(input.offered, open)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = await collect(input, open, remedies, { signal })
    if (found.isGood) return [...found.chosen]
    // What came along and broke something itself that nothing mends has no place.
    const blamed = blamedIn(found.broken, open).filter((key) => found.chosen.has(key))
    if (blamed.length === 0) return undefined
    for (const key of blamed) open.delete(key)
  }
  return undefined
}

/** All that there is, without what breaks something. */
async function shrinkFromAll(
  { plan, offered, judge }: CompanionsInput,
  open: Map<string, SourceChange>,
  { signal }: Abortable,
): Promise<string[] | undefined> {
  for (;;) {
    signal?.throwIfAborted()
    const chosen = new Set(open.keys())
    const broken = await judge(extended(plan, offered, chosen))
    if (broken.length === 0) return [...chosen]
    const blamed = blamedIn(broken, open)
    if (blamed.length === 0) return undefined
    for (const key of blamed) open.delete(key)
  }
}

function blamedIn(
  broken: readonly PlannedBreakage[],
  open: ReadonlyMap<string, SourceChange>,
): string[] {
  const blamed = new Set(broken.flatMap((one) => one.blamed))
  return [...open].flatMap(([key, { source }]) => (blamed.has(source) ? [key] : []))
}

interface Collected {
  readonly chosen: ReadonlySet<string>
  readonly broken: readonly PlannedBreakage[]
  readonly isGood: boolean
}

/** Adds until nothing breaks, or nothing helps. */
async function collect(
  { plan, offered, judge }: CompanionsInput,
  open: ReadonlyMap<string, SourceChange>,
  remedies: Remedies,
  { signal }: Abortable,
): Promise<Collected> {
  const chosen = new Set<string>()
  for (let round = 0; ; round++) {
    signal?.throwIfAborted()
    const broken = await judge(extended(plan, offered, chosen))
    const isGood = broken.length === 0
    if (isGood || round >= ROUNDS) return { chosen, broken, isGood }
    const size = chosen.size
    for (const add of remedies) {
      for (const one of broken) {
        for (const key of add(one)) if (open.has(key)) chosen.add(key)
      }
      if (chosen.size > size) break
    }
    if (chosen.size === size) return { chosen, broken, isGood }
  }
}

/** Ways to mend a breakage, the nearest first: keys of changes. */
type Remedies = readonly ((broken: PlannedBreakage) => readonly string[])[]

function createRemedies(offered: PromotionPlan, open: ReadonlyMap<string, SourceChange>): Remedies {
  const bySource = Map.groupBy(open.keys(), (key) => open.get(key)?.source ?? '')
  const byName = new Map<string, Set<string>>()
  for (const { archive, suite, diffs } of offered.suites) {
    for (const { source, kind, name, text } of diffs.flatMap((diff) => diff.added)) {
      if (kind !== 'Packages') continue
      const provides = fieldValue(text, 0, text.length, 'Provides') ?? ''
      const provided = parseRelations(provides).flat()
      for (const own of [name, ...provided.map((one) => one.name)]) {
        const keys = byName.get(own) ?? new Set()
        byName.set(own, keys.add(changeKey({ archive, suite, source })))
      }
    }
  }
  const ofSources = (names: readonly string[]): string[] =>
    names.flatMap((source) => bySource.get(source) ?? [])
  return [
    ({ wanted, nearest }) => [
      ...wanted.flatMap((name) => [...(byName.get(name) ?? [])]),
      ...ofSources(nearest),
    ],
    ({ involved }) => ofSources(involved),
  ]
}

/** Those of the chosen that cannot be spared. */
async function spare(
  { plan, offered, judge }: CompanionsInput,
  chosen: readonly string[],
  { signal }: Abortable,
): Promise<string[]> {
  let kept = [...chosen]
  const drop = async (some: readonly string[]): Promise<void> => {
    signal?.throwIfAborted()
    const rest = kept.filter((key) => !some.includes(key))
    if (some.length === 0) return
    if ((await judge(extended(plan, offered, new Set(rest)))).length === 0) {
      kept = rest
      return
    }
    const half = some.length >> 1
    if (half === 0) return
    await drop(some.slice(half))
    await drop(some.slice(0, half))
  }
  // What could not be spared at first may be, once others are gone.
  for (let size = -1; size !== kept.length; ) {
    size = kept.length
    await drop(kept.filter((_, at) => size > 1 || at === 0))
  }
  return kept
}
