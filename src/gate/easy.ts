/**
 * What can be installed without a search: a package, then for each thing that is needed and not there the first candidate
 * that goes with what is there. Nothing is taken back, so that it costs what it installs and no more.
 *
 * What gets in that way is proven to be installable: all that it needs is there, nothing excludes anything, and of each name
 * there is one version. What does not may still be; that is for the solver (cover.ts). Nearly all of an archive is easy.
 */
import { essentials } from './formula.ts'
import type { Side, Universe } from './universe.ts'

const THERE = 1
/** Excluded by something that is there. */
const BARRED = 2

interface Model {
  readonly universe: Universe
  readonly side: Side
  /** Package -> THERE, BARRED. */
  readonly flags: Uint8Array
  /** Of what is there. */
  readonly names: Set<number>
  /** What is there, and what that made BARRED, in order. */
  readonly there: number[]
  readonly barred: number[]
}

/** Those of the goals (packages of that side) that were not easy; `pause` is awaited now and then. */
export async function findHard(
  universe: Universe,
  side: Side,
  goals: readonly number[],
  pause: () => Promise<void>,
): Promise<number[]> {
  const hard: number[] = []
  for (let open = goals; open.length > 0; ) {
    const model = openModel(universe, side)
    if (model === undefined) return [...hard, ...open]
    const left: number[] = []
    for (const goal of open) {
      if (!install(model, goal)) left.push(goal)
      await pause()
    }
    // It had nothing but the essential packages beside it.
    if (left.length > 0 && left[0] === open[0]) hard.push(...left.splice(0, 1))
    if (2 * left.length > open.length) return [...hard, ...left]
    open = left
  }
  return hard
}

/** A model of the essential packages; undefined if they are not easy themselves. */
function openModel(universe: Universe, side: Side): Model | undefined {
  const flags = new Uint8Array(universe.size)
  const model: Model = { universe, side, flags, names: new Set(), there: [], barred: [] }
  for (const versions of essentials(universe, side)) {
    if (!versions.some((one) => install(model, one))) return undefined
  }
  return model
}

/** Whether the goal is there now, with all that it needs; else the model is as it was. */
function install(model: Model, goal: number): boolean {
  const { universe, side, there } = model
  if (isThere(model, goal)) return true
  if (!goesWith(model, goal)) return false
  const [begin, bars] = [there.length, model.barred.length]
  put(model, goal)
  // It grows meanwhile.
  for (let at = begin; at < there.length; at++) {
    for (const clause of universe.needsOf(there[at] ?? 0)) {
      const candidates = universe.candidates(clause)
      if (candidates.some((one) => isThere(model, one))) continue
      const isFit = (one: number): boolean =>
        ((universe.sides[one] ?? 0) & side) !== 0 && goesWith(model, one)
      const found = candidates.find(isFit)
      if (found === undefined) {
        takeBack(model, begin, bars)
        return false
      }
      put(model, found)
    }
  }
  return true
}

function isThere({ flags }: Model, one: number): boolean {
  return ((flags[one] ?? 0) & THERE) !== 0
}

/** Whether nothing that is there excludes the one, nor the one that. */
function goesWith(model: Model, one: number): boolean {
  const { universe, flags, names } = model
  if (flags[one] !== 0) return false
  const name = universe.nameOf(one)
  if (names.has(name)) return false
  for (const clause of universe.foesOf(one)) {
    for (const other of universe.candidates(clause)) {
      if (isThere(model, other) && universe.nameOf(other) !== name) return false
    }
  }
  return true
}

function put({ universe, flags, names, there, barred }: Model, one: number): void {
  const name = universe.nameOf(one)
  flags[one] = (flags[one] ?? 0) | THERE
  names.add(name)
  there.push(one)
  for (const clause of universe.foesOf(one)) {
    for (const other of universe.candidates(clause)) {
      const known = flags[other] ?? 0
      if ((known & BARRED) !== 0 || universe.nameOf(other) === name) continue
      flags[other] = known | BARRED
      barred.push(other)
    }
  }
}

function takeBack(
  { universe, flags, names, there, barred }: Model,
  begin: number,
  bars: number,
): void {
  for (const one of there.splice(begin)) {
    flags[one] = (flags[one] ?? 0) & ~THERE
    names.delete(universe.nameOf(one))
  }
  for (const one of barred.splice(bars)) flags[one] = (flags[one] ?? 0) & ~BARRED
}
