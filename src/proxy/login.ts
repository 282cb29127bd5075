/**
 * Logins of archives that want one. Sluice has it in the archive's URL, and fetches with it; a machine that asks for the
 * archive's files by the proxy is given them only if it presents the same, as it would have to at the archive itself.
 * Channels are another matter: what they hold was published by this server, for all its clients.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

/** User and password, as `Authorization: Basic` has them: `joe:secret` in base64. */
export type BasicLogin = string

/** The login in a URL's user and password. */
export function loginInUrl(url: Pick<URL, 'username' | 'password'>): BasicLogin | undefined {
  if (url.username === '' && url.password === '') return undefined
  return Buffer.from(`${decode(url.username)}:${decode(url.password)}`).toString('base64')
}

/** The login in an Authorization header; undefined for none, and for other kinds. */
export function loginInHeader(header: string | undefined): BasicLogin | undefined {
  const text = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(header ?? '')?.[1]
  return text === undefined ? undefined : Buffer.from(text, 'base64').toString('base64')
}

/** Whether they are the same; takes as long whether they are or not. */
export function isSameLogin(wanted: BasicLogin, given: BasicLogin | undefined): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return given !== undefined && timingSafeEqual(digest(wanted), digest(given))
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
