/**
 * The tar members of .deb files: their entries in turn, with bounds, and the words for what is wrong with one.
 */
import { pipeline } from 'node:stream/promises'
import { extract, type Header } from 'tar-stream'
import { AppError, type ErrorCode, isAppError } from '../base/errors.ts'
import { type Compression, compressionOf } from './compression.ts'

/** What the tar reader gives for each entry. */
export interface TarEntry extends AsyncIterable<unknown> {
  readonly header: Header
  /** Skips the content. */
  resume(): unknown
}

const longestPath = 4096

/**
 * Calls `visit` with each entry of the tar in turn, until it says `stop`; what it leaves of the content is skipped. Errors
 * name the member.
 */
export async function eachEntry(
  member: string,
  plain: AsyncIterable<Buffer>,
  visit: (entry: TarEntry) => Promise<'stop' | undefined>,
): Promise<void> {
  const tar = extract()
  const feeding = pipeline(plain, tar)
  feeding.catch(() => undefined)
  try {
    for await (const entry of tar) {
      if ((await visit(entry)) === 'stop') return
      entry.resume()
    }
    await feeding
  } catch (error) {
    throw inMember(member, error)
  } finally {
    tar.destroy()
  }
}

/** The same pieces; `ERR_TOO_LARGE` when they are more than `max` bytes in all. */
export async function* bounded(
  member: string,
  pieces: AsyncIterable<Buffer>,
  max: number,
): AsyncGenerator<Buffer, void> {
  let used = 0
  for await (const piece of pieces) {
    used += piece.length
    if (used > max) throw tooLarge(member, max)
    yield piece
  }
}

/** How a member is compressed, by its name; `ERR_FORMAT` if it is not this member. */
export function compressionOfMember(name: string, base: 'control.tar' | 'data.tar'): Compression {
  const kind = compressionOf(name)
  if (name !== (kind === 'none' ? base : `${base}.${kind}`)) throw outOfOrder(base, name)
  return kind
}

/** The path without what tar writes around it: a leading `./` or `/`, a trailing `/`. */
export function cleanPath(name: string): string {
  if (name.length > longestPath) throw formatError(`a path of ${name.length} characters`)
  return name
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/')
}

/** The error with the member's name before it; an abort stays what it is. */
function inMember(member: string, error: unknown): unknown {
  if (error instanceof Error && error.name === 'AbortError') return error
  const code: ErrorCode = isAppError(error) ? error.code : 'ERR_FORMAT'
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes(member)) return error
  return new AppError(code, { message: `${member}: ${message}`, cause: error })
}

/** Another member than there must be. */
export function outOfOrder(expected: string, found: string): AppError {
  return formatError(`${expected} expected, found member ${JSON.stringify(found)}`)
}

/** A member beyond its bound. */
export function tooLarge(member: string, max: number, unit = 'bytes'): AppError {
  return new AppError('ERR_TOO_LARGE', { message: `${member}: more than ${max} ${unit}` })
}

/** What is wrong with a .deb. */
export function formatError(what: string): AppError {
  return new AppError('ERR_FORMAT', { message: `not a sound .deb: ${what}` })
}
