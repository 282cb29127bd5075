/**
 * What a change can break at all, told without solving anything.
 *
 * A removed package is *replaced* if a package of its name after the change asks no more: what the replacement needs
 * follows from what it needed, once replacements are put in place of what they replace; and the replacement conflicts with
 * nothing that it did not conflict with. Then whatever could be installed with it can be installed with its replacement,
 * unless something that stays is there that needs just the old one. So only who could lead to such *missers*, or to a
 * removed package that has no replacement, can break; most updates replace all that they remove, and leave nobody behind.
 */
import { compareVersions } from '../debian/version.ts'
import { essentials } from './formula.ts'
import { AFTER, BEFORE, type Universe } from './universe.ts'

/** What has to be judged after a change. */
export interface Suspects {
  /** Names of packages that were there and may not be installable any more. */
  readonly names: ReadonlySet<number>
  /** Names that are new. */
  readonly fresh: ReadonlySet<number>
}

interface Change {
  readonly universe: Universe
  /** Removed package -> what may replace it. */
  readonly replacements: ReadonlyMap<number, number>
  readonly replaced: ReadonlyMap<number, readonly number[]>
  /** What is there before with everything: essential packages, and what they need without a choice. */
  readonly always: ReadonlySet<number>
}

/** The names that have to be judged; `pause` is awaited now and then. */
export async function findSuspects(
  universe: Universe,
  pause: () => Promise<void>,
): Promise<Suspects> {
  const removed: number[] = []
  const fresh = new Set<number>()
  for (let one = 0; one < universe.size; one++) {
    if (universe.sides[one] === BEFORE) removed.push(one)
    if (universe.sides[one] !== AFTER) continue
    await pause()
    const name = universe.nameOf(one)
    if (!universe.named(name).some((other) => isOn(universe, other, BEFORE))) fresh.add(name)
  }
  const change = await openChange(universe, removed, pause)
  const lost: number[] = []
  for (const one of removed) {
    const by = change.replacements.get(one)
    if (by === undefined || !isReplaced(change, one, by)) lost.push(one)
    else lost.push(...missers(universe, one, by))
    await pause()
  }
  const reached = await leadingTo(universe, lost, pause)
  // What must be there with everything may have to be another thing: then anything may break.
  const isForAll =
    hasNewEssential(universe) || [...reached].some((one) => universe.isEssential(one))
  const names = new Set([...reached].map((one) => universe.nameOf(one)))
  return { names: isForAll ? allNames(universe) : names, fresh }
}

async function openChange(
  universe: Universe,
  removed: readonly number[],
  pause: () => Promise<void>,
): Promise<Change> {
  const replacements = new Map<number, number>()
  const replaced = new Map<number, number[]>()
  for (const one of removed) {
    const version = (other: number): string =>
      universe.vocabulary.versions.text(universe.versionOf(other))
    const [newest] = universe
      .named(universe.nameOf(one))
      .filter((other) => isOn(universe, other, AFTER))
      .sort((a, b) => compareVersions(version(b), version(a)))
    if (newest === undefined) continue
    replacements.set(one, newest)
    replaced.set(newest, [...(replaced.get(newest) ?? []), one])
    await pause()
  }
  return { universe, replacements, replaced, always: alwaysThere(universe) }
}

function alwaysThere(universe: Universe): Set<number> {
  const always = new Set<number>()
  const queue: number[] = []
  const note = (candidates: readonly number[]): void => {
    const [only, ...others] = candidates
    if (only === undefined || others.length > 0 || always.has(only)) return
    always.add(only)
    queue.push(only)
  }
  for (const versions of essentials(universe, BEFORE)) note(versions)
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    for (const clause of universe.needsOf(one)) note(on(universe, clause, BEFORE))
  }
  return always
}

/** Whether the other can be put in place of the one, but for those who ask for just the one. */
function isReplaced(change: Change, one: number, by: number): boolean {
  const { universe } = change
  if (universe.isEssential(one) && !universe.isEssential(by)) return false
  return needsNoMore(change, one, by) && hurtsNoMore(change, one, by)
}

/** Who stays and needs something that the one makes good and the other does not. */
function missers(universe: Universe, one: number, by: number): Set<number> {
  const found = new Set<number>()
  for (const name of new Set(universe.namesOf(one))) {
    for (const clause of universe.clausesWith(name)) {
      const users = universe.needers(clause)
      if (!users.some((user) => isKept(universe, user))) continue
      const candidates = universe.candidates(clause)
      if (!candidates.includes(one) || candidates.includes(by)) continue
      for (const user of users) if (isKept(universe, user)) found.add(user)
    }
  }
  return found
}

/** Whether each thing that the replacement needs is there wherever the one could be. */
function needsNoMore({ universe, replacements, always }: Change, one: number, by: number): boolean {
  const after = (other: number): number =>
    isOn(universe, other, AFTER) ? other : (replacements.get(other) ?? -1)
  const known = [...universe.needsOf(one)].map((clause) => on(universe, clause, BEFORE).map(after))
  const there = new Set([...always].map(after))
  there.add(by)
  for (const clause of universe.needsOf(by)) {
    const candidates = new Set(on(universe, clause, AFTER))
    const isGiven =
      [...candidates].some((other) => there.has(other)) ||
      known.some((had) => had.every((other) => other < 0 || candidates.has(other)))
    if (!isGiven) return false
  }
  return true
}

/** Whether the replacement and another package exclude each other only where the one did so already. */
function hurtsNoMore({ universe, replaced }: Change, one: number, by: number): boolean {
  const hasHurt = (other: number): boolean =>
    isFoe(universe, one, other) || isFoe(universe, other, one)
  const earlier = (other: number): readonly number[] => [
    ...(isOn(universe, other, BEFORE) ? [other] : []),
    ...(replaced.get(other) ?? []),
  ]
  const name = universe.nameOf(by)
  const isFine = (other: number): boolean =>
    universe.nameOf(other) === name || earlier(other).every(hasHurt)
  for (const clause of universe.foesOf(by)) {
    if (!on(universe, clause, AFTER).every(isFine)) return false
  }
  for (const own of new Set(universe.namesOf(by))) {
    for (const clause of universe.clausesWith(own)) {
      const users = universe.foesBy(clause)
      if (users.length === 0 || !universe.candidates(clause).includes(by)) continue
      if (!users.every((user) => !isOn(universe, user, AFTER) || isFine(user))) return false
    }
  }
  return true
}

function isFoe(universe: Universe, one: number, other: number): boolean {
  return universe.foesOf(one).some((clause) => universe.candidates(clause).includes(other))
}

/** Whether a name is essential that was not before. */
function hasNewEssential(universe: Universe): boolean {
  const before = essentials(universe, BEFORE).map(([one = 0]) => universe.nameOf(one))
  return essentials(universe, AFTER).some(([one = 0]) => !before.includes(universe.nameOf(one)))
}

function allNames(universe: Universe): Set<number> {
  const names = new Set<number>()
  for (let one = 0; one < universe.size; one++) {
    if (isOn(universe, one, BEFORE)) names.add(universe.nameOf(one))
  }
  return names
}

/** The packages that could lead to one of these before the change, these among them. */
async function leadingTo(
  universe: Universe,
  lost: readonly number[],
  pause: () => Promise<void>,
): Promise<Set<number>> {
  const reached = new Set(lost)
  const asked = new Set<number>()
  const queue = [...lost]
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    for (const name of new Set(universe.namesOf(one))) {
      for (const clause of universe.clausesWith(name)) {
        if (asked.has(clause) || universe.needers(clause).length === 0) continue
        if (!universe.candidates(clause).includes(one)) continue
        asked.add(clause)
        for (const user of universe.needers(clause)) {
          if (reached.has(user) || !isOn(universe, user, BEFORE)) continue
          reached.add(user)
          queue.push(user)
        }
      }
    }
    await pause()
  }
  return reached
}

function isOn({ sides }: Universe, one: number, side: number): boolean {
  return ((sides[one] ?? 0) & side) !== 0
}

function isKept({ sides }: Universe, one: number): boolean {
  return sides[one] === (BEFORE | AFTER)
}

/** The candidates of a clause on one side. */
function on(universe: Universe, clause: number, side: number): number[] {
  return [...universe.candidates(clause)].filter((one) => isOn(universe, one, side))
}
