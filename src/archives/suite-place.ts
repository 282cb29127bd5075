/**
 * Where a suite of an archive stands, and what it is called here. As in apt's sources (sources.list(5)), one that ends in
 * a slash is the folder of a flat archive, which has no `dists/`: its Release and its Packages lie there, and it has no
 * components. The settings of an archive keep it as it is written; all else knows it by its name:
 *
 *   written        stands at           called
 *   bookworm       dists/bookworm      bookworm
 *   /   ./         (the root itself)   flat
 *   binary/        binary              binary
 *   home:/joe/     home:/joe           home/joe
 *
 * To machines on a channel a flat suite is a suite as all others, with the one component `main`. `Filename` is below the
 * URL of the archive, wherever the suite stands.
 */

/** The component of what has none. */
export const FLAT_COMPONENT = 'main'

/** A flat archive's suite at the root, which has no name of its own. */
const ROOT_NAME = 'flat'

interface Suites {
  /** As written. */
  readonly suites: readonly string[]
}

/** Whether it is the folder of a flat archive. */
export function isFlat(written: string): boolean {
  return written.endsWith('/')
}

/** The one way in which a suite is written: of a flat one without empty and `.` segments. */
export function normalizeSuite(written: string): string {
  if (!isFlat(written)) return written
  return `${segmentsOf(written).join('/')}/`
}

/** What a suite is called. */
export function suiteName(written: string): string {
  if (!isFlat(written)) return written
  const words = segmentsOf(written).map((segment) =>
    segment.replaceAll(/[^A-Za-z0-9.+~_-]+/g, '-').replace(/^[^A-Za-z0-9]+|-+$/g, ''),
  )
  return words.filter((word) => word !== '').join('/') || ROOT_NAME
}

/** As the suite of this name is written in the settings; one that they do not have is no flat one. */
export function writtenSuite({ suites }: Suites, name: string): string {
  return suites.find((written) => suiteName(written) === name) ?? name
}

/** Whether the suite of this name is a flat one. */
export function isFlatSuite(settings: Suites, name: string): boolean {
  return isFlat(writtenSuite(settings, name))
}

/** The folder of a suite's Release below the URL of the archive, decoded; empty for the root itself. */
export function suiteDirectory(settings: Suites, name: string): string {
  const written = writtenSuite(settings, name)
  return isFlat(written) ? segmentsOf(written).join('/') : `dists/${name}`
}

/** A path below the URL of the archive, decoded. */
export function inDirectory(directory: string, path: string): string {
  return directory === '' ? path : `${directory}/${path}`
}

/** The URL of a path below a root. */
export function urlBelow(root: string, path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/').replaceAll('%3A', ':')
  return `${root}/${encoded}`
}

function segmentsOf(written: string): string[] {
  return written.split('/').filter((segment) => segment !== '' && segment !== '.')
}
