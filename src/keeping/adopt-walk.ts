/**
 * The package files below a directory: a machine's /var/cache/apt/archives, the tree of another cache, a mounted image.
 *
 * Told by their names, whose epoch may stand as `%3a`: the bytes decide what they are. Symbolic links are not followed, so
 * that nothing is read outside and no circle is walked; what they lead to inside is found there. Devices, sockets and pipes
 * are passed over. Memory goes with the depth and width of folders, not with the files.
 */
import type { Dir } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, systemCode } from '../base/errors.ts'

const packageFile = /\.(?:[du]?deb|dsc|diff\.gz|tar(?:\.(?:gz|bz2|xz|lzma|zst))?(?:\.asc)?)$/i

export type Found =
  | { readonly kind: 'file'; readonly path: string; readonly size: number }
  /** Some other file. */
  | { readonly kind: 'other' }
  /** It is there and cannot be looked at: why, in the system's word. */
  | { readonly kind: 'unreadable'; readonly path: string; readonly reason: string }

/** All that is below `dir`; `ERR_NOT_FOUND` or `ERR_REFUSED` if that cannot be read itself. */
export async function* walkPackages(
  dir: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Found> {
  const waiting = [dir]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    signal?.throwIfAborted()
    let opened: Dir
    try {
      opened = await opendir(at)
    } catch (error) {
      if (at === dir) throw noDirectory(dir, error)
      yield { kind: 'unreadable', path: at, reason: reasonOf(error) }
      continue
    }
    for await (const entry of opened) {
      const path = join(at, entry.name)
      if (entry.isDirectory()) waiting.push(path)
      if (!entry.isFile()) continue
      yield packageFile.test(entry.name) ? await look(path) : { kind: 'other' }
    }
  }
}

async function look(path: string): Promise<Found> {
  try {
    const { size } = await lstat(path)
    return { kind: 'file', path, size }
  } catch (error) {
    return { kind: 'unreadable', path, reason: reasonOf(error) }
  }
}

/** `EACCES`. */
export function reasonOf(error: unknown): string {
  return systemCode(error) ?? String(error)
}

function noDirectory(dir: string, error: unknown): AppError {
  const code = systemCode(error)
  if (code === 'EACCES' || code === 'EPERM') {
    return new AppError('ERR_REFUSED', {
      message: `the server may not read ${dir}`,
      hint: 'give its user the right to, or copy what is in there',
      cause: error,
    })
  }
  return new AppError('ERR_NOT_FOUND', {
    message: `${dir} is no directory of the server's machine`,
    cause: error,
  })
}
