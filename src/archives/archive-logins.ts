/**
 * Logins of archives, told apart from their URLs: as lines of apt's auth.conf (apt_auth.conf(5)), which an administrator has
 * on a machine of the vendor's customers already, and which stand in no list of processes and no history of a shell. A
 * login goes to the URLs that its line is for, and is kept in them; whoever shows a URL leaves it out.
 */
import { AppError } from '../base/errors.ts'
import { loginFor, parseAuth } from './apt-access.ts'
import { normalizeUrl } from './archive-faults.ts'
import type { ArchiveSettings } from './archive-table.ts'

type Urls = Pick<ArchiveSettings, 'urls' | 'fallbacks'>

/** The URLs with the logins of `auth`, in place of those that they have; `ERR_USAGE` where no line is for any of them. */
export function withLogins<S extends Urls>(settings: S, auth: string): S {
  const entries = parseAuth(auth)
  let given = 0
  const give = (text: string): string => {
    const url = URL.parse(text)
    if (url === null) return text
    const plain = new URL(url)
    plain.username = ''
    plain.password = ''
    const login = loginFor(plain, entries)
    if (login === undefined) return text
    given += 1
    plain.username = encodeURIComponent(login.login)
    plain.password = encodeURIComponent(login.password)
    return plain.href
  }
  const urls = settings.urls.map(give)
  const fallbacks = settings.fallbacks?.map(give)
  if (given === 0) throw noLogin(settings)
  return { ...settings, urls, fallbacks }
}

function noLogin({ urls }: Urls): AppError {
  const url = URL.parse(urls[0] ?? '')
  const scheme = url?.protocol === 'http:' ? 'http://' : ''
  return new AppError('ERR_USAGE', {
    message: 'no login there is for a URL of the archive',
    hint: `a line of its own, as apt has it: machine ${scheme}${url?.host ?? 'HOST'} login NAME password WORD`,
  })
}

/** The URLs with the logins that `before` has for the same ones, where they are told without. */
export function keepLogins(
  urls: readonly string[] | undefined,
  before: readonly string[] | undefined,
): readonly string[] | undefined {
  return urls?.map((text) => {
    const asked = normalizeUrl(text)
    return before?.find((known) => known !== asked && bare(known) === asked) ?? text
  })
}

function bare(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null) return undefined
  url.username = ''
  url.password = ''
  return normalizeUrl(url.href)
}
