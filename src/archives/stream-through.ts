/**
 * Handing a file on without keeping it, where the disk has no room for it: each reader has a transfer of his own, which
 * goes as fast as he takes it, so that memory stays flat whatever the file's size.
 *
 * The rule of downloads holds: the last 64 KiB are given out only when the digest over all bytes was right, and a smaller
 * file not before that. So a wrong file can be fetched again as long as nothing of it was given out; after that it ends
 * the reader's connection. A transfer that broke goes on at the next URL, with Range.
 */
import type { Abortable } from '../base/abortable.ts'
import { type AppError, toAppError } from '../base/errors.ts'
import { sha256Stream } from '../base/sha256.ts'
import {
  isFinal,
  isTransient,
  isWrongBytes,
  summary,
  withGone,
  wrongBytes,
  wrongSize,
} from './download-errors.ts'
import { HOLD_BACK, type Wanted } from './download-job.ts'
import { redactUrl, type Upstream, type UpstreamResponse } from './upstream.ts'

/** So many at a time: each has a connection, and a file that many want is better waited for. */
const AT_ONCE = 64
const TRIES = 3

export interface Through {
  /** The bytes from `from` on; once. */
  read(from: number, abortable: Abortable): AsyncIterable<Buffer>
  /** Ends the transfer, read or not; again does nothing. */
  end(): void
}

export interface ThroughOffice {
  /** Begins; resolves when the first bytes may be had, throws if there will be none. `undefined` if there are too many. */
  open(wanted: Wanted, urls: readonly string[], abortable: Abortable): Promise<Through | undefined>
  /** Ends all of them. */
  close(): void
}

/** Nobody reads yet. */
export function createThroughOffice(upstream: Upstream): ThroughOffice {
  const running = new Set<AbortController>()
  return {
    open: async (wanted, urls, { signal }) => {
      signal?.throwIfAborted()
      if (running.size >= AT_ONCE) return undefined
      const ended = new AbortController()
      running.add(ended)
      const end = (): void => {
        running.delete(ended)
        ended.abort()
      }
      signal?.addEventListener('abort', end, { once: true })
      const pieces = transfer({ upstream, wanted, urls, signal: ended.signal })
      try {
        const first = await pieces.next()
        return {
          end,
          read: (from, abortable) => readFrom(pieces, first, from, { end, ...abortable }),
        }
      } catch (error) {
        end()
        throw error
      } finally {
        signal?.removeEventListener('abort', end)
      }
    },
    close: () => {
      for (const one of running) one.abort()
      running.clear()
    },
  }
}

async function* readFrom(
  pieces: AsyncGenerator<Buffer>,
  first: IteratorResult<Buffer>,
  from: number,
  { end, signal }: Abortable & { readonly end: () => void },
): AsyncGenerator<Buffer> {
  signal?.addEventListener('abort', end, { once: true })
  try {
    let at = 0
    for (let next = first; next.done !== true; next = await pieces.next()) {
      const skip = Math.min(next.value.length, Math.max(0, from - at))
      at += next.value.length
      if (skip < next.value.length) yield next.value.subarray(skip)
    }
  } finally {
    signal?.removeEventListener('abort', end)
    end()
  }
}

interface Transfer {
  readonly upstream: Upstream
  readonly wanted: Wanted
  readonly urls: readonly string[]
  readonly signal: AbortSignal
}

/** One attempt after the other until one was right, or something was given out that was not. */
async function* transfer(input: Transfer): AsyncGenerator<Buffer> {
  const { wanted, urls } = input
  const failures: AppError[] = []
  let isGiven = false
  for (let round = 0; round < Math.max(1, urls.length); round++) {
    // The next URL comes first then.
    const order = [...urls.slice(round), ...urls.slice(0, round)]
    try {
      for await (const piece of gated({ ...input, urls: order })) {
        isGiven = true
        yield piece
      }
      return
    } catch (error) {
      const failure = toAppError(error)
      if (isGiven || input.signal.aborted || !isWrongBytes(failure)) throw failure
      failures.push(failure)
    }
  }
  const all = summary({ wanted }, failures)
  throw withGone(all, failures.length > 0 && failures.every(isFinal))
}

/** The bytes, the last of them held back until the digest was right. */
async function* gated(input: Transfer): AsyncGenerator<Buffer> {
  const { wanted, urls } = input
  const hash = sha256Stream()
  const held: Buffer[] = []
  let heldBytes = 0
  for await (const piece of bytesOf(input)) {
    hash.update(piece)
    held.push(piece)
    heldBytes += piece.length
    for (let next = held[0]; next !== undefined; next = held[0]) {
      if (heldBytes - next.length < HOLD_BACK) break
      held.shift()
      heldBytes -= next.length
      yield next
    }
  }
  if (hash.digest() !== wanted.sha256) throw wrongBytes({ wanted }, urls)
  yield* held
}

/** All bytes of the file, from one URL or several. */
async function* bytesOf({ upstream, wanted, urls, signal }: Transfer): AsyncGenerator<Buffer> {
  const { size } = wanted
  const failures: AppError[] = []
  const queue = [...urls]
  let at = 0
  let stayed = 0
  for (let url = queue[0]; url !== undefined && at < size; url = queue[0]) {
    const before = at
    try {
      const range = at === 0 ? undefined : { start: at }
      const response = await upstream.get(url, { range, maxBytes: size }, { signal })
      let skip = skipOf(response, wanted, at)
      for await (const piece of response.body) {
        const fresh = piece.subarray(Math.min(skip, piece.length))
        skip -= piece.length - fresh.length
        if (at + fresh.length > size) throw wrongSize({ wanted }, 'more bytes came')
        at += fresh.length
        if (fresh.length > 0) yield fresh
      }
      if (at < size) throw wrongSize({ wanted }, `${redactUrl(url)} ended after ${at} bytes`)
    } catch (error) {
      const failure = toAppError(error)
      if (signal.aborted) throw failure
      failures.push(failure)
      stayed = at > before ? 0 : stayed + 1
      queue.shift()
      if (isTransient(failure) && stayed < TRIES) queue.push(url)
    }
  }
  if (at < size) {
    const all = summary({ wanted }, failures)
    throw withGone(all, failures.length > 0 && failures.every(isFinal))
  }
}

/** How much of this answer is here already; throws if it is not of this file. */
function skipOf(response: UpstreamResponse, wanted: Wanted, at: number): number {
  const { size } = wanted
  const url = redactUrl(response.url)
  const length = response.contentLength
  if (response.status === 200) {
    if (length !== undefined && length !== size) {
      throw wrongSize({ wanted }, `${url} has ${length} bytes`)
    }
    return at
  }
  const found = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers['content-range'] ?? '')
  if (response.status === 206 && Number(found?.[1]) === at && Number(found?.[2]) === size) return 0
  throw wrongSize({ wanted }, `${url} answered another range than was asked for`)
}
