/**
 * The suites of a channel after a promotion: those of the plan with their new states, the others as they are.
 */
import { encodeState, readState } from '../archives/suite-state.ts'
import { putRows } from '../store/blobs.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts } from './channel-parts.ts'
import type { SuiteEntry } from './draft-suite.ts'
import { describeIndex } from './index-forms.ts'
import type { PromotionPlan } from './plan.ts'
import { promotedState } from './promoted-state.ts'
import type { GenerationView } from './views.ts'

/** All suites of the generation to come; the new states and their indexes are in the store on return. */
export async function promotedEntries(
  parts: ChannelParts,
  plan: PromotionPlan,
  head: GenerationView | undefined,
): Promise<SuiteEntry[]> {
  const changed: SuiteEntry[] = []
  for (const suite of plan.suites) {
    const { digest, blob } = encodeState(await promotedState(parts, suite))
    await inTransaction(parts.db, (trx) => putRows(trx, [blob]))
    changed.push({ archive: suite.archive, suite: suite.suite, state: digest })
  }
  const kept = (head?.suites ?? []).filter(
    (old) => !changed.some((one) => one.archive === old.archive && one.suite === old.suite),
  )
  return [...kept.map(({ archive, suite, state }) => ({ archive, suite, state })), ...changed]
}

/**
 * The same, with what the new indexes measure, begun before anybody waits for it: it may fail unseen. Nothing names what
 * it writes until it is published; what never is, is collected as garbage.
 */
export function beginEntries(
  parts: ChannelParts,
  plan: PromotionPlan,
  head: GenerationView,
): Promise<SuiteEntry[]> {
  const begun = begin(parts, plan, head)
  begun.catch(() => undefined)
  return begun
}

async function begin(
  parts: ChannelParts,
  plan: PromotionPlan,
  head: GenerationView,
): Promise<SuiteEntry[]> {
  const entries = await promotedEntries(parts, plan, head)
  for (const { state } of entries) {
    const { indexes } = await readState(parts.blobs, state)
    for (const { root } of indexes) await describeIndex(parts, root)
  }
  return entries
}
