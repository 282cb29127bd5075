/**
 * What a plan of a promotion would break of the channel that is promoted to: in all its suites that machines have side by
 * side (gate-suites.ts), for each architecture. What comes and is not installable in the first channel either is no reason
 * to refuse: nothing that works breaks by it, and waiting would not mend it.
 */
import {
  binaryIndexes,
  isForInstaller,
  readState,
  type SuiteState,
} from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import type { Breakage } from '../gate/reasons.ts'
import type { ChannelParts } from './channel-parts.ts'
import { sideBySide } from './gate-suites.ts'
import type { SuitePlan } from './plan.ts'
import type { GenerationView } from './views.ts'

/** What breaks by one cause on machines of one release and architecture. */
export interface PlannedBreakage extends Breakage {
  readonly release: string
  readonly architecture: string
}

export interface JudgeInput {
  readonly to: GenerationView
  readonly plan: { readonly suites: readonly SuitePlan[] }
}

/** What the plan breaks; nothing if all goes on. */
export async function judgePlan(
  parts: ChannelParts,
  { to, plan }: JudgeInput,
  { signal }: Abortable,
): Promise<PlannedBreakage[]> {
  const found: PlannedBreakage[] = []
  const { known, fresh } = await suitesWith(parts, to, plan.suites)
  for (const { release, suites } of await sideBySide(parts, [...known, ...fresh])) {
    const changes = plan.suites.flatMap((one) =>
      suites.some((suite) => isSameSuite(suite, one)) ? packageDiffs(one) : [],
    )
    for (const architecture of new Set(changes.map((diff) => diff.architecture))) {
      const own = changes.filter((diff) => diff.architecture === architecture)
      const indexes = suites.filter((one) => !fresh.includes(one)).flatMap(binaryIndexes)
      const change = {
        architecture,
        roots: indexes.flatMap((one) => (one.architecture === architecture ? [one.root] : [])),
        removed: own.flatMap(({ removed }) => removed.map(({ text }) => text)),
        added: own.flatMap(({ added }) => added.map(({ text }) => text)),
      }
      const broken = await parts.gate.judge(change, { signal })
      found.push(...broken.map((one) => ({ ...one, release, architecture })))
    }
  }
  return found
}

/** What the channel has, and the suites that it has not yet and that the plan brings. */
async function suitesWith(
  parts: ChannelParts,
  to: GenerationView,
  planned: readonly SuitePlan[],
): Promise<{ known: SuiteState[]; fresh: SuiteState[] }> {
  const known: SuiteState[] = []
  for (const { state } of to.suites) known.push(await readState(parts.blobs, state))
  const fresh = planned
    .filter((one) => !known.some((suite) => isSameSuite(suite, one)))
    .map(({ from }) => from)
  return { known, fresh }
}

function packageDiffs({ diffs }: SuitePlan): SuitePlan['diffs'] {
  return diffs.filter((diff) => diff.kind === 'Packages' && !isForInstaller(diff))
}

function isSameSuite(
  a: Pick<SuiteState, 'archive' | 'suite'>,
  b: Pick<SuiteState, 'archive' | 'suite'>,
): boolean {
  return a.archive === b.archive && a.suite === b.suite
}
