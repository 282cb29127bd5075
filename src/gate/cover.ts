/**
 * Which packages can be installed. What is not easy (easy.ts) is found by models that hold as many of the rest at once as go
 * together: what is left when nothing more goes with them is tried first in the next model; what does not go alone is proven
 * to be impossible.
 */
import { findHard } from './easy.ts'
import { buildFormula } from './formula.ts'
import { createSolver } from './solver.ts'
import type { Side, Universe } from './universe.ts'

/** Those of the goals (packages of that side) that cannot be installed there; `pause` is awaited now and then. */
export async function findUninstallable(
  universe: Universe,
  side: Side,
  goals: readonly number[],
  pause: () => Promise<void>,
): Promise<Set<number>> {
  const hard = await findHard(universe, side, goals, pause)
  if (hard.length === 0) return new Set()
  const { formula, variableOf } = await buildFormula(universe, side, hard, pause)
  const solver = createSolver(formula)
  const bad = new Set<number>()
  let open = hard.map((one) => ({ one, variable: variableOf(one) }))
  while (open.length > 0) {
    const left: typeof open = []
    for (const goal of open) {
      if (solver.isTrue(goal.variable)) continue
      if (solver.isNever(goal.variable)) bad.add(goal.one)
      else if (solver.add(goal.variable) !== 'yes') left.push(goal)
      await pause()
    }
    open = left.filter(({ variable }) => !solver.isTrue(variable))
    solver.reset()
    const [first] = open
    // What is first in a model has nothing but the essential packages beside it: if it does not go even so, it is proven.
    if (first === undefined || solver.add(first.variable) === 'yes') continue
    if ((await solver.prove(first.variable, pause)) === 'yes') {
      open = open.filter(({ variable }) => !solver.isTrue(variable))
    } else {
      bad.add(first.one)
      open = open.slice(1)
    }
    solver.reset()
  }
  return bad
}
