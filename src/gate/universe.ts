/**
 * The packages of one architecture before and after a change, side by side: which there are, what provides a name, who asks
 * for it. Packages are numbers from 0 on; those of other architectures are left out, as apt without foreign ones has it.
 *
 * Within one architecture only these of Multi-Arch count (as dose-debcheck judges, but for the version in `name:any`,
 * which dpkg compares): `name:any` and `name:<this architecture>` are the package itself, another architecture's is never
 * there; who provides a name does so for `name:any` only if it is `Multi-Arch: allowed`.
 */
import { compareVersions } from '../debian/version.ts'
import { createIntList, type Grouped, groupByKey } from './int-list.ts'
import {
  ALLOWED,
  ARCHITECTURE,
  ESSENTIAL,
  FLAGS,
  FOES,
  HEAD,
  lengthAt,
  NAME,
  NEEDS,
  PROVIDED,
  SOURCE,
  VERSION,
} from './package-facts.ts'
import type { Atom, Vocabulary } from './vocabulary.ts'

export const BEFORE = 1
export const AFTER = 2
/** In which of both states: a package can be in one or in both. */
export type Side = typeof BEFORE | typeof AFTER

/** Facts of packages (package-facts.ts), and what they are in. */
export interface UniverseInput {
  readonly architecture: string
  /** What there is before. */
  readonly base: readonly Int32Array[]
  readonly removed: readonly Int32Array[]
  readonly added: readonly Int32Array[]
}

export interface Universe {
  readonly architecture: string
  readonly vocabulary: Vocabulary
  readonly size: number
  /** Bits: BEFORE, AFTER. */
  readonly sides: Uint8Array
  nameOf(one: number): number
  versionOf(one: number): number
  sourceOf(one: number): number
  isEssential(one: number): boolean
  /** Clauses of Depends and Pre-Depends. */
  needsOf(one: number): Int32Array
  /** Clauses of Conflicts and Breaks. */
  foesOf(one: number): Int32Array
  /** Its own name, and those that it provides. */
  namesOf(one: number): readonly number[]
  /** The packages of either side of this name itself. */
  named(name: number): number[]
  /** The packages of either side that a clause takes: by its alternatives in order, newest first. */
  candidates(clause: number): Int32Array
  /** The clauses that mention a name. */
  clausesWith(name: number): Int32Array
  /** Who has the clause among its needs, and who among its foes. */
  needers(clause: number): Int32Array
  foesBy(clause: number): Int32Array
}

/** Both states as one universe. */
export function openUniverse(vocabulary: Vocabulary, input: UniverseInput): Universe {
  const { data, places, sides } = layOut(vocabulary, input)
  const size = places.length
  const at = (one: number, field: number): number => data[(places[one] ?? 0) + field] ?? 0
  const list = (one: number, kind: number): Int32Array => {
    let from = (places[one] ?? 0) + HEAD
    for (let other = NEEDS; other < kind; other++) from += at(one, other)
    return data.subarray(from, from + at(one, kind))
  }
  const own = groupByKey(vocabulary.names.size, (give) => {
    for (let one = 0; one < size; one++) give(at(one, NAME), one)
  })
  const providers = groupByKey(vocabulary.names.size, (give) => {
    for (let one = 0; one < size; one++) {
      if (at(one, PROVIDED) === 0) continue
      for (const clause of list(one, PROVIDED)) {
        for (const { name } of vocabulary.atomsOf(clause)) give(name, one)
      }
    }
  })
  const usersBy = (kind: number): Grouped =>
    groupByKey(vocabulary.clauses.size, (give) => {
      for (let one = 0; one < size; one++) for (const clause of list(one, kind)) give(clause, one)
    })
  const [needers, foes] = [once(() => usersBy(NEEDS)), once(() => usersBy(FOES))]
  const mentions = once(() => groupByKey(vocabulary.names.size, vocabulary.eachAtom))
  const finder: Finder = { ...input, vocabulary, own, providers, at, list }
  const found = new Map<number, Int32Array>()
  const candidates = (clause: number): Int32Array => {
    const known = found.get(clause)
    if (known !== undefined) return known
    const made = findCandidates(finder, clause)
    found.set(clause, made)
    return made
  }
  return {
    architecture: input.architecture,
    vocabulary,
    size,
    sides,
    nameOf: (one) => at(one, NAME),
    versionOf: (one) => at(one, VERSION),
    sourceOf: (one) => at(one, SOURCE),
    isEssential: (one) => (at(one, FLAGS) & ESSENTIAL) !== 0,
    needsOf: (one) => list(one, NEEDS),
    foesOf: (one) => list(one, FOES),
    namesOf: (one) => [
      at(one, NAME),
      ...[...list(one, PROVIDED)].flatMap((clause) =>
        vocabulary.atomsOf(clause).map(({ name }) => name),
      ),
    ],
    named: (name) => [...groupOf(own, name)],
    candidates,
    clausesWith: (name) => groupOf(mentions(), name),
    needers: (clause) => groupOf(needers(), clause),
    foesBy: (clause) => groupOf(foes(), clause),
  }
}

/** The packages of a key. */
function groupOf({ starts, items }: Grouped, key: number): Int32Array {
  return items.subarray(starts[key], starts[key + 1])
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** Puts the packages of the architecture in one array, and finds what was removed among them. */
function layOut(
  vocabulary: Vocabulary,
  { architecture, base, removed, added }: UniverseInput,
): { data: Int32Array; places: Int32Array; sides: Uint8Array } {
  const pieces = [...base, ...added]
  const data = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let end = 0
  for (const piece of pieces) {
    data.set(piece, end)
    end += piece.length
  }
  const baseEnd = base.reduce((sum, piece) => sum + piece.length, 0)
  const wanted = new Set([vocabulary.names.number(architecture), vocabulary.names.number('all')])
  const gone = new Map<string, number>()
  for (const piece of removed) {
    for (let at = 0; at < piece.length; at += lengthAt(piece, at)) {
      gone.set(keyAt(piece, at), (gone.get(keyAt(piece, at)) ?? 0) + 1)
    }
  }
  const names = new Set([...gone.keys()].map((key) => Number(key.split(' ')[0])))
  const places = createIntList(4096)
  const sides = createIntList(4096)
  for (let at = 0; at < end; at += lengthAt(data, at)) {
    if (!wanted.has(data[at + ARCHITECTURE] ?? -1)) continue
    places.push(at)
    const left = at < baseEnd && names.has(data[at + NAME] ?? -1) ? gone.get(keyAt(data, at)) : 0
    if (left !== undefined && left > 0) gone.set(keyAt(data, at), left - 1)
    sides.push(at >= baseEnd ? AFTER : left !== undefined && left > 0 ? BEFORE : BEFORE | AFTER)
  }
  return { data, places: places.view(), sides: Uint8Array.from(sides.view()) }
}

/** What tells packages of a state apart; several suites can have the same one. */
function keyAt(data: Int32Array, at: number): string {
  return data.subarray(at, at + lengthAt(data, at)).join(' ')
}

interface Finder extends Pick<UniverseInput, 'architecture'> {
  readonly vocabulary: Vocabulary
  readonly own: Grouped
  readonly providers: Grouped
  readonly at: (one: number, field: number) => number
  readonly list: (one: number, kind: number) => Int32Array
}

function findCandidates(finder: Finder, clause: number): Int32Array {
  const found = new Set<number>()
  for (const atom of finder.vocabulary.atomsOf(clause)) {
    for (const one of matches(finder, atom)) found.add(one)
  }
  return Int32Array.from(found)
}

function matches(finder: Finder, atom: Atom): number[] {
  const { vocabulary, own, providers, at, list, architecture } = finder
  const { name, qualifier } = atom
  const isHere = qualifier === undefined || ['any', 'native', architecture].includes(qualifier)
  if (!isHere) return []
  const real = [...groupOf(own, name)].filter((one) => vocabulary.isWanted(atom, at(one, VERSION)))
  const version = (one: number): string => vocabulary.versions.text(at(one, VERSION))
  if (real.length > 1) real.sort((a, b) => compareVersions(version(b), version(a)) || b - a)
  for (const one of groupOf(providers, name)) {
    if (qualifier === 'any' && (at(one, FLAGS) & ALLOWED) === 0) continue
    const isProvided = [...list(one, PROVIDED)].some((provided) =>
      vocabulary
        .atomsOf(provided)
        .some(
          (given) =>
            given.name === name &&
            isOwn(given.qualifier, architecture) &&
            vocabulary.isWanted(atom, given.version),
        ),
    )
    if (isProvided) real.push(one)
  }
  return real
}

/** Whether something provided for an architecture is provided for this one. */
function isOwn(qualifier: string | undefined, architecture: string): boolean {
  return qualifier === undefined || qualifier === architecture
}
