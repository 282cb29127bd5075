/**
 * What a path below the root of an archive names, by what its settings say of its suites: one that is flat has its Release
 * in a folder of its own, or at the root. And which files beside indexes may be packages: many archives keep them
 * elsewhere than in `pool/`, below `dists/` too.
 */
import type { ArchiveSettings } from '../archives/archive-table.ts'
import { isFlat, suiteDirectory, suiteName } from '../archives/suite-place.ts'
import { type ArchivePath, parseArchivePath } from '../debian/archive-path.ts'
import { below } from './learned-place.ts'

/** As `parseArchivePath`, with the suites of these settings; undefined for what is no path of an archive. */
export function parseInArchive(
  settings: Pick<ArchiveSettings, 'suites'>,
  rest: string,
): ArchivePath | undefined {
  const { suites } = settings
  const parsed = parseArchivePath(
    rest,
    suites.filter((written) => !isFlat(written)),
  )
  if (parsed === undefined) return undefined
  for (const { suite, directory } of flatSuites(settings)) {
    const inside = below(directory, rest)
    if (inside === undefined || (directory === '' && parsed.kind !== 'other')) continue
    const found = parseArchivePath(`dists/-/${inside}`, ['-'])
    if (found !== undefined && 'suite' in found) return { ...found, suite }
  }
  return parsed
}

/** The paths that an index may have for what was asked for at `path`: a colon may stand there as servers of files have it. */
export function pathsOfPackage(path: string): string[] {
  if (!path.includes(':')) return [path]
  return [path, path.replaceAll(':', '%3a'), path.replaceAll(':', '%3A')]
}

const packageFile = /\.(?:deb|udeb|ddeb|dsc|diff\.gz|tar\.[a-z0-9]+)(?:\.asc)?$/

/** Whether it has the look of a package's file, and so is to be found in the indexes. */
export function looksLikePackage(path: string): boolean {
  return packageFile.test(path)
}

/** The deepest comes first. */
function flatSuites(settings: Pick<ArchiveSettings, 'suites'>) {
  return settings.suites
    .filter(isFlat)
    .map(suiteName)
    .map((suite) => ({ suite, directory: suiteDirectory(settings, suite) }))
    .sort((a, b) => b.directory.length - a.directory.length)
}
