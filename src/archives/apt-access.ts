/**
 * How the machine's apt reaches a URL: through which proxy (apt-transport-http(1)), and with which login
 * (apt_auth.conf(5): `machine [protocol://]host[:port][/path] login NAME password WORD`, the first match counts).
 */
import type { AptConfig } from './apt-config.ts'

export interface Login {
  readonly login: string
  readonly password: string
}

interface AuthEntry extends Login {
  /** With colon; without one in the file the entry is for https alone. */
  readonly protocol: string
  readonly host: string
  readonly port: string | undefined
  readonly path: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The entries of an auth.conf file in order; tokens that nobody knows are passed over. */
export function parseAuth(text: string): AuthEntry[] {
  const found: AuthEntry[] = []
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'))
  const tokens = lines.flatMap((line) => line.split(/\s+/).filter(Boolean))
  for (let at = 0; at < tokens.length; at += 1) {
    const value = tokens[at + 1]
    if (value === undefined) break
    const last = found.at(-1)
    if (tokens[at] === 'machine') found.push(parseMachine(value))
    else if (tokens[at] === 'login' && last) found[found.length - 1] = { ...last, login: value }
    else if (tokens[at] === 'password' && last)
      found[found.length - 1] = { ...last, password: value }
    else continue
    at += 1
  }
  return found
}

function parseMachine(token: string): AuthEntry {
  const parts = /^(?:([a-z0-9+.-]+):\/\/)?(\[[^\]]*\]|[^/:]*)(?::(\d+))?(\/.*)?$/i.exec(token)
  return {
    protocol: `${parts?.[1] ?? 'https'}:`.toLowerCase(),
    host: (parts?.[2] ?? '').toLowerCase(),
    port: parts?.[3],
    path: parts?.[4] ?? '',
    login: '',
    password: '',
  }
}

/** The login for `url`: its own, or that of the first entry for it. */
export function loginFor(url: URL, entries: readonly AuthEntry[]): Login | undefined {
  if (url.username !== '' || url.password !== '') return ownLogin(url)
  const path = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`
  const entry = entries.find(
    (each) =>
      each.protocol === url.protocol &&
      each.host === url.hostname &&
      (each.port === undefined || each.port === portOf(url)) &&
      path.startsWith(each.path),
  )
  if (entry === undefined || (entry.login === '' && entry.password === '')) return undefined
  return { login: entry.login, password: entry.password }
}

/** The login that stands in `url` itself. */
export function ownLogin(url: URL): Login | undefined {
  if (url.username === '' && url.password === '') return undefined
  return { login: decode(url.username), password: decode(url.password) }
}

/**
 * The proxy for `url`, with its login, as a URL; undefined for the direct way. `no_proxy` comes first, then what apt.conf
 * says about the host, then its general word, then `https_proxy` and `http_proxy`; https takes http's where it has none.
 */
export function proxyFor(
  url: URL,
  config: AptConfig,
  { environment, auth }: { environment: Environment; auth: readonly AuthEntry[] },
): string | undefined {
  const schemes = url.protocol === 'https:' ? ['https', 'http'] : ['http']
  const first = (name: string): string | undefined =>
    schemes.map((scheme) => config.get(`Acquire::${scheme}::${name}`)).find(Boolean)
  if (isExcepted(url.hostname, environment)) return undefined
  const told = first(`Proxy::${url.hostname}`) ?? first('Proxy')
  const proxy = told ?? fromEnvironment(url, environment)
  if (proxy === '' || proxy === 'DIRECT' || proxy === 'false') return undefined
  const parsed = URL.parse(proxy)
  if (parsed === null) return proxy
  const login = loginFor(parsed, auth)
  if (login !== undefined) {
    parsed.username = encodeURIComponent(login.login)
    parsed.password = encodeURIComponent(login.password)
  }
  return parsed.href.replace(/\/$/, '')
}

function fromEnvironment(url: URL, environment: Environment): string {
  const own = url.protocol === 'https:' ? environment.https_proxy : undefined
  return own || environment.http_proxy || ''
}

/** `no_proxy`: hosts and domains, with or without a dot before them, or `*`. */
function isExcepted(host: string, environment: Environment): boolean {
  const names = (environment.no_proxy ?? '').split(',').map((name) => name.trim().toLowerCase())
  return names.some((name) => {
    if (name === '') return false
    const domain = name.replace(/^\./, '')
    return name === '*' || host === domain || host.endsWith(`.${domain}`)
  })
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80')
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
