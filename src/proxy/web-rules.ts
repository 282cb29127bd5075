/**
 * Whether, and for how long, a file that nothing verifies may be kept: RFC 9111 for a shared cache, and what apt needs
 * beyond it (apt-on-the-wire.md 3.6).
 *
 * - What belongs to a suite (`index`: Release files, indexes called by name) is asked for anew each time, whatever upstream
 *   says: files of two days side by side are what machines call a hash sum mismatch.
 * - What says how long it is good is taken at its word; else what has a version in its name (`fixed`) is good for an hour,
 *   and everything else (`volatile`) for a minute.
 * - Upstream is always asked with the same headers, so that an answer which varies by them is the same for all; one that
 *   varies by `*` is not kept. Answers to a login are kept apart, and never used without asking (web-cache.ts).
 */

export type WebClass = 'index' | 'fixed' | 'volatile'

type Headers = Readonly<Record<string, string | undefined>>

const MINUTE_S = 60
const FIXED_S = 3600
const MAX_S = 365 * 24 * 3600

const packageFile = /\.(?:deb|udeb|ddeb|dsc|tar\.(?:gz|xz|bz2|zst|lzma)(?:\.asc)?|diff\.gz)$/
const indexName = /^(?:InRelease|Release(?:\.gpg)?|(?:Packages|Sources)(?:\.\w+)?)$/
const patchFile = /\.diff\/[^/]+\.gz$/

/** What kind of file the path of a URL names. */
export function webClassOf(path: string): WebClass {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (/\/by-hash\/\w+\/[0-9a-f]+$/.test(path) || patchFile.test(path)) return 'fixed'
  if (indexName.test(name)) return 'index'
  if (/(?:^|\/)dists\//.test(path) && !/\/installer-\w+\//.test(path)) return 'index'
  return packageFile.test(name) ? 'fixed' : 'volatile'
}

/** The directives of a Cache-Control header, names in lower case. */
export function cacheControl(header: string | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [, name = '', quoted, plain = ''] of (header ?? '').matchAll(
    /([a-zA-Z-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,;]*)))?/g,
  )) {
    found.set(name.toLowerCase(), quoted ?? plain)
  }
  return found
}

/** Whether a 200 with these headers may be kept for others than who asked. */
export function mayKeep(headers: Headers): boolean {
  const control = cacheControl(headers['cache-control'])
  if (control.has('no-store') || control.has('private')) return false
  if (headers['set-cookie'] !== undefined || headers.vary?.includes('*')) return false
  // Without a length or chunks, a body that was cut off looks whole.
  return headers['content-length'] !== undefined || headers['transfer-encoding'] === 'chunked'
}

/** Whether it must not be used when it is old, though upstream is in trouble. */
export function mustRevalidate(headers: Headers): boolean {
  const control = cacheControl(headers['cache-control'])
  return ['must-revalidate', 'proxy-revalidate', 's-maxage'].some((name) => control.has(name))
}

/**
 * When an answer that came at `now` was made, and until when it is fresh; epoch milliseconds. Clocks that differ count for
 * nothing: the way from upstream takes seconds, and caches on it tell an Age.
 */
export function freshness(
  headers: Headers,
  kind: WebClass,
  now: number,
): { readonly bornAt: number; readonly freshUntil: number } {
  const told = Number(headers.age ?? 0)
  const bornAt = now - (told >= 0 ? told * 1000 : 0)
  return { bornAt, freshUntil: bornAt + lifetimeS(headers, kind, now) * 1000 }
}

function lifetimeS(headers: Headers, kind: WebClass, now: number): number {
  const control = cacheControl(headers['cache-control'])
  if (kind === 'index' || control.has('no-cache')) return 0
  const age = control.get('s-maxage') ?? control.get('max-age')
  if (age !== undefined) return /^\d+$/.test(age) ? Math.min(Number(age), MAX_S) : 0
  if (headers.expires !== undefined) {
    const date = Date.parse(headers.date ?? '')
    const seconds = (Date.parse(headers.expires) - (Number.isNaN(date) ? now : date)) / 1000
    return Number.isNaN(seconds) ? 0 : Math.min(Math.max(0, seconds), MAX_S)
  }
  return kind === 'fixed' ? FIXED_S : MINUTE_S
}
