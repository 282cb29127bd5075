/**
 * Which archives a URL is in. All URLs of an archive are one: whichever of its mirrors a machine has in its sources, it
 * gets the same files. http and https are one, and so are the ways to write a host and a path.
 */
import type { Archive } from '../archives/archive-table.ts'
import { hostKey } from '../base/host-key.ts'
import { decodeUrlPath } from '../debian/archive-path.ts'
import { type BasicLogin, loginInUrl } from './login.ts'
import type { RequestTarget } from './request-target.ts'

/** An archive that a URL is in. */
export interface Match {
  readonly archive: Archive
  /** The path below its root. */
  readonly rest: string
  /** What the URL wants, where it wants one. */
  readonly login: BasicLogin | undefined
}

/** The URLs of archives that this is below; that whose root is longest comes first. */
export function matchArchives(
  archives: readonly Archive[],
  { host, path }: Pick<RequestTarget, 'host' | 'path'>,
): Match[] {
  return archives
    .flatMap((archive) =>
      archive.settings.urls.flatMap((text) => {
        const url = new URL(text)
        const rest = restBelow(url, host, path)
        return rest === undefined ? [] : [{ archive, rest, login: loginInUrl(url) }]
      }),
    )
    .sort((a, b) => a.rest.length - b.rest.length)
}

function restBelow(url: URL, host: string, path: string): string | undefined {
  if (hostKey(url) !== host) return undefined
  const root = decodeUrlPath(url.pathname.replaceAll(/\/{2,}/g, '/'))
  if (root === '') return path
  return root !== undefined && path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined
}
