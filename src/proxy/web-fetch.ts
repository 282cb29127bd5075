/**
 * One request upstream of the cache by HTTP rules, on behalf of all who ask meanwhile: what is here did not change; or it
 * arrives, and is kept when it is whole; or it is nobody's but the first one's.
 */
import type { Upstream, UpstreamResponse } from '../archives/upstream.ts'
import { type AppError, isAppError, toAppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import {
  createGrowing,
  fillFile,
  type GrowingFile,
  makeWebFile,
  removeWebFile,
} from './web-file.ts'
import { refusePage } from './web-page.ts'
import { mayKeep, mustRevalidate } from './web-rules.ts'
import type { WebShelf } from './web-shelf.ts'
import type { WebEntry, WebHead } from './web-table.ts'

const MAX_BYTES = 16 * 1024 ** 3

/** Asks the URLs of a request, one after the other. */
export interface WebUpstream {
  fetch(
    asked: {
      readonly urls: readonly string[]
      readonly login?: string | undefined
      readonly mayFollow: (url: URL) => Promise<boolean>
    },
    known: WebHead | undefined,
    signal: AbortSignal | undefined,
  ): Promise<UpstreamResponse>
}

/** The client for the cache. */
export function webUpstream(upstream: Pick<Upstream, 'get'>): WebUpstream {
  return {
    fetch: async ({ urls, login, mayFollow }, known, signal) => {
      const options = {
        maxBytes: MAX_BYTES,
        mayFollow,
        ...(login === undefined ? {} : { headers: { authorization: `Basic ${login}` } }),
        ifModifiedSince: known?.lastModified,
        etag: known?.etag,
      }
      let problem: AppError | undefined
      for (const url of urls) {
        try {
          return await refusePage(url, await upstream.get(url, options, { signal }))
        } catch (error) {
          problem ??= toAppError(error)
          if (signal?.aborted) break
        }
      }
      throw problem ?? toAppError(new Error('no URL to ask'))
    },
  }
}

/** Whether upstream did not say anything about the file: who has it may go on with it. */
export function isTrouble(error: unknown): boolean {
  if (!isAppError(error)) return false
  if (error.code !== 'ERR_UPSTREAM_STATUS') return /^ERR_(?:UPSTREAM|OFFLINE)/.test(error.code)
  const status = Number(error.details?.status)
  return status >= 500 || status === 429 || status === 408
}

export type WebOutcome =
  | { readonly kind: 'unchanged'; readonly entry: WebEntry }
  | {
      readonly kind: 'arriving'
      readonly file: GrowingFile
      readonly head: WebHead
      readonly size: number | undefined
    }
  /** The first who takes it has it. */
  | { readonly kind: 'unkept'; readonly take: () => UpstreamResponse | undefined }

export interface WebFetch {
  readonly outcome: Promise<WebOutcome>
  /** Settles when all is done, well or not. */
  readonly done: Promise<void>
  /** Nobody gets anything more of it. */
  readonly isBroken: boolean
  readers: number
  /** One who read it is gone: what has no known end goes on for nobody. */
  leave(): void
}

interface Order {
  readonly request: Parameters<WebUpstream['fetch']>[0]
  readonly key: Sha256
  /** What is here already. */
  readonly entry: WebEntry | undefined
  freshness(headers: UpstreamResponse['headers']): Pick<WebEntry, 'bornAt' | 'freshUntil'>
  readonly signal: AbortSignal
}

interface FetchParts {
  readonly upstream: WebUpstream
  readonly freeBytes: () => Promise<number>
}

/** Begins. */
export function startWebFetch(parts: FetchParts, shelf: WebShelf, order: Order): WebFetch {
  const { promise: outcome, resolve, reject } = Promise.withResolvers<WebOutcome>()
  const gone = new AbortController()
  let hasEnd = true
  let arriving: GrowingFile | undefined
  const signal = AbortSignal.any([order.signal, gone.signal])
  const work = async (): Promise<void> => {
    const { entry } = order
    const response = await parts.upstream.fetch(order.request, entry?.head, signal)
    const { headers, contentLength: size } = response
    if (response.status === 304 && entry !== undefined) {
      // RFC 9111 section 3.2: what a 304 does not say stays as it was.
      const renewed = { ...entry, ...order.freshness(headers) }
      await shelf.renew(renewed)
      return resolve({ kind: 'unchanged', entry: renewed })
    }
    const room = Math.min(shelf.limitBytes / 2, await parts.freeBytes())
    if (!mayKeep(headers) || (size ?? 0) > room) return resolve(unkept(response))
    hasEnd = size !== undefined
    const file = createGrowing(size)
    arriving = file
    const head = headOf(response)
    const handle = await makeWebFile(shelf.dir, file)
    resolve({ kind: 'arriving', file, head, size })
    await fillFile(shelf.dir, file, handle, upTo(response.body, room))
    const { name, written } = file
    try {
      const times = order.freshness(headers)
      await shelf.put({ key: order.key, file: name, size: written, head, ...times })
    } catch (error) {
      await removeWebFile(shelf.dir, name)
      throw error
    } finally {
      file.isSettled = true
      file.bell.ring()
    }
  }
  const done = work()
  done.catch(reject)
  outcome.catch(() => undefined)
  const flight: WebFetch = {
    outcome,
    done,
    get isBroken() {
      return arriving?.error !== undefined
    },
    readers: 0,
    leave: () => {
      flight.readers--
      if (flight.readers === 0 && !hasEnd) gone.abort()
    },
  }
  return flight
}

function unkept(response: UpstreamResponse): WebOutcome {
  let left: UpstreamResponse | undefined = response
  return {
    kind: 'unkept',
    take: () => {
      const taken = left
      left = undefined
      return taken
    },
  }
}

function headOf({ headers, lastModified }: UpstreamResponse): WebHead {
  return {
    type: headers['content-type'] ?? 'application/octet-stream',
    lastModified,
    etag: headers.etag,
    mustRevalidate: mustRevalidate(headers),
  }
}

/** An answer of unknown length may turn out to have no end. */
async function* upTo(body: AsyncIterable<Buffer>, most: number): AsyncIterable<Buffer> {
  let got = 0
  for await (const piece of body) {
    got += piece.length
    if (got > most) throw new RangeError('it does not end')
    yield piece
  }
}
