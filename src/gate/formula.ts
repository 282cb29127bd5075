/**
 * Installability as a formula: which packages of one side of a universe can be there together.
 *
 * Only packages that the goals can lead to are in it, and the essential ones, of which each must be there in some version
 * that is essential. A variable for each package; one for each clause with several candidates, which all who need it share.
 * Of each name at most one version; a package and what it conflicts with exclude each other, itself aside.
 */
import { createIntList, type IntList } from './int-list.ts'
import type { Formula } from './solver-state.ts'
import type { Side, Universe } from './universe.ts'

export interface Installability {
  readonly formula: Formula
  /** The variable of a package, or -1 for one that is not in the formula. */
  variableOf(one: number): number
  /** The package of a variable, or -1 for one that is a choice. */
  packageOf(variable: number): number
}

interface Draft {
  readonly universe: Universe
  readonly side: Side
  /** Package -> its variable and 1. */
  readonly variables: Int32Array
  /** Variable -> package, or -1. */
  readonly packages: IntList
  readonly pairs: IntList
  readonly facts: IntList
  readonly choices: Map<number, readonly number[]>
  /** Clause -> the literal that stands for it, and 2: a package's, a choice's, or -1 where nothing makes it good. */
  readonly literals: Int32Array
}

/** Above so many versions of a name a chain takes the place of all pairs of them. */
const FEW = 5

/** The formula for these goals (packages of the side); `pause` is awaited now and then. */
export async function buildFormula(
  universe: Universe,
  side: Side,
  goals: Iterable<number>,
  pause: () => Promise<void>,
): Promise<Installability> {
  const draft: Draft = {
    universe,
    side,
    variables: new Int32Array(universe.size),
    packages: createIntList(1024),
    pairs: createIntList(4096),
    facts: createIntList(),
    choices: new Map(),
    literals: new Int32Array(universe.vocabulary.clauses.size),
  }
  for (const versions of essentials(universe, side)) {
    const literal = literalFor(draft, versions)
    draft.facts.push(literal)
  }
  for (const goal of goals) variableFor(draft, goal)
  // It grows meanwhile: what a package needs comes in behind it.
  for (let at = 0; at < draft.packages.length; at++) {
    const one = draft.packages.get(at)
    if (one >= 0) addNeeds(draft, at, one)
    if (at % 256 === 0) await pause()
  }
  const count = draft.packages.length
  const names = new Set<number>()
  for (let at = 0; at < count; at++) {
    const one = draft.packages.get(at)
    if (one < 0) continue
    names.add(universe.nameOf(one))
    addFoes(draft, at, one)
    if (at % 256 === 0) await pause()
  }
  for (const name of names) addVersions(draft, name)
  const { packages, variables, choices } = draft
  return {
    formula: {
      variables: packages.length,
      pairs: draft.pairs.view(),
      facts: draft.facts.view(),
      choices,
    },
    variableOf: (one) => (variables[one] ?? 0) - 1,
    packageOf: (variable) => packages.get(variable),
  }
}

/** For each name that has essential packages on that side: those. */
export function essentials(universe: Universe, side: Side): number[][] {
  const byName = new Map<number, number[]>()
  for (const one of universe.essential) {
    if (((universe.sides[one] ?? 0) & side) === 0) continue
    const name = universe.nameOf(one)
    byName.set(name, [...(byName.get(name) ?? []), one])
  }
  return [...byName.values()]
}

function variableFor({ variables, packages }: Draft, one: number): number {
  const known = variables[one] ?? 0
  if (known > 0) return known - 1
  packages.push(one)
  variables[one] = packages.length
  return packages.length - 1
}

/** The literal that is true when one of these packages is there; a new choice where they are several. */
function literalFor(draft: Draft, candidates: readonly number[]): number {
  const [first = 0] = candidates
  if (candidates.length === 1) return 2 * variableFor(draft, first)
  const choice = draft.packages.length
  draft.packages.push(-1)
  draft.choices.set(
    choice,
    candidates.map((one) => variableFor(draft, one)),
  )
  return 2 * choice
}

function addNeeds(draft: Draft, variable: number, one: number): void {
  const { universe, side, literals, pairs, facts } = draft
  for (const clause of universe.needsOf(one)) {
    let literal = (literals[clause] ?? 0) - 2
    if (literal < -1) {
      const there = universe
        .candidates(clause)
        .filter((other) => ((universe.sides[other] ?? 0) & side) !== 0)
      literal = there.length === 0 ? -1 : literalFor(draft, there)
      literals[clause] = literal + 2
    }
    if (literal < 0) {
      facts.push(2 * variable + 1)
      return
    }
    if (literal === 2 * variable) continue
    pairs.push(2 * variable + 1)
    pairs.push(literal)
  }
}

function addFoes({ universe, variables, pairs }: Draft, variable: number, one: number): void {
  for (const clause of universe.foesOf(one)) {
    for (const other of universe.candidates(clause)) {
      const its = (variables[other] ?? 0) - 1
      if (its < 0 || universe.nameOf(other) === universe.nameOf(one)) continue
      pairs.push(2 * variable + 1)
      pairs.push(2 * its + 1)
    }
  }
}

/** Of the versions of a name one at most. */
function addVersions({ universe, variables, packages, pairs }: Draft, name: number): void {
  const versions = universe.named(name).flatMap((one) => {
    const variable = (variables[one] ?? 0) - 1
    return variable < 0 ? [] : [variable]
  })
  const exclude = (a: number, b: number): void => {
    pairs.push(a)
    pairs.push(b)
  }
  if (versions.length <= FEW) {
    for (const [at, a] of versions.entries()) {
      for (const b of versions.slice(at + 1)) exclude(2 * a + 1, 2 * b + 1)
    }
    return
  }
  // A link of the chain is true when one of the versions up to it is there.
  let link = -1
  for (const version of versions) {
    const next = packages.length
    packages.push(-1)
    exclude(2 * version + 1, 2 * next)
    if (link >= 0) {
      exclude(2 * link + 1, 2 * version + 1)
      exclude(2 * link + 1, 2 * next)
    }
    link = next
  }
}
