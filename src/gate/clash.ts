/**
 * Which two packages keep one from being installed, where all that it needs is there: the way of a solver is gone without
 * turning back, and the first pair that excludes each other is told. There may be others; this one is real.
 */
import { buildFormula, type Installability } from './formula.ts'
import { decide, openState, propagate, reasonOf, type SolverState } from './solver-state.ts'
import { AFTER, type Universe } from './universe.ts'

export interface Clash {
  readonly one: number
  readonly other: number
  /** The clause of the one that hits the other; empty where they are two versions of a name. */
  readonly relation: string
  /** `needs lib 2 and old 1, and lib breaks old (<< 2)` */
  readonly words: string
  /** Other packages that lead to these two. */
  readonly along: readonly number[]
}

/** Two packages that the goal needs after the change, and of which one excludes the other; undefined if none is found. */
export async function findClash(
  universe: Universe,
  goal: number,
  pause: () => Promise<void>,
): Promise<Clash | undefined> {
  const built = await buildFormula(universe, AFTER, [goal], pause)
  const { formula, variableOf } = built
  const facts = [...formula.facts, 2 * variableOf(goal)]
  const state = openState({ ...formula, facts: Int32Array.from(facts) })
  if (state.isSound) choose(state)
  const pair = pairOf(state, built)
  if (pair === undefined) return undefined
  const along = [...state.trail.subarray(0, state.trailed)].flatMap((literal) => {
    const one = (literal & 1) === 0 ? built.packageOf(literal >> 1) : -1
    return one < 0 || universe.sides[one] !== AFTER ? [] : [one]
  })
  return { ...wordsOf(universe, pair), along }
}

/** Decides for the first candidate of each choice, until that fails. */
function choose(state: SolverState): void {
  const { choices, values, trail } = state
  for (let at = 0; at < state.trailed; at++) {
    const literal = trail[at] ?? 0
    const candidates = (literal & 1) === 0 ? choices.get(literal >> 1) : undefined
    if (candidates === undefined || candidates.some((one) => values[one] === 1)) continue
    const open = candidates.find((one) => values[one] === 0)
    if (open === undefined) return
    decide(state, 2 * open)
    if (!propagate(state)) return
  }
}

type Pair = readonly [one: number, other: number]

/** Two packages of the conflict that cannot both be there. */
function pairOf(state: SolverState, { packageOf }: Installability): Pair | undefined {
  const seen = new Set<number>()
  const queue = [...state.conflict]
  for (let literal = queue.shift(); literal !== undefined; literal = queue.shift()) {
    if (seen.has(literal >> 1)) continue
    seen.add(literal >> 1)
    // A literal of a conflict is false: its opposite is what came to be, by a reason.
    const because = reasonOf(state, literal ^ 1)
    for (const clause of [state.conflict, because]) {
      const [a, b, more] = clause.map((one) => ((one & 1) === 1 ? packageOf(one >> 1) : -1))
      if (a !== undefined && b !== undefined && more === undefined && a >= 0 && b >= 0) {
        return [a, b]
      }
    }
    queue.push(...because.filter((other) => other !== (literal ^ 1)))
  }
  return undefined
}

function wordsOf(universe: Universe, pair: Pair): Omit<Clash, 'along'> {
  const { names, versions, clauses } = universe.vocabulary
  const nameOf = (one: number): string => names.text(universe.nameOf(one))
  const told = (one: number): string => `${nameOf(one)} ${versions.text(universe.versionOf(one))}`
  const both = `needs ${told(pair[0])} and ${told(pair[1])}`
  for (const [one, other] of [pair, [pair[1], pair[0]] as const]) {
    for (const clause of universe.foesOf(one)) {
      if (!universe.candidates(clause).includes(other)) continue
      const relation = clauses.text(clause)
      return { one, other, relation, words: `${both}, and ${nameOf(one)} excludes ${relation}` }
    }
  }
  const [one, other] = pair
  return { one, other, relation: '', words: `${both}, which cannot be there at once` }
}
