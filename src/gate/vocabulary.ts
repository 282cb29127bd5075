/**
 * The words of relations as numbers: names, versions, and clauses (what stands between two commas of a relation field).
 * Most clauses of an archive are the same few thousand, so that each is parsed once and packages are short lists of numbers.
 *
 * It only grows; whoever has one makes another when it is too large (see stocks.ts).
 */
import {
  isVersionWanted,
  parseClause,
  type Relation,
  splitClauses,
  type VersionOperator,
} from '../debian/relations.ts'
import { createIntList } from './int-list.ts'
import { createWords, type Words } from './words.ts'

/** One alternative of a clause, in the numbers of the vocabulary. */
export interface Atom {
  readonly name: number
  /** -1: any version. */
  readonly version: number
  readonly operator: VersionOperator | undefined
  readonly qualifier: string | undefined
}

export interface Vocabulary {
  readonly names: Words
  readonly versions: Words
  /** Clauses by their texts. */
  readonly clauses: Words
  /** The clauses of a relation field. */
  clausesOf(field: string): number[]
  /** The alternatives of a clause, in order. */
  atomsOf(clause: number): readonly Atom[]
  /** The clauses that mention a name, each once. */
  clausesWith(name: number): readonly number[]
  /** Whether a version is what the atom asks for; `found` of -1 is none, which is enough where none is asked for. */
  isWanted(atom: Atom, found: number): boolean
}

const operators: readonly (VersionOperator | undefined)[] = [undefined, '<<', '<=', '=', '>=', '>>']
/** Numbers of an atom: name, version, operator, qualifier; its clause, and the next atom with the same name, or -1. */
const ATOM = 6

/** An empty vocabulary. */
export function createVocabulary(): Vocabulary {
  const [names, versions, clauses, qualifiers] = [
    createWords(),
    createWords(),
    createWords(),
    createWords(),
  ]
  const starts = createIntList(1024)
  const atoms = createIntList(4096)
  /** Name -> the last atom that has it, and 1. */
  const last = createIntList(1024)
  const addAtom = ({ name, qualifier, operator, version }: Relation): void => {
    const number = names.number(name)
    while (last.length <= number) last.push(0)
    const before = last.get(number) - 1
    last.set(number, atoms.length + 1)
    atoms.push(number)
    atoms.push(version === undefined ? -1 : versions.number(version))
    atoms.push(Math.max(0, operators.indexOf(operator)))
    atoms.push(qualifier === undefined ? -1 : qualifiers.number(qualifier))
    atoms.push(starts.length - 1)
    atoms.push(before)
  }
  const endOf = (clause: number): number =>
    clause + 1 < starts.length ? starts.get(clause + 1) : atoms.length
  const clausesOf = (field: string): number[] =>
    splitClauses(field).map((text) => {
      const known = clauses.find(text)
      if (known !== undefined) return known
      starts.push(atoms.length)
      for (const relation of parseClause(text)) addAtom(relation)
      return clauses.number(text)
    })
  const atomsOf = (clause: number): Atom[] => {
    const found: Atom[] = []
    for (let at = starts.get(clause); at < endOf(clause); at += ATOM) {
      const qualifier = atoms.get(at + 3)
      found.push({
        name: atoms.get(at),
        version: atoms.get(at + 1),
        operator: operators[atoms.get(at + 2)],
        qualifier: qualifier < 0 ? undefined : qualifiers.text(qualifier),
      })
    }
    return found
  }
  return {
    names,
    versions,
    clauses,
    clausesOf,
    atomsOf,
    clausesWith: (name) => {
      const found = new Set<number>()
      const first = name < last.length ? last.get(name) - 1 : -1
      for (let at = first; at >= 0; at = atoms.get(at + 5)) found.add(atoms.get(at + 4))
      return [...found]
    },
    isWanted: ({ operator, version }, found) => {
      if (operator === undefined) return true
      return found >= 0 && isVersionWanted(versions.text(found), operator, versions.text(version))
    },
  }
}
