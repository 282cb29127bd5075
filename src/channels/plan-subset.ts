/**
 * A part of a plan: what remains of it when some changes stay, as if they had not been selected.
 */
import type { SourceChange } from './generation-table.ts'
import { filesOf, type PromotionPlan } from './plan.ts'

/** What tells a change from others of a plan. */
export type ChangeKey = Pick<SourceChange, 'archive' | 'suite' | 'source'>

/** The key of a change in sets and maps. */
export function changeKey({ archive, suite, source }: ChangeKey): string {
  return `${archive} ${suite} ${source}`
}

/** The plan with only the changes that go; a suite that has none of them any more stays as it is. */
export function subsetOf(plan: PromotionPlan, goes: (key: string) => boolean): PromotionPlan {
  const suites = plan.suites.flatMap((suite) => {
    const isIn = ({ source }: { readonly source: string }): boolean =>
      goes(changeKey({ ...suite, source }))
    const diffs = suite.diffs
      .map((diff) => ({
        ...diff,
        removed: diff.removed.filter(isIn),
        added: diff.added.filter(isIn),
      }))
      .filter((diff) => diff.removed.length + diff.added.length > 0)
    const isEmptied = diffs.length === 0 && suite.diffs.length > 0
    return isEmptied ? [] : [{ ...suite, diffs, changes: suite.changes.filter(isIn) }]
  })
  const changes = suites.flatMap((suite) => suite.changes)
  return { ...plan, suites, changes, files: filesOf(suites) }
}

/** The plan with changes of a larger one besides. */
export function extended(
  plan: PromotionPlan,
  larger: PromotionPlan,
  more: ReadonlySet<string>,
): PromotionPlan {
  const own = new Set([...plan.changes.map(changeKey), ...more])
  const { suites } = subsetOf(larger, (key) => own.has(key))
  // What is more than packages comes only where it was selected.
  const others = plan.suites.filter(({ diffs }) => diffs.length === 0)
  const all = [...suites.filter(({ diffs }) => diffs.length > 0), ...others]
  const leftOut = plan.leftOut.filter((one) => !more.has(changeKey(one)))
  const keptBack = plan.keptBack.filter((one) => !more.has(changeKey(one)))
  const changes = all.flatMap((suite) => suite.changes)
  return { suites: all, changes, leftOut, keptBack, files: filesOf(all) }
}
