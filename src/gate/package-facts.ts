/**
 * What the gate knows of a package, as numbers of a vocabulary, one package after the other:
 *
 *   name, version, architecture (a name), source (a name), flags, how many clauses of each kind: needs (Depends and
 *   Pre-Depends), foes (Conflicts and Breaks), provided; then the clauses in that order
 *
 * The full relations of a package of Debian's are some 15 numbers.
 */
import { splitStanzas } from '../debian/control.ts'
import { fieldReader } from '../debian/index-stanza.ts'
import { createIntList, type IntList } from './int-list.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Places of the numbers of a package. */
export const NAME = 0
export const VERSION = 1
export const ARCHITECTURE = 2
export const SOURCE = 3
export const FLAGS = 4
export const NEEDS = 5
export const FOES = 6
export const PROVIDED = 7
export const HEAD = 8

export const ESSENTIAL = 1
/** `Multi-Arch: allowed`. */
export const ALLOWED = 2

const readTexts = fieldReader([
  'package',
  'version',
  'architecture',
  'source',
  'essential',
  'multi-arch',
  'pre-depends',
  'depends',
  'conflicts',
  'breaks',
  'provides',
])

/** The packages of a text of stanzas. */
export function readFacts(vocabulary: Vocabulary, text: Buffer): Int32Array {
  const ranges = splitStanzas(text)
  const facts = createIntList(ranges.length * 8)
  for (let at = 0; at < ranges.length; at += 2) {
    addFacts(vocabulary, text, { start: ranges[at] ?? 0, end: ranges[at + 1] ?? 0 }, facts)
  }
  return facts.view().slice()
}

function addFacts(
  vocabulary: Vocabulary,
  text: Buffer,
  place: { readonly start: number; readonly end: number },
  facts: IntList,
): void {
  const [name, version, architecture, source, essential, multiArch, ...relations] = readTexts(
    text,
    place,
  )
  const [preDepends = '', depends = '', conflicts = '', breaks = '', provides = ''] = relations
  const { names, versions } = vocabulary
  const needs = clauses(vocabulary, preDepends, depends)
  // dpkg takes `name:any` here for each package of the name, whatever its Multi-Arch.
  const foes = clauses(vocabulary, conflicts.replaceAll(':any', ''), breaks.replaceAll(':any', ''))
  const provided = clauses(vocabulary, provides)
  facts.push(names.number(name ?? ''))
  facts.push(versions.number(version ?? ''))
  facts.push(names.number(architecture ?? ''))
  facts.push(names.number(source?.replace(/\s*\(.*/s, '') ?? name ?? ''))
  facts.push((essential === 'yes' ? ESSENTIAL : 0) | (multiArch === 'allowed' ? ALLOWED : 0))
  for (const list of [needs, foes, provided]) facts.push(list.length)
  for (const list of [needs, foes, provided]) for (const clause of list) facts.push(clause)
}

function clauses(vocabulary: Vocabulary, ...fields: readonly string[]): number[] {
  const all = fields.flatMap((field) => (field === '' ? [] : vocabulary.clausesOf(field)))
  return all.length < 2 ? all : [...new Set(all)]
}

/** How many numbers the package at this place takes. */
export function lengthAt(facts: Int32Array, at: number): number {
  return HEAD + (facts[at + NEEDS] ?? 0) + (facts[at + FOES] ?? 0) + (facts[at + PROVIDED] ?? 0)
}
