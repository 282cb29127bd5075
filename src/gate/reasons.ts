/**
 * Why packages are broken after a change: each broken one is followed along relations that nothing good satisfies, down to
 * the package whose relation nothing there satisfies at all, or whose relations do not go together. Many broken packages
 * share such a root; it is told once, with how many lead to it.
 */
import { findClash } from './clash.ts'
import { findUninstallable } from './cover.ts'
import { versionsOn } from './judge.ts'
import { AFTER, BEFORE, type Universe } from './universe.ts'

/** A package, as it is told. */
export interface NamedPackage {
  readonly package: string
  readonly version: string
}

export interface BrokenPackage extends NamedPackage {
  /** Whether there was no package of the name before. */
  readonly isNew: boolean
}

/** What a change breaks by one cause. */
export interface Breakage {
  /** The packages that were installable and are not any more, or came and are not: the root first, if it is among them. */
  readonly broken: readonly BrokenPackage[]
  /** The package at fault: among the broken ones, or needed by each of them. */
  readonly root: NamedPackage
  /** `depends on lib (= 1)`, `needs lib 2 and old 1, and lib breaks old (<< 2)`: of the root. */
  readonly words: string
  /** `lib (= 1)`: the clause. */
  readonly relation: string
  /** Names of packages that would satisfy it, if they were there. */
  readonly wanted: readonly string[]
  /** Sources whose change is to blame. */
  readonly blamed: readonly string[]
  /** Sources of the root, and of those that do not go together. */
  readonly nearest: readonly string[]
  /** The same, and those of all packages that lead there. */
  readonly involved: readonly string[]
}

/** What becomes of a package that cannot be installed. */
type Fate =
  | { readonly kind: 'missing'; readonly clause: number }
  | { readonly kind: 'clash' }
  | { readonly kind: 'through'; readonly next: number }

/** Causes of which it is looked for what does not go together: where what is essential breaks, all else does. */
const TOLD = 40

/** The causes of what is broken (names), those that break most first. */
export async function findReasons(
  universe: Universe,
  broken: ReadonlySet<number>,
  pause: () => Promise<void>,
): Promise<Breakage[]> {
  const ones = [...broken].flatMap((name) => versionsOn(universe, name, AFTER).slice(0, 1))
  const fates = await findFates(universe, ones, pause)
  const byRoot = Map.groupBy(ones, (one) => rootOf(fates, one))
  const sorted = [...byRoot].sort(([, a], [, b]) => b.length - a.length)
  const causes: Breakage[] = []
  for (const [at, [root, some]] of sorted.entries()) {
    const isTold = at < TOLD
    causes.push(await describe(universe, { fates, root, isTold }, some, pause))
    await pause()
  }
  return causes
}

/** Follows all of them to their roots. */
async function findFates(
  universe: Universe,
  ones: readonly number[],
  pause: () => Promise<void>,
): Promise<Map<number, Fate>> {
  const fates = new Map<number, Fate>()
  for (let open = [...ones]; open.length > 0; ) {
    const asked = new Set<number>()
    for (const one of open) {
      for (const other of clausesOf(universe, one).flat()) asked.add(other)
      await pause()
    }
    const bad = await findUninstallable(universe, AFTER, [...asked], pause)
    const next: number[] = []
    for (const one of open) {
      const fate = fateOf(universe, one, bad)
      fates.set(one, fate)
      if (fate.kind === 'through' && !fates.has(fate.next)) next.push(fate.next)
      await pause()
    }
    open = [...new Set(next)].filter((one) => !fates.has(one))
  }
  return fates
}

/** The candidates of each clause that the package needs. */
function clausesOf(universe: Universe, one: number): number[][] {
  return [...universe.needsOf(one)].map((clause) => there(universe, clause))
}

function there(universe: Universe, clause: number): number[] {
  return [...universe.candidates(clause)].filter((one) => isOn(universe, one, AFTER))
}

function fateOf(universe: Universe, one: number, bad: ReadonlySet<number>): Fate {
  const needs = [...universe.needsOf(one)]
  const missing = needs.find((clause) => there(universe, clause).length === 0)
  if (missing !== undefined) return { kind: 'missing', clause: missing }
  for (const clause of needs) {
    const candidates = there(universe, clause)
    const [next] = candidates
    if (next === undefined || next === one || !candidates.every((other) => bad.has(other))) continue
    return { kind: 'through', next }
  }
  return { kind: 'clash' }
}

/** Where the way ends; in a circle, where it began. */
function rootOf(fates: ReadonlyMap<number, Fate>, one: number): number {
  const seen = new Set<number>()
  let root = one
  for (let fate = fates.get(root); fate?.kind === 'through'; fate = fates.get(root)) {
    if (seen.has(fate.next)) return Math.min(...seen)
    seen.add(fate.next)
    root = fate.next
  }
  return root
}

async function describe(
  universe: Universe,
  cause: {
    readonly fates: ReadonlyMap<number, Fate>
    readonly root: number
    readonly isTold: boolean
  },
  ones: readonly number[],
  pause: () => Promise<void>,
): Promise<Breakage> {
  const { fates, root } = cause
  const sorted = [...ones].sort((a, b) => Number(b === root) - Number(a === root) || a - b)
  const told = {
    broken: sorted.map((one) => ({ ...named(universe, one), isNew: isNew(universe, one) })),
    root: named(universe, root),
  }
  const led = [root, ...ones.flatMap((one) => wayTo(fates, one))]
  const fate = fates.get(root)
  if (fate?.kind === 'missing') {
    const { names, clauses } = universe.vocabulary
    const relation = clauses.text(fate.clause)
    const gone = [...universe.candidates(fate.clause)].filter((one) => isOn(universe, one, BEFORE))
    return {
      ...told,
      relation,
      words: `depends on ${relation}`,
      wanted: universe.vocabulary.atomsOf(fate.clause).map(({ name }) => names.text(name)),
      blamed: blame(universe, gone.length > 0 ? gone : led, led),
      nearest: sourcesOf(universe, [root]),
      involved: sourcesOf(universe, led),
    }
  }
  const clash = cause.isTold ? await findClash(universe, root, pause) : undefined
  const both = clash === undefined ? [] : [clash.one, clash.other]
  return {
    ...told,
    relation: clash?.relation ?? '',
    words: clash?.words ?? 'needs what does not go together',
    wanted: [],
    nearest: sourcesOf(universe, [...both, root]),
    blamed: blame(universe, both, [...led, ...(clash?.along ?? [])]),
    involved: sourcesOf(universe, [...both, ...led, ...(clash?.along ?? [])]),
  }
}

function wayTo(fates: ReadonlyMap<number, Fate>, one: number): number[] {
  const way = [one]
  let fate = fates.get(one)
  while (fate?.kind === 'through' && !way.includes(fate.next)) {
    way.push(fate.next)
    fate = fates.get(fate.next)
  }
  return way
}

/** The sources of those that changed among the first, or else among the others. */
function blame(universe: Universe, first: readonly number[], others: readonly number[]): string[] {
  const changed = (some: readonly number[]): number[] =>
    some.filter((one) => universe.sides[one] !== (BEFORE | AFTER))
  const found = changed(first)
  return sourcesOf(universe, found.length > 0 ? found : changed(others))
}

function sourcesOf(universe: Universe, ones: readonly number[]): string[] {
  const { names } = universe.vocabulary
  return [...new Set(ones.map((one) => names.text(universe.sourceOf(one))))]
}

function named(universe: Universe, one: number): NamedPackage {
  const { names, versions } = universe.vocabulary
  return {
    package: names.text(universe.nameOf(one)),
    version: versions.text(universe.versionOf(one)),
  }
}

function isNew(universe: Universe, one: number): boolean {
  return versionsOn(universe, universe.nameOf(one), BEFORE).length === 0
}

function isOn({ sides }: Universe, one: number, side: number): boolean {
  return ((sides[one] ?? 0) & side) !== 0
}
