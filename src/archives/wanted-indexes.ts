/**
 * Which indexes of a suite an archive's settings ask for, out of those that its Release names.
 *
 * What a Release says of its Components and Architectures is not asked: many leave them out, or tell more than they have.
 * Where an archive keeps `all` packages in an index of their own, they are put into each architecture's: debootstrap
 * and image builders look only there. A flat suite has one index for all architectures, of which each takes its own.
 */
import { AppError } from '../base/errors.ts'
import type { Release } from '../debian/release.ts'
import type { Archive, ArchiveSettings } from './archive-table.ts'
import { indexForms } from './fetch-index.ts'
import { FLAT_COMPONENT, isFlatSuite } from './suite-place.ts'
import { type IndexName, indexPath } from './suite-state.ts'

/** An index to take: its own file, and for Packages that of `all` where the archive keeps it apart. */
export interface WantedIndex extends IndexName {
  readonly paths: readonly string[]
  /** The architectures whose stanzas are taken; all, unless told. */
  readonly only?: readonly string[] | undefined
}

/** The languages whose descriptions are taken unless the archive's settings say otherwise. */
const LANGUAGES = ['en']

/**
 * The indexes to take; Packages come first. `ERR_FORMAT` where Release names none of those that are asked for; `signed` is
 * its text, to tell why.
 */
export function wantedIndexes(
  archive: Archive,
  suite: string,
  { release, signed }: { readonly release: Release; readonly signed: Buffer | undefined },
): WantedIndex[] {
  const { settings } = archive
  if (isFlatSuite(settings, suite)) return flatIndexes(archive, suite, release, signed)
  const isHere = ({ paths }: WantedIndex): boolean =>
    paths.some((path) => indexForms(release, path).length > 0)
  const packages = settings.components.flatMap((component) =>
    packagesIndexes(component, settings, release),
  )
  if (packages.length === 0) {
    throw new AppError('ERR_FORMAT', {
      message: `${suite}: Release names no Packages for ${settings.components.join(', ')} on ${settings.architectures.join(', ')}`,
      hint: `${whatItHas(release, signed)}: sluice archive set ${archive.name} …`,
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
  const all = indexPath({ kind: 'Packages', component, architecture: 'all' })
  const isAllHere = indexForms(release, all).length > 0
  // As apt reads it (IsArchitectureAllSupportedFor): Debian's security suite has such a file that nobody is to read.
  const isAllForAll = release.noSupportForArchitectureAll !== 'Packages'
  const isAllApart =
    isAllForAll && (release.architectures.length === 0 || release.architectures.includes('all'))
  return architectures.flatMap((architecture) => {
    const name = { kind: 'Packages', component, architecture } as const
    const path = indexPath(name)
    const own = indexForms(release, path).length > 0 ? [path] : []
    const isAlone = own.length === 0 && isAllForAll
    const more = (isAllApart || isAlone) && path !== all && isAllHere ? [all] : []
    return own.length + more.length === 0 ? [] : [{ ...name, paths: [...own, ...more] }]
  })
}

function flatIndexes(
  { settings }: Archive,
  suite: string,
  release: Release,
  signed: Buffer | undefined,
): WantedIndex[] {
  if (indexForms(release, 'Packages').length === 0) {
    throw new AppError('ERR_FORMAT', {
      message: `${suite}: Release names no Packages beside it`,
      hint: `it is the Release of no flat archive: ${whatItHas(release, signed)}`,
    })
  }
  const component = FLAT_COMPONENT
  const packages = settings.architectures.map((architecture) => ({
    ...({ kind: 'Packages', component, architecture } as const),
    paths: ['Packages'],
    only: [architecture, 'all'],
  }))
  const hasSources = settings.sources === true && indexForms(release, 'Sources').length > 0
  if (!hasSources) return packages
  const sources = { kind: 'Sources', component, architecture: 'source' } as const
  return [...packages, { ...sources, paths: ['Sources'] }]
}

/** A line of MD5Sum or SHA1. */
const weakPackages = /^ +(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40})[ \t]+\d+[ \t]+\S*Packages/m

/** Told by the files that it lists. */
function whatItHas(release: Release, signed: Buffer | undefined): string {
  const places = [...release.files.keys()].flatMap((path) => {
    const [, component, architecture] =
      /^(.+)\/binary-([^/]+)\/Packages(?:\.\w+)?$/.exec(path) ?? []
    return component === undefined || architecture === undefined
      ? []
      : [{ component, architecture }]
  })
  if (places.length === 0) {
    return weakPackages.test(signed?.toString('latin1') ?? '')
      ? 'it lists Packages by MD5Sum or SHA1 alone, which is not taken, nor by apt'
      : 'it lists no Packages at all'
  }
  const listed = (words: readonly string[]): string => [...new Set(words)].join(', ')
  const components = listed(places.map(({ component }) => component))
  const architectures = listed(places.map(({ architecture }) => architecture))
  return `it has the components ${components} and the architectures ${architectures}`
}
