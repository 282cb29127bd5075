/**
 * One small file out of a .deb, or where a link in its place leads. Read once, as a stream, no further than need be.
 *
 * What is asked for may be a link to another file, or lie below a directory that is one (`usr/share/doc/libfoo-dev ->
 * libfoo1`, whose files are in another package): then the path where it leads is told, and the caller looks there.
 */
import { posix } from 'node:path'
import type { Abortable } from '../base/abortable.ts'
import { arMembers } from './ar.ts'
import { type ByteSource, type SourceFailure, watched } from './byte-source.ts'
import { decompress } from './compression.ts'
import {
  bounded,
  cleanPath,
  compressionOfMember,
  eachEntry,
  formatError,
  type TarEntry,
  tooLarge,
} from './deb-tar.ts'

/** What stands in the package at, or on the way to, one of the paths. */
export type DebFile =
  | { readonly kind: 'file'; readonly path: string; readonly data: Buffer }
  /** `target` is where `path` leads, below the root of the machine. */
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

export interface DebFileLimits {
  /** Of the file itself; `ERR_TOO_LARGE` beyond. */
  readonly maxFileBytes: number
  /** Of the unpacked data.tar, as far as it is read; `ERR_TOO_LARGE` beyond. */
  readonly maxTarBytes: number
}

/** The first of these paths (best first; no `./` before them) that the package has; undefined if it has none. */
export async function readDebFile(
  source: ByteSource,
  paths: readonly string[],
  limits: DebFileLimits,
  { signal }: Abortable = {},
): Promise<DebFile | undefined> {
  const failure: SourceFailure = {}
  try {
    for await (const { name, body } of arMembers(watched(source, failure))) {
      if (!name.startsWith('data.tar')) continue
      const unpacked = decompress(compressionOfMember(name, 'data.tar'), body, { signal })
      return await findIn(name, bounded(name, unpacked, limits.maxTarBytes), paths, limits)
    }
  } catch (error) {
    throw failure.error ?? error
  }
  throw formatError('no data.tar')
}

/** All of the tar may have to be read: the best of the paths need not be the first that comes. */
async function findIn(
  member: string,
  plain: AsyncIterable<Buffer>,
  paths: readonly string[],
  { maxFileBytes }: DebFileLimits,
): Promise<DebFile | undefined> {
  let best: DebFile | undefined
  let rank = paths.length
  await eachEntry(member, plain, async (entry) => {
    const path = cleanPath(entry.header.name)
    const isWay = entry.header.type === 'symlink' && paths.some((one) => one.startsWith(`${path}/`))
    const place = isWay ? 0 : paths.indexOf(path)
    if (place < 0 || place >= rank) return undefined
    const found = await readEntry(member, entry, path, maxFileBytes)
    if (found === undefined) return undefined
    best = found
    rank = place
    return rank === 0 ? 'stop' : undefined
  })
  return best
}

async function readEntry(
  member: string,
  entry: TarEntry,
  path: string,
  maxBytes: number,
): Promise<DebFile | undefined> {
  const { type, size, linkname } = entry.header
  if (type === 'symlink' || type === 'link') {
    const from = type === 'symlink' ? posix.dirname(path) : ''
    const target = linkTarget(from, linkname ?? '')
    return target === undefined ? undefined : { kind: 'link', path, target }
  }
  if (type !== 'file' && type !== 'contiguous-file') return undefined
  if ((size ?? 0) > maxBytes) throw tooLarge(`${member}: ${path}`, maxBytes)
  const pieces: Uint8Array[] = []
  for await (const piece of entry) if (piece instanceof Uint8Array) pieces.push(piece)
  return { kind: 'file', path, data: Buffer.concat(pieces) }
}

/** Where a link leads; undefined out of the root. */
function linkTarget(dir: string, target: string): string | undefined {
  const path = posix.normalize(target.startsWith('/') ? target.slice(1) : posix.join(dir, target))
  return path === '..' || path.startsWith('../') ? undefined : cleanPath(path)
}
