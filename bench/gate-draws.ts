/**
 * Random promotions between two states: sources of which some are near each other, as what is promoted usually is.
 *
 * `instead`: the packages of a source take the place of those it had, as in a suite. `beside`: they come to those that stay, as
 * from a suite of updates. `odd`: the state is nobody's: the sources get new versions that change as new versions do, and worse.
 */
import { type Change, linkPackages } from './gate-dose.ts'
import { oddVersions, renamedVersions } from './gate-odd.ts'
import { makeState, type Package, type State } from './gate-states.ts'
import { sample } from './random.ts'

export type Mode = 'instead' | 'beside' | 'odd'

/** From where to where sources go. */
export interface Route {
  readonly mode: Mode
  readonly before: State
  /** Where they are taken from; of no use for `odd`. */
  readonly from: State
  /** The sources that differ, and those of them that everything needs: when one of these breaks, nothing is left to tell. */
  readonly sources: readonly string[]
  readonly core: ReadonlySet<string>
  /** Source -> sources that it needs or that need it. */
  readonly neighbors: ReadonlyMap<string, readonly string[]>
}

export interface Draw extends Change {
  readonly sources: readonly string[]
}

/** A route between two states. */
export function openRoute(mode: Mode, before: State, from: State): Route {
  const texts = (state: State, source: string): string =>
    (state.bySource.get(source) ?? []).map(({ text }) => text).join('\n')
  const all = new Set([
    ...(mode === 'beside' ? [] : before.bySource.keys()),
    ...from.bySource.keys(),
  ])
  const differs = (source: string): boolean => {
    return mode === 'odd' || texts(before, source) !== texts(from, source)
  }
  return {
    mode,
    before,
    from,
    sources: [...all].filter(differs),
    core: coreSources(before.packages),
    neighbors: findNeighbors([...before.packages, ...from.packages]),
  }
}

/** Users that a library of a transition has at most: of the largest ones everything would be part. */
const USERS = 25

/** A route to a state where so many libraries have other names and all who need them were made anew: they go together. */
export function openTransitions(before: State, count: number, random: () => number): Route {
  const { core } = openRoute('odd', before, before)
  const users = new Map<string, Package[]>()
  for (const one of before.packages) {
    for (const name of new Set(one.needs.flat())) users.set(name, [...(users.get(name) ?? []), one])
  }
  const isFit = ({ name, source }: Package): boolean => {
    const own = users.get(name)?.length ?? 0
    return /^lib.*\d$/.test(name) && own > 0 && own <= USERS && !core.has(source)
  }
  const libraries = sample(before.packages.filter(isFit), count, random)
  const renamed = new Map(libraries.map(({ name }) => [name, `${name}t64`]))
  const touched = libraries.flatMap((one) => [one, ...(users.get(one.name) ?? [])])
  const sources = new Set(touched.map(({ source }) => source))
  const old = before.packages.filter(({ source }) => sources.has(source))
  const kept = before.packages.filter(({ source }) => !sources.has(source))
  const next = makeState('transitions', kept, renamedVersions(old, renamed))
  return openRoute('instead', before, next)
}

/** A promotion of one source or some, seldom of many. */
export function drawChange(route: Route, random: () => number): Draw {
  const size = random()
  const count = size < 0.4 ? 1 : Math.ceil(random() ** 3 * (size < 0.9 ? 12 : 60))
  return changeOf(route, drawSources(route, count, random), random)
}

/** How often a source is taken that everything needs. */
const CORE_SHARE = 0.1

/** So many sources, half of them neighbors of one that is drawn already. */
export function drawSources(
  { sources, neighbors, core }: Route,
  count: number,
  random: () => number,
): string[] {
  const hasCore = random() < CORE_SHARE
  const isOpen = new Set(sources.filter((one) => hasCore || !core.has(one)))
  const open = [...isOpen]
  const drawn: string[] = []
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
  while (drawn.length < count && isOpen.size > 0) {
    const near = random() < 0.5 ? (neighbors.get(pick(drawn) ?? '') ?? []) : []
    const nearer = near.filter((one) => isOpen.has(one))
    const source = pick(nearer.length > 0 ? nearer : open) ?? ''
    if (isOpen.delete(source)) drawn.push(source)
  }
  return drawn
}

/** The promotion of these sources. */
export function changeOf(
  { mode, before, from }: Route,
  sources: readonly string[],
  random: () => number,
): Draw {
  const had = sources.flatMap((source) => before.bySource.get(source) ?? [])
  const gets = sources.flatMap((source) => from.bySource.get(source) ?? [])
  if (mode === 'beside') return { before, removed: [], added: gets, sources }
  if (mode === 'instead') return { before, removed: had, added: gets, sources }
  return { before, removed: had, added: oddVersions(had, before.packages, random), sources }
}

/** The sources of what essential packages can need. */
function coreSources(packages: readonly Package[]): Set<string> {
  const { givers } = linkPackages(packages)
  const found = new Set(packages.filter((one) => one.isEssential))
  for (const one of found) {
    for (const name of one.needs.flat())
      for (const giver of givers.get(name) ?? []) found.add(giver)
  }
  return new Set([...found].map(({ source }) => source))
}

function findNeighbors(packages: readonly Package[]): Map<string, string[]> {
  const sourceOf = new Map<string, string>()
  for (const { gives, source } of packages) {
    for (const name of gives) if (!sourceOf.has(name)) sourceOf.set(name, source)
  }
  const near = new Map<string, Set<string>>()
  const note = (source: string, other: string): void => {
    const others = near.get(source) ?? new Set()
    near.set(source, others.add(other))
  }
  for (const { needs, source } of packages) {
    for (const name of needs.flat()) {
      const other = sourceOf.get(name)
      if (other === undefined || other === source) continue
      note(source, other)
      note(other, source)
    }
  }
  return new Map([...near].map(([source, others]) => [source, [...others]]))
}
