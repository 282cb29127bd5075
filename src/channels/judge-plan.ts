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
import type { Sha256 } from '../base/sha256.ts'
import type { Breakage, BrokenPackage } from '../gate/reasons.ts'
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
  readonly from: GenerationView
  readonly to: GenerationView
  readonly plan: { readonly suites: readonly SuitePlan[] }
}

/** Packages of one architecture. */
const FIRST_FILL = 5000

/** What the plan breaks; nothing if all goes on. */
export async function judgePlan(
  parts: ChannelParts,
  { from, to, plan }: JudgeInput,
  { signal }: Abortable,
): Promise<PlannedBreakage[]> {
  const found: PlannedBreakage[] = []
  const told = new Set<string>()
  const { known, fresh } = await suitesWith(parts, to, plan.suites)
  for (const { release, suites } of await sideBySide(parts, [...known, ...fresh])) {
    const changes = plan.suites.flatMap((one) =>
      suites.some((suite) => isSameSuite(suite, one)) ? packageDiffs(one) : [],
    )
    for (const architecture of new Set(changes.map((diff) => diff.architecture))) {
      const own = changes.filter((diff) => diff.architecture === architecture)
      const change = {
        architecture,
        roots: rootsOf(
          suites.filter((one) => !fresh.includes(one)),
          architecture,
        ),
        removed: own.flatMap(({ removed }) => removed.map(({ text }) => text)),
        added: own.flatMap(({ added }) => added.map(({ text }) => text)),
      }
      // A release that comes whole breaks nothing, and is too much to be laid over what there is.
      if (change.roots.length === 0 && change.added.length > FIRST_FILL) continue
      const broken = await parts.gate.judge(change, { signal })
      const isHopeless = await hopeless(parts, { from, release, architecture, broken }, { signal })
      for (const one of broken) {
        const left = one.broken.filter((other) => !isHopeless(other))
        // Suites that are there for several others are looked at with each of them.
        const cause = [architecture, one.root.package, one.root.version, one.words].join(' ')
        if (left.length === 0 || told.has(cause)) continue
        told.add(cause)
        found.push({ ...one, broken: left, release, architecture })
      }
    }
  }
  return found
}

interface HopelessInput {
  readonly from: GenerationView
  readonly release: string
  readonly architecture: string
  readonly broken: readonly Breakage[]
}

/** Tells of packages that come whether the first channel, whatever it has, cannot have them installed either. */
async function hopeless(
  parts: ChannelParts,
  { from, release, architecture, broken }: HopelessInput,
  { signal }: Abortable,
): Promise<(one: BrokenPackage) => boolean> {
  const fresh = broken.flatMap((one) => one.broken).filter((one) => one.isNew)
  if (fresh.length === 0) return () => false
  const names = [...new Set(fresh.map((one) => one.package))]
  const states: SuiteState[] = []
  for (const { state } of from.suites) states.push(await readState(parts.blobs, state))
  const all = await sideBySide(parts, states)
  const own = all.filter((one) => one.release === release)
  const bad: Set<string>[] = []
  for (const { suites } of own.length > 0 ? own : all) {
    const roots = rootsOf(suites, architecture)
    bad.push(await parts.gate.uninstallable({ architecture, roots }, names, { signal }))
  }
  return (one) => one.isNew && bad.some((some) => some.has(one.package))
}

function rootsOf(suites: readonly SuiteState[], architecture: string): Sha256[] {
  return suites
    .flatMap(binaryIndexes)
    .flatMap((index) => (index.architecture === architecture ? [index.root] : []))
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
