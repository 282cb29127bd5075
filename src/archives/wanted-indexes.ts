/**
 * Which indexes of a suite an archive's settings ask for, out of those that its Release names.
 *
 * Where an archive keeps `all` packages in an index of their own, they are put into each architecture's: debootstrap
 * and image builders look only there.
 */
import { AppError } from '../base/errors.ts'
import type { Release } from '../debian/release.ts'
import type { Archive, ArchiveSettings } from './archive-table.ts'
import { indexForms } from './fetch-index.ts'
import { type IndexName, indexPath } from './suite-state.ts'

/** An index to take: its own file, and for Packages that of `all` where the archive keeps it apart. */
export interface WantedIndex extends IndexName {
  readonly paths: readonly string[]
}

/** The languages whose descriptions are taken unless the archive's settings say otherwise. */
const LANGUAGES = ['en']

/** The indexes to take; Packages come first. `ERR_FORMAT` where Release names none of those that are asked for. */
export function wantedIndexes(archive: Archive, suite: string, release: Release): WantedIndex[] {
  const { settings } = archive
  const isHere = ({ paths }: WantedIndex): boolean =>
    paths.some((path) => indexForms(release, path).length > 0)
  const packages = settings.components.flatMap((component) =>
    packagesIndexes(component, settings, release),
  )
  if (packages.length === 0) {
    throw new AppError('ERR_FORMAT', {
      message: `${suite}: Release names no Packages for ${settings.components.join(', ')} on ${settings.architectures.join(', ')}`,
      hint: `it has the components ${release.components.join(', ')} and the architectures ${release.architectures.join(', ')}: sluice archive set ${archive.name} …`,
    })
  }
  const named = (kind: 'Sources' | 'Translation', component: string, architecture: string) => {
    const name = { kind, component, architecture }
    return { ...name, paths: [indexPath(name)] }
  }
  const others = settings.components.flatMap((component) => [
    ...(settings.sources === true ? [named('Sources', component, 'source')] : []),
    ...(settings.languages ?? LANGUAGES).map((one) => named('Translation', component, one)),
  ])
  const installer = settings.extras?.includes('installer')
    ? settings.components.flatMap((component) =>
        packagesIndexes(`${component}/debian-installer`, settings, release),
      )
    : []
  return [...packages, ...installer, ...others.filter(isHere)]
}

function packagesIndexes(
  component: string,
  { architectures }: ArchiveSettings,
  release: Release,
): WantedIndex[] {
  // As apt reads it (IsArchitectureAllSupportedFor): Debian's security suite has such a file that nobody is to read.
  const isAllApart =
    release.architectures.includes('all') && release.noSupportForArchitectureAll !== 'Packages'
  const all = indexPath({ kind: 'Packages', component, architecture: 'all' })
  return architectures.flatMap((architecture) => {
    const name = { kind: 'Packages', component, architecture } as const
    const path = indexPath(name)
    const own = indexForms(release, path).length > 0 ? [path] : []
    const more = isAllApart && path !== all && indexForms(release, all).length > 0 ? [all] : []
    return own.length + more.length === 0 ? [] : [{ ...name, paths: [...own, ...more] }]
  })
}
