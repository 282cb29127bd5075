/**
 * A small solver of propositional formulas (CDCL: propagation, learning by the first unique implication point, jumping
 * back), made for relations of packages.
 *
 * A *choice* is a variable that means "one of these is true". A model is found as soon as every choice that is true has a
 * true candidate: all that is open then may stay away. Levels: 0 what holds for ever; 1 what was kept of earlier goals;
 * from 2 on the search for the goal at hand. So thousands of goals share one model, and each costs what it adds.
 */
import {
  addClause,
  assign,
  decide,
  type Formula,
  openState,
  propagate,
  reasonOf,
  type SolverState,
  truthOf,
  undo,
} from './solver-state.ts'

/** `no`: not with what was kept, or not soon; `never`: not at all. */
export type Outcome = 'yes' | 'no' | 'never'

export interface Solver {
  /** Whether the variable is true in the model. */
  isTrue(variable: number): boolean
  /** Whether it is false whatever is chosen. */
  isNever(variable: number): boolean
  /** Tries to make the goal true together with what was kept, and keeps what it finds. */
  add(goal: number): Outcome
  /** Drops the model. */
  reset(): void
  /** Finds out for good whether the goal can be true, in a model of its own; `pause` is awaited now and then. */
  prove(goal: number, pause: () => Promise<void>): Promise<Outcome>
  /** The variables that are true. */
  model(): number[]
}

/** A learnt clause longer than this ends an attempt to keep what there is: it would hardly ever be of use again. */
const SHORT = 24
/** Conflicts after which others get their turn, and how many such turns an attempt to keep what there is may take. */
const TURN = 64
const TURNS = 4

/** A solver for the formula. */
export function createSolver(formula: Formula): Solver {
  const state = openState(formula)
  const { values, levels } = state
  return {
    isTrue: (variable) => state.isSound && values[variable] === 1,
    isNever: (variable) => !state.isSound || (values[variable] === -1 && levels[variable] === 0),
    add: (goal) => {
      if (!state.isSound) return 'never'
      if (state.begins.length === 0) {
        state.checked = 0
        decide(state, -1)
      }
      const outcome = addTo(state, goal)
      if (outcome === 'yes') keepAll(state)
      return outcome
    },
    reset: () => undo(state, 0),
    prove: async (goal, pause) => {
      undo(state, 0)
      state.checked = 0
      if (!state.isSound) return 'never'
      const steps = search(state, goal, { floor: 0, limit: Number.POSITIVE_INFINITY })
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done === true) return step.value
        await pause()
      }
    },
    model: () => {
      const literals = state.trail.subarray(0, state.trailed)
      return [...literals].filter((literal) => (literal & 1) === 0).map((literal) => literal >> 1)
    },
  }
}

function addTo(state: SolverState, goal: number): Outcome {
  const steps = search(state, goal, { floor: 1, limit: SHORT })
  for (let turn = 0; turn < TURNS; turn++) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
  undo(state, 1)
  return 'no'
}

/** What was found becomes part of level 1. */
function keepAll(state: SolverState): void {
  const { begins, looked, levels, trail } = state
  for (let at = begins[1] ?? state.trailed; at < state.trailed; at++) {
    levels[(trail[at] ?? 0) >> 1] = 1
  }
  begins.length = 1
  looked.length = 1
}

interface Bounds {
  /** What is at this level and below is not taken back. */
  readonly floor: number
  /** The longest clause that is learnt. */
  readonly limit: number
}

/** Looks for a model with the goal; gives others their turn by its yields. */
function* search(state: SolverState, goal: number, bounds: Bounds): Generator<void, Outcome> {
  const { floor } = bounds
  const { values, levels } = state
  for (let conflicts = 0; ; ) {
    const isFine = propagate(state)
    if (!isFine) {
      if (!learn(state, bounds)) {
        undo(state, floor)
        return floor === 0 ? 'never' : 'no'
      }
      if (++conflicts % TURN === 0) yield
    } else if (values[goal] === -1) {
      const isNever = levels[goal] === 0
      undo(state, floor)
      return isNever ? 'never' : 'no'
    } else {
      const next = values[goal] === 0 ? goal : nextChoice(state)
      if (next < 0) return 'yes'
      decide(state, 2 * next)
    }
  }
}

/** The candidate to take for the first choice that is not made good; -1 if all are. */
function nextChoice(state: SolverState): number {
  const { trail, choices, values } = state
  for (; state.checked < state.trailed; state.checked++) {
    const literal = trail[state.checked] ?? 0
    const candidates = (literal & 1) === 0 ? choices.get(literal >> 1) : undefined
    if (candidates === undefined || candidates.some((one) => values[one] === 1)) continue
    return candidates.find((one) => values[one] === 0) ?? -1
  }
  return -1
}

/** Learns from the conflict, and goes back to where that tells something new; false if the goal has no place. */
function learn(state: SolverState, { floor, limit }: Bounds): boolean {
  const levelOf = (literal: number): number => state.levels[literal >> 1] ?? 0
  const highest = Math.max(0, ...state.conflict.map(levelOf))
  if (highest === 0) state.isSound = false
  if (highest <= floor) return false
  undo(state, highest)
  const [first = 0, ...rest] = analyze(state)
  if (rest.length >= limit) return false
  rest.sort((a, b) => levelOf(b) - levelOf(a))
  const level = rest[0] === undefined ? 0 : levelOf(rest[0])
  if (level < floor) return false
  undo(state, level)
  const reason = rest.length === 0 ? -1 : 2 * addClause(state, [first, ...rest]) + 1
  assign(state, first, reason)
  return true
}

/** What follows from the conflict: a clause whose first literal alone is of the current level. */
function analyze(state: SolverState): number[] {
  const { seen, levels, trail, begins } = state
  const isHere = (literal: number): boolean => levels[literal >> 1] === begins.length
  const learnt: number[] = []
  const touched: number[] = []
  let open = 0
  let at = state.trailed
  for (let literals = state.conflict; ; ) {
    for (const literal of literals) {
      const variable = literal >> 1
      if (seen[variable] === 1 || levels[variable] === 0 || truthOf(state, literal) > 0) continue
      seen[variable] = 1
      touched.push(variable)
      if (isHere(literal)) open++
      else learnt.push(literal)
    }
    do at--
    while (seen[(trail[at] ?? 0) >> 1] !== 1 || !isHere(trail[at] ?? 0))
    const last = trail[at] ?? 0
    if (--open === 0) {
      for (const variable of touched) seen[variable] = 0
      return [last ^ 1, ...learnt]
    }
    literals = reasonOf(state, last)
  }
}
