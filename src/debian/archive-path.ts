/**
 * Paths of archive URLs: decoding them, and telling what they name. What is not a path of an archive is refused here,
 * before anything looks at a disk or an upstream.
 *
 *   dists/<suite>/{InRelease,Release,Release.gpg}     release
 *   dists/<suite>/<dir>/by-hash/<algorithm>/<hex>     by-hash
 *   dists/<suite>/<path>                              index
 *   pool/<path>                                       pool
 *
 * A suite may hold slashes (`stable/updates`), which the path alone does not show: pass the suites that are known.
 */

/** The files of a suite that carry its signature. */
export type ReleaseFileName = 'InRelease' | 'Release' | 'Release.gpg'

export type ByHashAlgorithm = 'SHA256' | 'SHA512' | 'SHA1' | 'MD5Sum'

export type ArchivePath =
  | { readonly kind: 'release'; readonly suite: string; readonly file: ReleaseFileName }
  | {
      readonly kind: 'by-hash'
      readonly suite: string
      /** Directory of the index, relative to the suite (`main/binary-amd64`); empty for the suite's own. */
      readonly dir: string
      readonly algorithm: ByHashAlgorithm
      /** Lower-case hex of the length that the algorithm has. */
      readonly digest: string
    }
  | {
      readonly kind: 'index'
      readonly suite: string
      /** Relative to the suite: `main/binary-amd64/Packages.xz`. */
      readonly path: string
    }
  | { readonly kind: 'pool'; readonly path: string }
  | { readonly kind: 'other'; readonly path: string }

const longestPath = 2048
const hexDigits: Readonly<Record<ByHashAlgorithm, number>> = {
  SHA256: 64,
  SHA512: 128,
  SHA1: 40,
  MD5Sum: 32,
}

/**
 * The path of a request target (from its first `/` to before `?`), percent-decoded once and without the leading slash
 * and one trailing slash; undefined for what no archive serves: NUL and other control characters, a malformed `%`, a
 * backslash, an empty, `.` or `..` segment (also when written with `%2e` or `%2f`), more than 2048 characters.
 */
export function decodeUrlPath(raw: string): string | undefined {
  if (raw.length > longestPath || !raw.startsWith('/') || /[?#]/.test(raw)) return undefined
  const decoded = raw.includes('%') ? decodePercents(raw) : raw
  if (decoded === undefined) return undefined
  if (decoded === '/') return ''
  const path = decoded.slice(1, decoded.endsWith('/') ? -1 : undefined)
  return isCleanPath(path) ? path : undefined
}

/**
 * What a path names, relative to the archive's root; undefined if it is none. With `suites` the longest that matches is
 * taken; else the first segment after `dists/` is the suite, but for release files all that stands between.
 */
export function parseArchivePath(
  path: string,
  suites?: readonly string[],
): ArchivePath | undefined {
  if (path.length > longestPath || !isCleanPath(path)) return undefined
  if (path.startsWith('pool/')) return { kind: 'pool', path }
  if (!path.startsWith('dists/')) return { kind: 'other', path }
  const inDists = path.slice('dists/'.length)
  const known = longestPrefix(inDists, suites ?? [])
  if (known !== undefined) return parseInSuite(known, inDists.slice(known.length + 1), true)
  const slash = inDists.indexOf('/')
  if (slash < 0) return { kind: 'other', path }
  return parseInSuite(inDists.slice(0, slash), inDists.slice(slash + 1), false)
}

function parseInSuite(suite: string, rest: string, isKnown: boolean): ArchivePath | undefined {
  const segments = rest.split('/')
  const file = segments.at(-1) ?? ''
  if (isReleaseFileName(file) && !isReleaseOfIndex(segments)) {
    const between = segments.slice(0, -1)
    if (between.length === 0) return { kind: 'release', suite, file }
    if (!isKnown) return { kind: 'release', suite: [suite, ...between].join('/'), file }
  }
  const [byHash, algorithm = '', digest = ''] = segments.slice(-3)
  if (byHash === 'by-hash' && segments.length >= 3) {
    if (!isAlgorithm(algorithm) || digest.length !== hexDigits[algorithm]) return undefined
    if (!/^[0-9a-f]+$/.test(digest)) return undefined
    return { kind: 'by-hash', suite, dir: segments.slice(0, -3).join('/'), algorithm, digest }
  }
  return { kind: 'index', suite, path: rest }
}

/** Whether it is the small Release beside an index (`main/binary-amd64/Release`), which is listed as indexes are. */
function isReleaseOfIndex(segments: readonly string[]): boolean {
  const dir = segments.at(-2) ?? ''
  return segments.at(-1) === 'Release' && (dir.startsWith('binary-') || dir === 'source')
}

function longestPrefix(path: string, suites: readonly string[]): string | undefined {
  let longest: string | undefined
  for (const suite of suites) {
    if (path.startsWith(`${suite}/`) && suite.length > (longest?.length ?? 0)) longest = suite
  }
  return longest
}

function decodePercents(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

function isCleanPath(path: string): boolean {
  for (let at = 0; at < path.length; at += 1) {
    const code = path.charCodeAt(at)
    if (code < 0x20 || code === 0x7f || code === 0x5c) return false
  }
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') return false
  }
  return true
}

function isReleaseFileName(text: string): text is ReleaseFileName {
  return text === 'InRelease' || text === 'Release' || text === 'Release.gpg'
}

function isAlgorithm(text: string): text is ByHashAlgorithm {
  return Object.hasOwn(hexDigits, text)
}
