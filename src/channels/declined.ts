/**
 * What declines mean for what a channel would take.
 *
 * Archives that keep several versions of a source package offer a declined one beside others: then the others come without
 * it. What is declined alone, or leaves only what is older than what the channel has, stays as a whole.
 */
import { compareVersions } from '../debian/version.ts'
import type { Decline, DeclinedVersion } from './decline-table.ts'

/** Answers whether a version of a source is among those declined. */
export type IsDeclined = (source: string, version: string) => boolean

/** Asks these. */
export function declinedIn(declines: readonly DeclinedVersion[]): IsDeclined {
  const keys = new Set(declines.map(({ source, version }) => `${source} ${version}`))
  return (source, version) => keys.has(`${source} ${version}`)
}

/** Whether nothing of the versions offered can come, or nothing that is as new as what is there; false if none is declined. */
export function leavesNothing(
  { source, old, new: offered }: { source: string; old: readonly string[]; new: readonly string[] },
  isDeclined: IsDeclined,
): boolean {
  const left = offered.filter((version) => !isDeclined(source, version))
  if (left.length === offered.length) return false
  const [newest, had] = [newestOf(left), newestOf(old)]
  return newest === undefined || (had !== undefined && compareVersions(newest, had) < 0)
}

/** The decline of the newest of these versions that is declined. */
export function declineOf(
  declines: readonly Decline[],
  source: string,
  versions: readonly string[],
): Decline | undefined {
  const own = declines.filter((one) => one.source === source && versions.includes(one.version))
  return own.sort((a, b) => compareVersions(b.version, a.version))[0]
}

/** `2.1-1 declined by joe since 2026-11-20: breaks our shop`, of the newest of these versions that is declined. */
export function declineWords(
  declines: readonly Decline[],
  source: string,
  versions: readonly string[],
): string {
  const last = declineOf(declines, source, versions)
  if (last === undefined) return 'declined'
  const why = last.why === undefined ? '' : `: ${last.why}`
  const since = new Date(last.madeAt).toISOString().slice(0, 10)
  return `${last.version} declined by ${last.who} since ${since}${why}`
}

function newestOf(versions: readonly string[]): string | undefined {
  return [...versions].sort(compareVersions).at(-1)
}
