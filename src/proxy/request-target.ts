/**
 * What of another server a request asks for, whichever of apt-cacher-ng's styles its client has:
 *
 *   GET http://HOST/PATH             proxy mode
 *   GET http://HTTPS///HOST/PATH     the same for an archive that has https alone
 *   GET /HOST/PATH                   path mode
 *   GET /HTTPS///HOST/PATH
 *
 * The path is taken from the text as it was sent: URL would quietly take `..` out of it. Slashes that `deb
 * http://HOST//debian// SUITE` puts too many, and `./` (apt writes it for archives without dists/), mean nothing.
 */
import { hostKey } from '../base/host-key.ts'
import { decodeUrlPath } from '../debian/archive-path.ts'
import { type BasicLogin, loginInUrl } from './login.ts'

/** A file of another server. */
export interface RequestTarget {
  /** As `hostKey` writes it. */
  readonly host: string
  /** Decoded, without its first slash. */
  readonly path: string
  /** The whole of it, with its query, without credentials. */
  readonly url: string
  /** The credentials that stood in it. */
  readonly login: BasicLogin | undefined
}

/** The target of an absolute URI; undefined for what is none of an archive. */
export function parseAbsoluteUri(text: string): RequestTarget | undefined {
  const [, scheme = '', authority = '', rest = ''] =
    /^(https?):\/\/([^/?#]+)([^#]*)/i.exec(text) ?? []
  if (/^https$/i.test(authority)) return parseBelow('https', rest.replace(/^\/+/, ''))
  return targetOf(scheme, authority, rest)
}

/** The target of a path of ours that begins with a host; undefined for what is none of an archive. */
export function parseHostPath(text: string): RequestTarget | undefined {
  const secure = /^\/https\/+/i.exec(text)
  return secure === null
    ? parseBelow('http', text.slice(1))
    : parseBelow('https', text.slice(secure[0].length))
}

/**
 * The first segment of a path of ours, if it may be a host and something follows it. With a dot or a colon, or as
 * `HTTPS`, it `isPlain` that it is one.
 */
export function hostInPath(text: string): { host: string; isPlain: boolean } | undefined {
  const [, segment = ''] = /^\/([^/?#]+)\//.exec(text) ?? []
  const host = decodeHost(segment).toLowerCase()
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?$/.test(host)) return undefined
  return { host, isPlain: /[.:]/.test(host) || host === 'https' }
}

function parseBelow(scheme: string, text: string): RequestTarget | undefined {
  const [, host = '', rest = ''] = /^([^/?#]+)([^#]*)/.exec(text) ?? []
  return targetOf(scheme, decodeHost(host), rest)
}

function targetOf(scheme: string, authority: string, rest: string): RequestTarget | undefined {
  const url = URL.parse(`${scheme}://${authority}`)
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== '/') return undefined
  const [raw = '', ...query] = rest.split('?')
  const tidy = tidied(raw)
  const path = decodeUrlPath(tidy)
  if (path === undefined) return undefined
  const encoded = path.split('/').map(encodeURIComponent).join('/')
  const end = encoded !== '' && tidy.endsWith('/') ? '/' : ''
  const asked = query.length === 0 ? '' : `?${query.join('?')}`
  return {
    host: hostKey(url),
    path,
    url: `${url.protocol}//${url.host}/${encoded}${end}${asked}`,
    login: loginInUrl(url),
  }
}

function tidied(raw: string): string {
  return `/${raw}`
    .replace(/^\/+/, '/')
    .replaceAll(/(?:\/\.)+(?=\/)/g, '')
    .replace(/\/{2,}(?=(?:dists|pool)\/)/, '/')
}

/** A colon may have been sent as `%3a`. */
function decodeHost(text: string): string {
  return text.replaceAll(/%3a/gi, ':')
}
