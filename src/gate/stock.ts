/**
 * The packages of one architecture in many chunks, with who has which name, who provides it, and who asks for which clause:
 * what universes (universe.ts) are laid over, so that a change costs what it changes and not all that there is.
 *
 * Some 100 bytes for each package, all of them in typed arrays. Packages are numbers from 0 on, in the order of the chunks.
 */
import { createIntList, type Grouped, groupByKey } from './int-list.ts'
import {
  ARCHITECTURE,
  ESSENTIAL,
  FLAGS,
  FOES,
  HEAD,
  lengthAt,
  NAME,
  NEEDS,
  PROVIDED,
} from './package-facts.ts'
import type { Vocabulary } from './vocabulary.ts'

export interface Stock {
  readonly architecture: string
  readonly vocabulary: Vocabulary
  readonly size: number
  /** Facts of all packages (package-facts.ts), and where those of each begin. */
  readonly data: Int32Array
  readonly places: Int32Array
  /** For each piece that it was made of: its first package; at the end, how many there are. */
  readonly pieces: Int32Array
  readonly essential: readonly number[]
  /** Packages by name, by names that they provide, by clauses that they need, and that they exclude. */
  readonly own: Grouped
  readonly providers: Grouped
  readonly needers: Grouped
  readonly foes: Grouped
  /** By clause, the packages that it takes, where they were asked for: most changes ask for the same ones. */
  readonly candidates: (readonly number[] | undefined)[]
}

/** Takes in facts, piece by piece. */
export interface StockMaker {
  add(facts: Int32Array): void
  /** Puts all in order, in steps of some milliseconds; the stock is what it gives at the end. */
  finish(): Generator<void, Stock>
}

/** Numbers of facts of a package, with some room: what is not used takes no memory. */
const FACTS = 16

/** Makes a stock of some so many packages of an architecture; those of others are left out. */
export function createStockMaker(
  vocabulary: Vocabulary,
  architecture: string,
  count = 0,
): StockMaker {
  const isHere = packagesOf(vocabulary, architecture)
  const [data, places, pieces] = [
    createIntList(FACTS * count),
    createIntList(count),
    createIntList(),
  ]
  return {
    add: (facts) => {
      pieces.push(places.length)
      for (let at = 0; at < facts.length; at += lengthAt(facts, at)) {
        if (!isHere(facts, at)) continue
        places.push(data.length)
        data.append(facts.subarray(at, at + lengthAt(facts, at)))
      }
    },
    finish: function* () {
      pieces.push(places.length)
      const all = {
        data: data.view(),
        places: places.view(),
        pieces: pieces.view(),
      }
      const size = all.places.length
      const list = (one: number, kind: number): Int32Array =>
        listAt(all.data, all.places[one] ?? 0, kind)
      yield
      const own = groupByKey(vocabulary.names.size, (give) => {
        for (let one = 0; one < size; one++) give(all.data[(all.places[one] ?? 0) + NAME] ?? 0, one)
      })
      yield
      const providers = groupByKey(vocabulary.names.size, (give) => {
        for (let one = 0; one < size; one++) {
          for (const name of providedIn(vocabulary, list(one, PROVIDED))) give(name, one)
        }
      })
      yield
      const groupUsers = (kind: number): Grouped =>
        groupByKey(vocabulary.clauses.size, (give) => {
          for (let one = 0; one < size; one++)
            for (const clause of list(one, kind)) give(clause, one)
        })
      const needers = groupUsers(NEEDS)
      yield
      const foes = groupUsers(FOES)
      const essential: number[] = []
      for (let one = 0; one < size; one++) {
        if (isEssentialAt(all.data, all.places[one] ?? 0)) essential.push(one)
      }
      const groups = { own, providers, needers, foes }
      const candidates = Array.from({ length: vocabulary.clauses.size }, () => undefined)
      return { architecture, vocabulary, size, ...all, essential, ...groups, candidates }
    },
  }
}

/** Tells whether the package at a place of facts is one of machines of this architecture. */
export function packagesOf(
  vocabulary: Vocabulary,
  architecture: string,
): (facts: Int32Array, at: number) => boolean {
  const [own, all] = [vocabulary.names.number(architecture), vocabulary.names.number('all')]
  return (facts, at) => {
    const its = facts[at + ARCHITECTURE]
    return its === own || its === all
  }
}

/** The clauses of one kind (NEEDS, FOES, PROVIDED) of the package at this place. */
export function listAt(data: Int32Array, place: number, kind: number): Int32Array {
  let from = place + HEAD
  for (let other = NEEDS; other < kind; other++) from += data[place + other] ?? 0
  return data.subarray(from, from + (data[place + kind] ?? 0))
}

/** Whether the package at this place is essential. */
export function isEssentialAt(data: Int32Array, place: number): boolean {
  return ((data[place + FLAGS] ?? 0) & ESSENTIAL) !== 0
}

/** The names in clauses of Provides. */
export function providedIn(vocabulary: Vocabulary, clauses: Int32Array): number[] {
  const names: number[] = []
  for (const clause of clauses) for (const { name } of vocabulary.atomsOf(clause)) names.push(name)
  return names
}
