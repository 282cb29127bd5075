/**
 * Files of a suite that are taken as they are, on request: Contents (which package has which file), dep11 (what software
 * centers show), cnf (what command-not-found reads), and the lists of the installer's images. What is taken is fetched and
 * verified before any state names it.
 *
 * Of a file in several forms one is taken: gz, else xz, else bz2, which all clients read. The uncompressed one goes on
 * being listed, since apt looks for the file under its name and for its digest.
 */
import type { Abortable } from '../base/abortable.ts'
import { type AppError, isAppError } from '../base/errors.ts'
import { mapBounded } from '../base/mutex.ts'
import type { Release, ReleaseFile } from '../debian/release.ts'
import type { ArchiveParts } from './archive-parts.ts'
import type { ArchiveSettings } from './archive-table.ts'
import { fileUrls, type IndexSource } from './fetch-index.ts'
import type { SkippedStanza } from './index-build.ts'
import type { Origin } from './origins.ts'
import { inDirectory } from './suite-place.ts'
import type { SuiteState } from './suite-state.ts'

const FETCHES_AT_ONCE = 2
/** Debian's largest has some 60 MB. */
const MAX_EXTRA_BYTES = 1024 * 1024 * 1024
/** 404, and what object stores and mirrors answer for what is not there. */
const absentStatus: readonly unknown[] = [404, 403, 410]
const FORMS = ['.gz', '.xz', '.bz2', '']

/** What was taken, and where it can be had again. */
export interface ExtraFiles {
  readonly extras: NonNullable<SuiteState['extras']>
  readonly plainForms: NonNullable<SuiteState['plainForms']>
  readonly origins: readonly Omit<Origin, 'archiveId'>[]
  /** Files that Release lists and the archive does not have. */
  readonly skipped: readonly SkippedStanza[]
}

/** How to fetch: when to stop, and whom to tell. */
export interface ExtraOptions extends Abortable {
  readonly onBytes?: ((path: string, written: number, size: number) => void) | undefined
}

/** Fetches the extra files that the settings ask for and Release lists; one that is here is not fetched again. */
export async function takeExtras(
  parts: Pick<ArchiveParts, 'blobs' | 'downloads'>,
  settings: ArchiveSettings,
  source: IndexSource,
  { onBytes, signal }: ExtraOptions,
): Promise<ExtraFiles> {
  const looked = await mapBounded(
    wantedExtras(settings, source.release),
    FETCHES_AT_ONCE,
    async (wanted) => {
      const { path, sha256, size } = wanted.file
      if (size > MAX_EXTRA_BYTES) {
        const reason = `it is larger than ${MAX_EXTRA_BYTES} bytes`
        return { skipped: { package: path, reason } }
      }
      try {
        if (!(await parts.blobs.has(sha256))) {
          await parts.downloads.fetch(
            { sha256, size, label: `${source.suite} ${path}` },
            { urls: fileUrls(source, wanted.file) },
            { signal, onBytes: (written) => onBytes?.(path, written, size) },
          )
        }
        return { wanted }
      } catch (error) {
        if (!isAbsent(error)) throw error
        return { skipped: { package: path, reason: error.message } }
      }
    },
  )
  const whole = looked.flatMap(({ wanted }) => wanted ?? [])
  const listed = (files: readonly ReleaseFile[]): NonNullable<SuiteState['extras']> =>
    Object.fromEntries(files.map(({ path, sha256, size }) => [path, { sha256, size }]))
  return {
    extras: listed(whole.map(({ file }) => file)),
    plainForms: listed(whole.flatMap(({ plain }) => plain ?? [])),
    origins: whole.map(({ file }) => originOf(source, file)),
    skipped: looked.flatMap(({ skipped }) => skipped ?? []),
  }
}

interface WantedExtra {
  readonly file: ReleaseFile
  /** The same uncompressed, if `file` is compressed and Release lists it. */
  readonly plain?: ReleaseFile | undefined
}

function wantedExtras(settings: ArchiveSettings, release: Release): WantedExtra[] {
  const patterns = patternsOf(settings)
  const bases = new Set(
    [...release.files.keys()].map(baseOf).filter((base) => patterns.some((one) => one.test(base))),
  )
  return [...bases].sort().flatMap((base) => {
    const [file] = FORMS.flatMap((form) => release.files.get(base + form) ?? [])
    if (file === undefined) return []
    return [{ file, plain: file.path === base ? undefined : release.files.get(base) }]
  })
}

/** Patterns of the paths, without the ending of a compression. */
function patternsOf({
  components,
  architectures,
  sources,
  extras = [],
}: ArchiveSettings): RegExp[] {
  const anyOf = (words: readonly string[]): string =>
    `(?:${words.map((word) => word.replaceAll(/\W/g, '\\$&')).join('|')})`
  const component = anyOf(components)
  const own = anyOf(architectures)
  const readers = anyOf([...architectures, 'all', ...(sources === true ? ['source'] : [])])
  const udebs = extras.includes('installer') ? '(?:udeb-)?' : ''
  const patterns = {
    contents: `^(?:${component}/)?Contents-${udebs}${readers}$`,
    dep11: `^${component}/dep11/(?:(?:Components|CID-Index)-${readers}\\.[a-z]+|icons-[^/]+)$`,
    cnf: `^${component}/cnf/Commands-${readers}$`,
    installer: `^${component}/installer-${own}/.+$`,
  }
  return extras.map((extra) => new RegExp(patterns[extra]))
}

/** Whether the archive does not have a file that it lists. What fails otherwise may be there at the next look. */
export function isAbsent(error: unknown): error is AppError {
  return isAppError(error, 'ERR_UPSTREAM_STATUS') && absentStatus.includes(error.details?.status)
}

function baseOf(path: string): string {
  return path.replace(/\.(gz|xz|bz2)$/, '')
}

/** By hash where the suite offers that: what stands under the name changes. */
function originOf(
  { directory, release }: IndexSource,
  { path, sha256, size }: ReleaseFile,
): Omit<Origin, 'archiveId'> {
  const dir = path.slice(0, path.lastIndexOf('/') + 1)
  const file = release.acquireByHash ? `${dir}by-hash/SHA256/${sha256}` : path
  return { sha256, size, path: inDirectory(directory, file) }
}
