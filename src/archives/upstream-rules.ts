/**
 * Which answers of an archive are taken, and where a redirect may lead (RFC 9110 §15). Whatever is refused here has
 * not given a byte to anybody.
 */
import type { AppError } from '../base/errors.ts'
import type { Answer } from './upstream-answer.ts'
import { failed } from './upstream-errors.ts'

/** The statuses that carry what was asked for. */
export type GoodStatus = 200 | 206 | 304

/** What the request made possible beside 200. */
export interface Asked {
  readonly isRange: boolean
  readonly isConditional: boolean
}

/** Whether the status is an answer to what was asked: 206 and 304 are not, if nobody asked for them. */
export function isGoodStatus(status: number, asked: Asked): status is GoodStatus {
  return (
    status === 200 || (status === 206 && asked.isRange) || (status === 304 && asked.isConditional)
  )
}

/** Whether the status is a redirect that `nextUrl` follows. */
export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

/** Where a redirect leads, without credentials; `ERR_UPSTREAM_REDIRECT` if it is not to be followed. */
export function nextUrl(
  url: URL,
  answer: Pick<Answer, 'status' | 'headers'>,
  past: { readonly seen: ReadonlySet<string>; readonly maxRedirects: number },
): URL {
  const refuse = (reason: string): AppError =>
    failed(
      'ERR_UPSTREAM_REDIRECT',
      { url: url.href },
      {
        reason,
        hint: 'open the URL by hand to see where it leads: a captive portal, or a moved archive',
        details: { status: answer.status },
      },
    )
  const { location } = answer.headers
  const next = location === undefined ? null : URL.parse(location, url.href)
  if (next === null) throw refuse('redirect to nowhere')
  next.username = ''
  next.password = ''
  next.hash = ''
  if (!/^https?:$/.test(next.protocol)) throw refuse('redirect to something else than http')
  if (url.protocol === 'https:' && next.protocol === 'http:') {
    throw refuse('redirect from https to http')
  }
  if (past.seen.has(next.href)) throw refuse('redirects go round in a loop')
  if (past.seen.size > past.maxRedirects) throw refuse(`more than ${past.maxRedirects} redirects`)
  return next
}

/** A redirect to where the caller does not follow. */
export function foreignUrl(url: URL, next: URL): AppError {
  return failed(
    'ERR_UPSTREAM_REFUSED',
    { url: url.href },
    {
      reason: `redirect to ${next.host}, which is in no archive of this server`,
      hint: `where it may be followed, name that host in the setting pass-hosts: ${next.hostname}`,
    },
  )
}

const hints: Readonly<Record<number, string>> = {
  401: 'the archive wants a login: sluice archive set NAME --auth FILE, where a line of FILE is: machine HOST login NAME password WORD',
  403: 'the archive refuses this machine or login',
  404: 'the archive has no such file: it may have been replaced since the last refresh',
  407: 'the proxy wants a login: put it into the URL of the proxy',
  410: 'the archive has no such file any more',
  429: 'the archive wants fewer requests: try again later',
}

/** An answer with another status than those above. */
export function badStatus(answer: Pick<Answer, 'status' | 'headers'>, url: string): AppError {
  const { status } = answer
  const retryAfterS = readRetryAfter(answer.headers['retry-after'])
  const hint = hints[status] ?? (status >= 500 ? 'the archive is in trouble: try again later' : '')
  return failed(
    'ERR_UPSTREAM_STATUS',
    { url },
    {
      reason: `answered ${status}`,
      hint: hint === '' ? 'look at the URLs of the archive: sluice archive show' : hint,
      details: { status, ...(retryAfterS === undefined ? {} : { retryAfterS }) },
    },
  )
}

/** Seconds, whether they are told as such or as a date (RFC 9110 §10.2.3). */
function readRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000))
}

const encodingOfName: Readonly<Record<string, RegExp>> = {
  gzip: /\.(?:gz|tgz)$/,
  'x-gzip': /\.(?:gz|tgz)$/,
  bzip2: /\.bz2$/,
  'x-bzip2': /\.bz2$/,
  xz: /\.xz$/,
  'x-xz': /\.xz$/,
}

/**
 * Whether the body is the file as published. Apache as many run it calls `Packages.gz` itself an encoding of
 * `Packages`: since nothing here decodes, and digests are compared afterwards, that does no harm.
 */
export function isIdentity(encoding: string | undefined, path: string): boolean {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return true
  return encodingOfName[name]?.test(path) ?? false
}

/** An answer that `isIdentity` says no to. */
export function badEncoding(encoding: string | undefined, url: string): AppError {
  return failed(
    'ERR_UPSTREAM_ENCODING',
    { url },
    {
      reason: `answered in the encoding ${encoding}, which was not asked for`,
      hint: 'the server or a proxy before it compresses files: switch that off, or use another URL',
      details: { encoding },
    },
  )
}
