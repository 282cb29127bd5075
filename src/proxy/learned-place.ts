/**
 * What a URL is, for an archive that nobody told this server of: a suite's Release, which tells that there is an archive;
 * a file of one; or nothing that an archive has. And which hosts may be asked so.
 */
import { hostKey } from '../base/host-key.ts'
import { ANY_HOST, matchesHost } from '../base/host-patterns.ts'
import { type ArchivePath, parseArchivePath } from '../debian/archive-path.ts'
import type { Release, ReleaseFile } from '../debian/release.ts'
import type { SuitePlace } from './learned-table.ts'

/**
 * Whether this host may be asked for files of archives: one that a pattern names; of all others (`any`) those that have a
 * name of the internet and the web's own port. Where a name leads is judged when it is looked up.
 */
export function mayLearn(
  patterns: readonly string[],
  url: Pick<URL, 'hostname' | 'port'>,
): boolean {
  if (matchesHost(patterns, hostKey(url))) return true
  return patterns.includes(ANY_HOST) && url.port === '' && /[.:]/.test(url.hostname)
}

/** An archive's root that `dists/` says, and what is below it. */
export interface InDists {
  readonly base: string
  /** From `dists/` on. */
  readonly rest: string
}

/** The path taken apart at its first `dists/`. */
export function splitAtDists(path: string): InDists | undefined {
  const match = /^(?:(.*?)\/)?(dists\/.+)$/.exec(path)
  return match === null ? undefined : { base: match[1] ?? '', rest: match[2] ?? '' }
}

/** What a path below a root means, among suites that are known there. */
export function parseBelow(rest: string, suites: readonly string[]): ArchivePath | undefined {
  return parseArchivePath(rest, suites)
}

export type ReleaseName = 'InRelease' | 'Release' | 'Release.gpg'

/** The Release of an archive without `dists/`. */
export function flatRelease(path: string): { base: string; file: ReleaseName } | undefined {
  const match = /^(?:(.*)\/)?(InRelease|Release|Release\.gpg)$/.exec(path)
  const file = match?.[2]
  if (file !== 'InRelease' && file !== 'Release' && file !== 'Release.gpg') return undefined
  return { base: match?.[1] ?? '', file }
}

/** What stands below `dir` of this path; undefined if it is elsewhere. */
export function below(dir: string, path: string): string | undefined {
  if (dir === '') return path
  return path.startsWith(`${dir}/`) ? path.slice(dir.length + 1) : undefined
}

/**
 * The paths that a file may have in the indexes of this suite. `Filename` is below the root; where there is no `dists/`,
 * the root may be any directory above the Release.
 */
export function pathsInIndexes({ base, suite }: SuitePlace, path: string): string[] {
  if (suite !== '') return [below(base, path)].filter((one) => one !== undefined)
  const segments = base === '' ? [] : base.split('/')
  const roots = Array.from({ length: segments.length + 1 }, (_, cut) =>
    segments.slice(0, segments.length - cut).join('/'),
  )
  return roots.flatMap((root) => below(root, path) ?? [])
}

/** The directory of the Release below the root of the host. */
export function releaseDir({ base, suite }: SuitePlace): string {
  return [base, ...(suite === '' ? [] : ['dists', suite])].filter((part) => part !== '').join('/')
}

/** The URL of a path, as it is asked for. */
export function urlAt({ origin }: Pick<SuitePlace, 'origin'>, path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/').replaceAll('%3A', ':')
  return `${origin}/${encoded}`
}

/** Where a file of a suite can be had: by its digest where the suite offers that, then by name. */
export function learnedUrls(place: SuitePlace, release: Release, file: ReleaseFile): string[] {
  const slash = file.path.lastIndexOf('/') + 1
  const byHash = `${file.path.slice(0, slash)}by-hash/SHA256/${file.sha256}`
  const dir = releaseDir(place)
  return [...(release.acquireByHash ? [byHash] : []), file.path].map((path) =>
    urlAt(place, dir === '' ? path : `${dir}/${path}`),
  )
}

const archiveFile =
  /(?:^|\/)(?:InRelease|Release(?:\.gpg)?|(?:Packages|Sources)(?:\.(?:xz|gz|bz2|zst|lzma|lz4))?|[^/]+\.(?:deb|udeb|ddeb|dsc))$/
const sourceFile = /(?:^|\/)pool\/.*\.(?:tar\.(?:gz|xz|bz2|zst|lzma)(?:\.asc)?|diff\.gz)$/

/** Whether the path has the look of what archives have, and nobody else. */
export function looksLikeArchive(path: string): boolean {
  return archiveFile.test(path) || sourceFile.test(path) || /(?:^|\/)dists\/[^/]+\/./.test(path)
}
