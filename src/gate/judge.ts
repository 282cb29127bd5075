/**
 * The verdict on a change within one architecture: the names that have no installable version after it, and had one
 * before it or were not there at all. The same as what dose-debcheck says of both states.
 */
import { compareVersions } from '../debian/version.ts'
import { findUninstallable } from './cover.ts'
import { findSuspects } from './replacement.ts'
import { AFTER, BEFORE, type Side, type Universe } from './universe.ts'

/** The names (numbers of the vocabulary) that the change breaks; `pause` is awaited now and then. */
export async function findBroken(
  universe: Universe,
  pause: () => Promise<void>,
): Promise<Set<number>> {
  const { names, fresh } = await findSuspects(universe, pause)
  const suspects: number[] = []
  for (const name of [...names, ...fresh]) {
    if (versionsOn(universe, name, AFTER).length > 0) suspects.push(name)
    await pause()
  }
  const broken = await withoutInstallable(universe, AFTER, suspects, pause)
  const known = [...broken].filter((name) => versionsOn(universe, name, BEFORE).length > 0)
  const already = await withoutInstallable(universe, BEFORE, known, pause)
  return new Set([...broken].filter((name) => !already.has(name)))
}

/** The versions of a name on one side, newest first. */
export function versionsOn(universe: Universe, name: number, side: Side): number[] {
  const version = (one: number): string =>
    universe.vocabulary.versions.text(universe.versionOf(one))
  return universe
    .named(name)
    .filter((one) => ((universe.sides[one] ?? 0) & side) !== 0)
    .sort((a, b) => compareVersions(version(b), version(a)))
}

/** Those of the names of which no version can be installed: older ones are asked only where newer ones cannot. */
export async function withoutInstallable(
  universe: Universe,
  side: Side,
  names: readonly number[],
  pause: () => Promise<void>,
): Promise<Set<number>> {
  const bad = new Set<number>()
  let open: { readonly name: number; readonly versions: readonly number[] }[] = []
  for (const name of names) {
    open.push({ name, versions: versionsOn(universe, name, side) })
    await pause()
  }
  while (open.length > 0) {
    const goals = open.flatMap(({ versions }) => versions.slice(0, 1))
    const failed = await findUninstallable(universe, side, goals, pause)
    open = open
      .filter(({ versions: [first] }) => first === undefined || failed.has(first))
      .map(({ name, versions }) => ({ name, versions: versions.slice(1) }))
    for (const { name, versions } of open) if (versions.length === 0) bad.add(name)
    open = open.filter(({ versions }) => versions.length > 0)
  }
  return bad
}
