/**
 * What a solver (solver.ts) has assigned and why, and unit propagation: over pairs by lists of what a literal implies, over
 * longer clauses by two watched literals each.
 *
 * Literals are numbers: 2v for variable v being true, 2v + 1 for its being false.
 */
import { createIntList, type Grouped, groupByKey, type IntList } from './int-list.ts'

/** A formula in conjunctive normal form. */
export interface Formula {
  /** Variables are 0 to below this. */
  readonly variables: number
  /** Literals of which one must be true, two by two. */
  readonly pairs: Int32Array
  /** Literals that are true. */
  readonly facts: Int32Array
  /** Variable -> those of which one must be true if it is, in the order in which they are tried; two at the least. */
  readonly choices: ReadonlyMap<number, readonly number[]>
}

export interface SolverState {
  readonly choices: ReadonlyMap<number, readonly number[]>
  readonly implied: Grouped
  readonly values: Int8Array
  readonly levels: Int32Array
  /** Why a variable has its value: -1 for no reason, twice a literal that implies it, or twice a clause and 1. */
  readonly reasons: Int32Array
  /** The literals that are true, in the order in which they became so. */
  readonly trail: Int32Array
  trailed: number
  propagated: number
  /** How far the trail was looked through for choices that are not made good. */
  checked: number
  /** Of each level above 0: where its part of the trail begins, and what `checked` was then. */
  readonly begins: number[]
  readonly looked: number[]
  /** The literals of a clause that is false. */
  conflict: readonly number[]
  /** False once the formula contradicts itself, whatever is decided. */
  isSound: boolean
  readonly clauses: Clauses
  readonly seen: Uint8Array
}

/** Clauses of three literals or more (of two, if learnt): the first two of each are watched. */
interface Clauses {
  readonly starts: IntList
  readonly literals: IntList
  /** Literal -> the first watch of it; watch -> the next one. A watch is twice a clause, and 1 for its second literal. */
  readonly heads: Int32Array
  readonly next: IntList
}

/** The state before anything is decided. */
export function openState({ variables, pairs, choices, facts }: Formula): SolverState {
  const implied = groupByKey(2 * variables, (give) => {
    for (let at = 0; at < pairs.length; at += 2) {
      const [a, b] = [pairs[at] ?? 0, pairs[at + 1] ?? 0]
      give(a ^ 1, b)
      give(b ^ 1, a)
    }
  })
  const state: SolverState = {
    choices,
    implied,
    values: new Int8Array(variables),
    levels: new Int32Array(variables),
    reasons: new Int32Array(variables),
    trail: new Int32Array(variables),
    trailed: 0,
    propagated: 0,
    checked: 0,
    begins: [],
    looked: [],
    conflict: [],
    isSound: true,
    clauses: {
      starts: createIntList(1024),
      literals: createIntList(4096),
      heads: new Int32Array(2 * variables).fill(-1),
      next: createIntList(2048),
    },
    seen: new Uint8Array(variables),
  }
  for (const [choice, candidates] of choices) {
    addClause(state, [2 * choice + 1, ...candidates.map((one) => 2 * one)])
  }
  for (const fact of facts) {
    if (truthOf(state, fact) < 0) state.isSound = false
    if (truthOf(state, fact) === 0) assign(state, fact, -1)
  }
  state.isSound &&= propagate(state)
  return state
}

/** 1 for a true literal, -1 for a false one, 0 for one that is open. */
export function truthOf({ values }: SolverState, literal: number): number {
  const value = values[literal >> 1] ?? 0
  return (literal & 1) === 0 ? value : -value
}

/** Makes an open literal true at the current level. */
export function assign(state: SolverState, literal: number, reason: number): void {
  const variable = literal >> 1
  state.values[variable] = (literal & 1) === 0 ? 1 : -1
  state.levels[variable] = state.begins.length
  state.reasons[variable] = reason
  state.trail[state.trailed++] = literal
}

/** Opens a level with a decision; without one for literal -1. */
export function decide(state: SolverState, literal: number): void {
  state.begins.push(state.trailed)
  state.looked.push(state.checked)
  if (literal >= 0) assign(state, literal, -1)
}

/** Takes back all above this level. */
export function undo(state: SolverState, level: number): void {
  const { begins, looked, trail, values } = state
  if (begins.length <= level) return
  const begin = begins[level] ?? 0
  state.checked = Math.min(state.checked, looked[level] ?? 0)
  for (let at = state.trailed - 1; at >= begin; at--) values[(trail[at] ?? 0) >> 1] = 0
  state.trailed = begin
  state.propagated = begin
  begins.length = level
  looked.length = level
}

/** Adds a clause whose first two literals are those that stay open longest; its number. */
export function addClause({ clauses }: SolverState, literals: readonly number[]): number {
  const { starts, heads, next } = clauses
  const clause = starts.length
  starts.push(clauses.literals.length)
  for (const literal of literals) clauses.literals.push(literal)
  for (const second of [0, 1]) {
    const literal = literals[second] ?? 0
    next.push(heads[literal] ?? -1)
    heads[literal] = 2 * clause + second
  }
  return clause
}

/** Why the literal is true, as a clause that has it; nothing for a decision. */
export function reasonOf(state: SolverState, literal: number): readonly number[] {
  const reason = state.reasons[literal >> 1] ?? -1
  if (reason < 0) return []
  return (reason & 1) === 1 ? [...literalsOf(state, reason >> 1)] : [literal, (reason >> 1) ^ 1]
}

/** All that follows from what is true; false, with `conflict` told, if a clause is false. */
export function propagate(state: SolverState): boolean {
  const { trail, implied } = state
  while (state.propagated < state.trailed) {
    const literal = trail[state.propagated++] ?? 0
    const end = implied.starts[literal + 1] ?? 0
    for (let at = implied.starts[literal] ?? 0; at < end; at++) {
      const other = implied.items[at] ?? 0
      const value = truthOf(state, other)
      if (value > 0) continue
      if (value === 0) {
        assign(state, other, 2 * literal)
        continue
      }
      state.conflict = [literal ^ 1, other]
      return false
    }
    const broken = visitWatches(state, literal ^ 1)
    if (broken < 0) continue
    state.conflict = [...literalsOf(state, broken)]
    return false
  }
  return true
}

function literalsOf({ clauses }: SolverState, clause: number): Int32Array {
  const { starts, literals } = clauses
  const end = clause + 1 < starts.length ? starts.get(clause + 1) : literals.length
  return literals.view().subarray(starts.get(clause), end)
}

/** Goes through the clauses that watch a literal which became false; the number of one that is false, or -1. */
function visitWatches(state: SolverState, literal: number): number {
  const { heads, next, starts, literals } = state.clauses
  const nextOf = next.view()
  const all = literals.view()
  let kept = -1
  let broken = -1
  let watch = heads[literal] ?? -1
  heads[literal] = -1
  while (watch >= 0) {
    const following = nextOf[watch] ?? -1
    const clause = watch >> 1
    const start = starts.get(clause)
    const own = start + (watch & 1)
    const other = all[start + 1 - (watch & 1)] ?? 0
    const place = broken < 0 && truthOf(state, other) <= 0 ? openPlace(state, all, clause) : own
    if (place >= 0 && place !== own) {
      const found = all[place] ?? 0
      all[place] = literal
      all[own] = found
      nextOf[watch] = heads[found] ?? -1
      heads[found] = watch
    } else {
      nextOf[watch] = kept
      kept = watch
      if (place < 0) {
        if (truthOf(state, other) < 0) broken = clause
        else assign(state, other, 2 * clause + 1)
      }
    }
    watch = following
  }
  heads[literal] = kept
  return broken
}

/** The place of a literal of the clause that is not false and not watched; -1 if there is none. */
function openPlace(state: SolverState, all: Int32Array, clause: number): number {
  const { starts } = state.clauses
  const end = clause + 1 < starts.length ? starts.get(clause + 1) : all.length
  for (let at = starts.get(clause) + 2; at < end; at++) {
    if (truthOf(state, all[at] ?? 0) >= 0) return at
  }
  return -1
}
