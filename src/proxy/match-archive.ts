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
  return rootsOf(archives)
    .flatMap(({ archive, login, ...root }) => {
      const rest = root.host === host ? restBelow(root.path, path) : undefined
      return rest === undefined ? [] : [{ archive, rest, login }]
    })
    .sort((a, b) => a.rest.length - b.rest.length)
}

interface Root {
  readonly archive: Archive
  readonly host: string
  readonly path: string | undefined
  readonly login: BasicLogin | undefined
}

/** The URLs of lists of archives, read once for each list. */
const known = new WeakMap<readonly Archive[], readonly Root[]>()

function rootsOf(archives: readonly Archive[]): readonly Root[] {
  const roots = known.get(archives) ?? archives.flatMap(readRoots)
  known.set(archives, roots)
  return roots
}

function readRoots(archive: Archive): Root[] {
  return archive.settings.urls.map((text) => {
    const url = new URL(text)
    const path = decodeUrlPath(url.pathname.replaceAll(/\/{2,}/g, '/'))
    return { archive, host: hostKey(url), path, login: loginInUrl(url) }
  })
}

function restBelow(root: string | undefined, path: string): string | undefined {
  if (root === '') return path
  return root !== undefined && path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined
}
