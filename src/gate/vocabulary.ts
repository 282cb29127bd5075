/**
 * The words of relations as numbers: names, versions, and clauses (what stands between two commas of a relation field).
 * Most clauses of an archive are the same few thousand, so that each is parsed once and packages are short lists of numbers.
 *
 * It only grows; whoever has one makes another when it is too large (see gate.ts).
 */
import {
  isVersionWanted,
  parseClause,
  type Relation,
  splitClauses,
  type VersionOperator,
} from '../debian/relations.ts'
import { createIntList } from './int-list.ts'

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
  /** Calls back with the name of each alternative of each clause. */
  eachAtom(give: (name: number, clause: number) => void): void
  /** Whether a version is what the atom asks for; `found` of -1 is none, which is enough where none is asked for. */
  isWanted(atom: Atom, found: number): boolean
}

/** Texts and their numbers, from 0 on. */
export interface Words {
  readonly size: number
  number(text: string): number
  find(text: string): number | undefined
  text(number: number): string
}

const operators: readonly (VersionOperator | undefined)[] = [undefined, '<<', '<=', '=', '>=', '>>']
/** Numbers of an atom: name, version, operator, qualifier. */
const ATOM = 4

/** An empty vocabulary. */
export function createVocabulary(): Vocabulary {
  const [names, versions, clauses, qualifiers] = [words(), words(), words(), words()]
  const starts = createIntList(1024)
  const atoms = createIntList(4096)
  const addAtom = ({ name, qualifier, operator, version }: Relation): void => {
    atoms.push(names.number(name))
    atoms.push(version === undefined ? -1 : versions.number(version))
    atoms.push(Math.max(0, operators.indexOf(operator)))
    atoms.push(qualifier === undefined ? -1 : qualifiers.number(qualifier))
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
    eachAtom: (give) => {
      for (let clause = 0; clause < starts.length; clause++) {
        const end = endOf(clause)
        for (let at = starts.get(clause); at < end; at += ATOM) give(atoms.get(at), clause)
      }
    },
    isWanted: ({ operator, version }, found) => {
      if (operator === undefined) return true
      return found >= 0 && isVersionWanted(versions.text(found), operator, versions.text(version))
    },
  }
}

function words(): Words {
  const numbers = new Map<string, number>()
  const texts: string[] = []
  return {
    get size() {
      return texts.length
    },
    find: (text) => numbers.get(text),
    text: (number) => texts[number] ?? '',
    number: (text) => {
      const known = numbers.get(text)
      if (known !== undefined) return known
      // A copy: a slice of a field would keep all of the field in memory.
      const own = Buffer.from(text).toString()
      numbers.set(own, texts.length)
      texts.push(own)
      return texts.length - 1
    },
  }
}
