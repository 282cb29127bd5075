/**
 * What has to go with a promotion, as `--with-deps` finds it, between two states of one suite; and whether dose-debcheck takes
 * the whole set, and misses something when any one of it stays.
 */
import type { IndexEntry } from '../src/archives/index-parts.ts'
import { findCompanions } from '../src/channels/companions.ts'
import type { SourceChange } from '../src/channels/generation-table.ts'
import type { PlannedBreakage } from '../src/channels/judge-plan.ts'
import type { PromotionPlan } from '../src/channels/plan.ts'
import type { Change, Dose } from './gate-dose.ts'
import type { Route } from './gate-draws.ts'
import type { Ours } from './gate-ours.ts'
import type { Package } from './gate-states.ts'
import { sample } from './random.ts'

/** What a set of sources would be, to the judge and to the search. */
export interface Companions {
  /** What has to go with these sources of the route; undefined if nothing mends what they break. */
  find(sources: readonly string[], signal: AbortSignal): Promise<string[] | undefined>
  /** The names that dose-debcheck says break; what comes and cannot be installed where it comes from does not count. */
  broken(sources: readonly string[]): Promise<string[]>
}

/** The search on a route of mode `instead`. */
export async function openCompanions(route: Route, ours: Ours, dose: Dose): Promise<Companions> {
  const { before, from } = route
  const hopeless = await dose.uninstallable(from)
  const known = new Set(before.packages.map(({ name }) => name))
  const counts = (name: string): boolean => known.has(name) || !hopeless.has(name)
  const judge = async (plan: PromotionPlan): Promise<PlannedBreakage[]> => {
    const verdict = await ours.judge(
      changeTo(
        route,
        plan.changes.map(({ source }) => source),
      ),
    )
    const found: PlannedBreakage[] = []
    for (const one of await verdict.reasons()) {
      const broken = one.broken.filter((other) => counts(other.package))
      if (broken.length > 0) found.push({ ...one, broken, release: '', architecture: 'amd64' })
    }
    return found
  }
  return {
    find: async (sources, signal) => {
      const offered = planOf(route, route.sources)
      const plan = planOf(route, sources)
      const found = await findCompanions({ plan, offered, judge, isThorough: true }, { signal })
      return found?.map(({ source }) => source)
    },
    broken: async (sources) => (await dose.broken(changeTo(route, sources))).filter(counts),
  }
}

/** What became of one promotion with what has to go with it. */
export interface CompanionsTried {
  readonly source: string
  /** Absent where nothing was found, or not in time. */
  readonly found?: readonly string[] | undefined
  readonly wallMs: number
  /** What dose-debcheck says breaks all the same. */
  readonly stillBroken: readonly string[]
  /** Those that could stay, as dose-debcheck says. */
  readonly spared: readonly string[]
}

/** Of larger sets so many members are left out in turn. */
const DROPPED = 12

/** Promotes one source with what has to go with it; undefined if it breaks nothing by itself. */
export async function tryCompanions(
  companions: Companions,
  source: string,
  random: () => number,
  limitMs = 120_000,
): Promise<CompanionsTried | undefined> {
  if ((await companions.broken([source])).length === 0) return undefined
  const startedMs = performance.now()
  const found = await within(limitMs, (signal) => companions.find([source], signal))
  const wallMs = performance.now() - startedMs
  if (found === undefined) return { source, wallMs, stillBroken: [], spared: [] }
  const stillBroken = await companions.broken([source, ...found])
  const spared: string[] = []
  for (const one of sample(found, DROPPED, random)) {
    const rest = found.filter((other) => other !== one)
    if ((await companions.broken([source, ...rest])).length === 0) spared.push(one)
  }
  return { source, found, wallMs, stillBroken, spared }
}

async function within<T>(
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const signal = AbortSignal.timeout(limitMs)
  try {
    return await work(signal)
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

function changeTo({ before, from }: Route, sources: readonly string[]): Change {
  return {
    before,
    removed: sources.flatMap((source) => before.bySource.get(source) ?? []),
    added: sources.flatMap((source) => from.bySource.get(source) ?? []),
  }
}

function planOf(route: Route, sources: readonly string[]): PromotionPlan {
  const { before, from } = route
  const own = { archive: 'debian', suite: 'main' }
  const versions = (packages: readonly Package[] = []): string[] => [
    ...new Set(packages.map(({ version }) => version)),
  ]
  const changes = sources.map(
    (source): SourceChange => ({
      ...own,
      source,
      old: versions(before.bySource.get(source)),
      new: versions(from.bySource.get(source)),
    }),
  )
  const { removed, added } = changeTo(route, sources)
  const index = { kind: 'Packages' as const, component: 'main', architecture: 'amd64' }
  const diffs = [{ ...index, removed: removed.map(entryOf), added: added.map(entryOf) }]
  const identity = { notAutomatic: false, butAutomaticUpgrades: false }
  const suite = { ...own, from: { ...own, identity, indexes: [] }, diffs, changes }
  return { suites: [suite], changes, keptBack: [], leftOut: [], files: [] }
}

function entryOf({ name, version, source, text }: Package): IndexEntry {
  return {
    kind: 'Packages',
    name,
    version,
    source,
    sourceVersion: version,
    architecture: 'amd64',
    files: [],
    text: Buffer.from(text, 'latin1'),
  }
}
