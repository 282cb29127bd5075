/**
 * The packages of one architecture before and after a change, side by side: which there are, what provides a name, who asks
 * for it. Packages are numbers from 0 on; those of other architectures are left out, as apt without foreign ones has it.
 *
 * Within one architecture only these of Multi-Arch count: `name:<this architecture>` is the package itself, another
 * architecture's is never there; `name:any` is only who has or provides the name and is `Multi-Arch: allowed`. So apt has it;
 * dose-debcheck takes any package of the name, of any version.
 */
import { compareVersions } from '../debian/version.ts'
import { createIntList, type Grouped, groupOf } from './int-list.ts'
import {
  ALLOWED,
  FLAGS,
  FOES,
  lengthAt,
  NAME,
  NEEDS,
  PROVIDED,
  SOURCE,
  VERSION,
} from './package-facts.ts'
import {
  createStockMaker,
  isEssentialAt,
  listAt,
  packagesOf,
  providedIn,
  type Stock,
} from './stock.ts'
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

/** A stock, and how what there is differs from it before and after. */
export interface Overlay {
  /** Packages of the stock, from the first to before the second, that are not there any more before the change. */
  readonly gone: readonly (readonly [from: number, to: number])[]
  /** What is there before the change, besides. */
  readonly more: readonly Int32Array[]
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
  /** All that are. */
  readonly essential: readonly number[]
  /** Clauses of Depends and Pre-Depends. */
  needsOf(one: number): Int32Array
  /** Clauses of Conflicts and Breaks. */
  foesOf(one: number): Int32Array
  /** Its own name, and those that it provides. */
  namesOf(one: number): readonly number[]
  /** The packages of either side of this name itself. */
  named(name: number): number[]
  /** The packages of either side that a clause takes: by its alternatives in order, newest first. */
  candidates(clause: number): readonly number[]
  /** The clauses that mention a name. */
  clausesWith(name: number): readonly number[]
  /** Who has the clause among its needs, and who among its foes. */
  needers(clause: number): readonly number[]
  foesBy(clause: number): readonly number[]
}

/** Both states as one universe. */
export function openUniverse(vocabulary: Vocabulary, input: UniverseInput): Universe {
  const maker = createStockMaker(vocabulary, input.architecture)
  for (const facts of input.base) maker.add(facts)
  const steps = maker.finish()
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return layOver(step.value, { ...input, gone: [], more: [] })
  }
}

/** A change of what a stock holds, as a universe; it is valid as long as the stock. */
export function layOver(stock: Stock, overlay: Overlay): Universe {
  const { architecture, vocabulary } = stock
  const top = layOut(stock, overlay)
  const size = stock.size + top.places.length
  const place = (one: number): number =>
    (one < stock.size ? stock.places[one] : top.places[one - stock.size]) ?? 0
  const dataOf = (one: number): Int32Array => (one < stock.size ? stock.data : top.data)
  const at = (one: number, field: number): number => dataOf(one)[place(one) + field] ?? 0
  const list = (one: number, kind: number): Int32Array => listAt(dataOf(one), place(one), kind)
  const grouped = (groups: Grouped, keysOf: (one: number) => Iterable<number>): Lists => {
    const onTop = new Map<number, number[]>()
    for (let one = stock.size; one < size; one++) {
      for (const key of keysOf(one)) {
        const known = onTop.get(key)
        if (known === undefined) onTop.set(key, [one])
        else known.push(one)
      }
    }
    return (key) => [...groupOf(groups, key), ...(onTop.get(key) ?? [])]
  }
  const own = grouped(stock.own, (one) => [at(one, NAME)])
  const provided = (one: number): number[] => providedIn(vocabulary, list(one, PROVIDED))
  const providers = grouped(stock.providers, provided)
  const finder: Finder = { architecture, vocabulary, own, providers, at, list }
  const onTop = Array.from(top.places, (_, index) => stock.size + index)
  const namesOnTop = new Set(onTop.flatMap((one) => [at(one, NAME), ...provided(one)]))
  // All other clauses have the packages of the stock alone.
  const isOnTop = new Set([...namesOnTop].flatMap(vocabulary.clausesWith))
  const found = new Map<number, readonly number[]>()
  const candidates = (clause: number): readonly number[] => {
    const isMine = isOnTop.has(clause)
    const known = isMine ? found.get(clause) : stock.candidates[clause]
    if (known !== undefined) return known
    const made = findCandidates(finder, clause)
    if (isMine) found.set(clause, made)
    else stock.candidates[clause] = made
    return made
  }
  const isEssential = (one: number): boolean => isEssentialAt(dataOf(one), place(one))
  return {
    architecture,
    vocabulary,
    size,
    sides: top.sides,
    nameOf: (one) => at(one, NAME),
    versionOf: (one) => at(one, VERSION),
    sourceOf: (one) => at(one, SOURCE),
    isEssential,
    essential: [...stock.essential, ...onTop.filter(isEssential)],
    needsOf: (one) => list(one, NEEDS),
    foesOf: (one) => list(one, FOES),
    namesOf: (one) => [at(one, NAME), ...provided(one)],
    named: own,
    candidates,
    clausesWith: vocabulary.clausesWith,
    needers: grouped(stock.needers, (one) => list(one, NEEDS)),
    foesBy: grouped(stock.foes, (one) => list(one, FOES)),
  }
}

/** The packages of a key. */
type Lists = (key: number) => number[]

/** What lies on top of the stock: packages of their own, and on which side each package is. */
function layOut(
  stock: Stock,
  { gone, more, removed, added }: Overlay,
): { data: Int32Array; places: Int32Array; sides: Uint8Array } {
  const isHere = packagesOf(stock.vocabulary, stock.architecture)
  const [data, places] = [createIntList(), createIntList()]
  const put = (facts: Int32Array): void => {
    for (let at = 0; at < facts.length; at += lengthAt(facts, at)) {
      if (!isHere(facts, at)) continue
      places.push(data.length)
      data.append(facts.subarray(at, at + lengthAt(facts, at)))
    }
  }
  for (const facts of more) put(facts)
  const before = stock.size + places.length
  for (const facts of added) put(facts)
  const sides = new Uint8Array(stock.size + places.length).fill(BEFORE | AFTER)
  for (const [from, to] of gone) sides.fill(0, from, to)
  sides.fill(AFTER, before)
  const top = { data: data.view(), places: places.view(), sides }
  for (const facts of removed) {
    for (let at = 0; at < facts.length; at += lengthAt(facts, at)) {
      if (isHere(facts, at))
        takeOut(stock, top, before, facts.subarray(at, at + lengthAt(facts, at)))
    }
  }
  return top
}

/** Takes one of the packages with these facts out of the state after; several suites can have the same one. */
function takeOut(
  stock: Stock,
  top: { readonly data: Int32Array; readonly places: Int32Array; readonly sides: Uint8Array },
  before: number,
  facts: Int32Array,
): void {
  const { sides } = top
  const isIt = (one: number, data: Int32Array, place: number): boolean => {
    if (sides[one] !== (BEFORE | AFTER)) return false
    for (let at = 0; at < facts.length; at++) if (data[place + at] !== facts[at]) return false
    return true
  }
  for (const one of groupOf(stock.own, facts[NAME] ?? -1)) {
    if (!isIt(one, stock.data, stock.places[one] ?? 0)) continue
    sides[one] = BEFORE
    return
  }
  for (let one = stock.size; one < before; one++) {
    if (!isIt(one, top.data, top.places[one - stock.size] ?? 0)) continue
    sides[one] = BEFORE
    return
  }
}

interface Finder extends Pick<UniverseInput, 'architecture'> {
  readonly vocabulary: Vocabulary
  readonly own: Lists
  readonly providers: Lists
  readonly at: (one: number, field: number) => number
  readonly list: (one: number, kind: number) => Int32Array
}

function findCandidates(finder: Finder, clause: number): number[] {
  const found = new Set<number>()
  for (const atom of finder.vocabulary.atomsOf(clause)) {
    for (const one of matches(finder, atom)) found.add(one)
  }
  return [...found]
}

function matches(finder: Finder, atom: Atom): number[] {
  const { vocabulary, own, providers, at, list, architecture } = finder
  const { name, qualifier } = atom
  const isHere = qualifier === undefined || ['any', 'native', architecture].includes(qualifier)
  if (!isHere) return []
  const isMeant = (one: number): boolean => qualifier !== 'any' || (at(one, FLAGS) & ALLOWED) !== 0
  const real = own(name).filter(
    (one) => isMeant(one) && vocabulary.isWanted(atom, at(one, VERSION)),
  )
  const version = (one: number): string => vocabulary.versions.text(at(one, VERSION))
  if (real.length > 1) real.sort((a, b) => compareVersions(version(b), version(a)) || b - a)
  for (const one of providers(name)) {
    if (!isMeant(one)) continue
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
