/**
 * The cache by HTTP rules (RFC 9111): files of archives that nothing signed names (changelogs, installers, keys, odd
 * repositories), kept apart from the verified store, in `web/` of the data directory. Nothing of it ever enters a channel.
 *
 * - An answer belongs to its URL and to the login that it was given for; with a login it is never used without asking.
 * - One request upstream at a time for one of them: everybody reads what arrives of it. What is cut off is not kept.
 * - Upstream in trouble means nothing to who asks for what is here, unless the answer said otherwise; for a minute it is
 *   not even asked again.
 * - Those that were not used for longest go when the sizes of all are over the limit.
 */
import type { UpstreamResponse } from '../archives/upstream.ts'
import { type Abortable, waitFor, withTimeout } from '../base/abortable.ts'
import type { Clock } from '../base/clock.ts'
import { type AppError, isAppError } from '../base/errors.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import { decodeUrlPath } from '../debian/archive-path.ts'
import type { Db } from '../store/database.ts'
import { isTrouble, startWebFetch, type WebFetch, type WebUpstream } from './web-fetch.ts'
import { openWebFile, readWebFile } from './web-file.ts'
import { freshness, type WebClass, webClassOf } from './web-rules.ts'
import { openWebShelf, type WebShelf } from './web-shelf.ts'
import type { WebEntry, WebHead } from './web-table.ts'

/** How long a client waits for news of what is here. */
const NEWS_MS = 5_000
const TROUBLED_MS = 60_000
const ABSENT_MS = 30_000
const REMEMBERED = 10_000

export interface WebRequest {
  /** The same file at each: tried in this order. */
  readonly urls: readonly string[]
  /** Basic credentials of the client, in base64. */
  readonly login?: string | undefined
  /** The client wants nothing that upstream was not just asked for. */
  readonly isNews: boolean
  /** The client wants nothing kept. */
  readonly isSecret: boolean
  /** Only the head is wanted. */
  readonly isHead: boolean
  /** Whether a redirect may be followed. */
  readonly mayFollow: (url: URL) => Promise<boolean>
}

export interface WebAnswer {
  readonly cache: 'HIT' | 'MISS' | 'PASS'
  readonly kind: WebClass
  readonly head: Omit<WebHead, 'mustRevalidate'>
  /** Absent where upstream does not tell. */
  readonly size: number | undefined
  /** Of what was here. */
  readonly ageS: number | undefined
  /** Once. */
  read(
    range: { readonly start: number; readonly end?: number | undefined },
    abortable: Abortable,
  ): AsyncIterable<Buffer>
  close(): Promise<void>
}

export interface WebCache {
  /** The caller closes the answer. Throws upstream's errors. */
  open(request: WebRequest, abortable: Abortable): Promise<WebAnswer>
  /** Bytes that are kept. */
  readonly bytes: number
  close(): Promise<void>
}

export interface WebParts {
  readonly db: Db
  readonly upstream: WebUpstream
  readonly clock: Clock
  /** Room on the disk, besides what is to stay free. */
  readonly freeBytes: () => Promise<number>
}

interface State {
  readonly parts: WebParts
  readonly shelf: WebShelf
  readonly flights: Map<Sha256, WebFetch>
  /** Until when upstream is not asked for what is here. */
  readonly troubled: Lru<Sha256, number>
  readonly absent: Lru<Sha256, { readonly until: number; readonly error: AppError }>
  /** Until when it is not tried to keep it. */
  readonly unkept: Lru<Sha256, number>
  readonly stop: AbortController
}

/** The cache in `dir`, after sweeping what a crash left; it keeps up to `limitBytes`. */
export async function openWebCache(
  parts: WebParts,
  { dir, limitBytes }: { readonly dir: string; readonly limitBytes: number },
): Promise<WebCache> {
  const state: State = {
    parts,
    shelf: await openWebShelf(parts, { dir, limitBytes }),
    flights: new Map(),
    troubled: createLru(REMEMBERED),
    absent: createLru(REMEMBERED),
    unkept: createLru(REMEMBERED),
    stop: new AbortController(),
  }
  return {
    open: (request, { signal }) => openAnswer(state, request, signal),
    get bytes() {
      return state.shelf.bytes
    },
    close: async () => {
      state.stop.abort()
      await Promise.allSettled([...state.flights.values()].map((flight) => flight.done))
      await state.shelf.close()
    },
  }
}

async function openAnswer(
  state: State,
  request: WebRequest,
  signal: AbortSignal | undefined,
): Promise<WebAnswer> {
  const { shelf, parts } = state
  const key = keyOf(request)
  const kind = kindOf(request)
  const now = parts.clock.now()
  const entry = await shelf.find(key)
  const mayUse = entry !== undefined && isUsable(state, request, entry, now)
  if (mayUse) {
    const hit = await fromShelf(state, entry, kind)
    if (hit !== undefined) return hit
  }
  const absent = state.absent.get(key)
  if (absent !== undefined && isAhead(absent.until, now)) throw absent.error
  const isDirect =
    request.isSecret ||
    shelf.limitBytes === 0 ||
    isAhead(state.unkept.get(key), now) ||
    (request.isHead && entry === undefined && !state.flights.has(key))
  if (isDirect) return handThrough(state, request, kind, signal)
  try {
    return await fromFlight(state, { request, key, kind, entry }, signal)
  } catch (error) {
    const stale = await instead(state, { key, kind, entry, error }, signal)
    if (stale === undefined) throw error
    return stale
  }
}

/** Whether a time that was noted is still to come; a clock that was set back since keeps nothing for longer. */
function isAhead(until: number | undefined, now: number): boolean {
  return until !== undefined && until > now && until <= now + TROUBLED_MS
}

/** The same URLs asked by the same login; what a URL holds of it is in no file. */
function keyOf({ urls, login }: WebRequest): Sha256 {
  return sha256Of(JSON.stringify([login ?? '', ...urls]))
}

function kindOf({ urls: [url = ''] }: WebRequest): WebClass {
  return webClassOf(decodeUrlPath(URL.parse(url)?.pathname ?? '/') ?? '')
}

function isUsable(state: State, request: WebRequest, entry: WebEntry, now: number): boolean {
  if (isAhead(state.troubled.get(entry.key), now) && !entry.head.mustRevalidate) return true
  if (request.login !== undefined || request.isNews) return false
  // A clock that was set back makes nothing fresh for ever.
  return entry.bornAt <= now && now < entry.freshUntil
}

interface Asked {
  readonly request: WebRequest
  readonly key: Sha256
  readonly kind: WebClass
  readonly entry: WebEntry | undefined
}

async function fromFlight(
  state: State,
  asked: Asked,
  signal: AbortSignal | undefined,
): Promise<WebAnswer> {
  const { key, kind, entry } = asked
  const known = state.flights.get(key)
  const flight = known === undefined || known.isBroken ? start(state, asked) : known
  const isPatient = entry === undefined || entry.head.mustRevalidate
  const patience = isPatient ? signal : withTimeout(signal, NEWS_MS)
  const outcome = await waitFor(flight.outcome, patience)
  if (outcome.kind === 'unchanged') {
    const hit = await fromShelf(state, outcome.entry, kind)
    return hit ?? handThrough(state, asked.request, kind, signal)
  }
  if (outcome.kind === 'unkept') {
    state.unkept.set(key, state.parts.clock.now() + TROUBLED_MS)
    const response = outcome.take()
    if (response === undefined) return handThrough(state, asked.request, kind, signal)
    return passing(response, kind)
  }
  const handle = await openWebFile(state.shelf.dir, outcome.file.name)
  if (handle === undefined || outcome.file.error !== undefined) {
    await handle?.close()
    // Broken before this client had a byte of it.
    return handThrough(state, asked.request, kind, signal)
  }
  flight.readers++
  return {
    cache: 'MISS',
    kind,
    head: outcome.head,
    size: outcome.size,
    ageS: undefined,
    read: (range, abortable) => readWebFile(handle, outcome.file, range, abortable),
    close: async () => {
      await handle.close()
      flight.leave()
    },
  }
}

function start(state: State, { request, key, kind, entry }: Asked): WebFetch {
  const { parts, shelf } = state
  const flight = startWebFetch(parts, shelf, {
    request,
    key,
    entry,
    freshness: (headers) => freshness(headers, kind, parts.clock.now()),
    signal: state.stop.signal,
  })
  state.flights.set(key, flight)
  const end = (): void => {
    if (state.flights.get(key) === flight) state.flights.delete(key)
  }
  flight.done.then(end, end)
  return flight
}

/** What is here, where upstream is in trouble or slow; an answer that there is no such file is remembered. */
async function instead(
  state: State,
  { key, kind, entry, error }: Omit<Asked, 'request'> & { readonly error: unknown },
  signal: AbortSignal | undefined,
): Promise<WebAnswer | undefined> {
  const now = state.parts.clock.now()
  const status = isAppError(error, 'ERR_UPSTREAM_STATUS') ? error.details?.status : undefined
  if (isAppError(error) && (status === 404 || status === 410)) {
    state.absent.set(key, { until: now + ABSENT_MS, error })
    if (entry !== undefined) await state.shelf.drop(entry)
    return undefined
  }
  const isLate = !isAppError(error) && signal?.aborted !== true
  if (entry === undefined || entry.head.mustRevalidate || !(isLate || isTrouble(error)))
    return undefined
  state.troubled.set(key, now + TROUBLED_MS)
  return fromShelf(state, entry, kind)
}

async function fromShelf(
  { shelf, parts }: State,
  entry: WebEntry,
  kind: WebClass,
): Promise<WebAnswer | undefined> {
  const handle = await openWebFile(shelf.dir, entry.file)
  if (handle === undefined) {
    await shelf.drop(entry)
    return undefined
  }
  shelf.touch(entry.key)
  return {
    cache: 'HIT',
    kind,
    head: entry.head,
    size: entry.size,
    ageS: Math.max(0, Math.floor((parts.clock.now() - entry.bornAt) / 1000)),
    read: ({ start, end }, abortable) =>
      readWebFile(handle, undefined, { start, end: end ?? entry.size }, abortable),
    close: () => handle.close(),
  }
}

async function handThrough(
  { parts }: State,
  request: WebRequest,
  kind: WebClass,
  signal: AbortSignal | undefined,
): Promise<WebAnswer> {
  return passing(await parts.upstream.fetch(request, undefined, signal), kind)
}

function passing(response: UpstreamResponse, kind: WebClass): WebAnswer {
  const { headers, lastModified, contentLength } = response
  const type = headers['content-type'] ?? 'application/octet-stream'
  const body = response.body[Symbol.asyncIterator]()
  return {
    cache: 'PASS',
    kind,
    head: { type, lastModified, etag: headers.etag },
    size: contentLength,
    ageS: undefined,
    read: () => ({ [Symbol.asyncIterator]: () => body }),
    close: async () => {
      await body.return?.()
    },
  }
}
