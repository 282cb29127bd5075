/**
 * Verified downloads: files whose size and SHA-256 a signed index names, fetched once however many ask for them.
 *
 * - One job for each digest at a time (single flight); whoever comes later joins it, wherever it stands.
 * - The transfer never waits for a client, and goes on when all clients left: what is half here is useful soon.
 * - Wrong bytes end the job for its readers, nothing of it is kept, and for a minute the URLs that gave them come
 *   last. With a `modifiedAt` of its own for each job, a client that resumes (If-Range) can only go on with the very
 *   bytes that it has (apt-on-the-wire.md, rule 3).
 */
import type { Abortable } from '../base/abortable.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { AppError, isAppError } from '../base/errors.ts'
import { createLru, type Lru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import { createJob, type DownloadParts, type Job, type Wanted } from './download-job.ts'
import { readJob, waitForBytes, waitForEnd } from './download-reader.ts'
import { runJob } from './download-transfer.ts'
import { redactUrl } from './upstream.ts'

export { HOLD_BACK, type Wanted } from './download-job.ts'

const badMs = 60_000

export interface Source {
  /** Complete URLs, tried in this order. */
  readonly urls: readonly string[]
}

export interface Download {
  /** Epoch seconds, for Last-Modified: unique to one attempt for one digest, and the blob's mtime afterwards. */
  readonly modifiedAt: number
  /**
   * The bytes from `from` on, while they arrive; the last `HOLD_BACK` only after the digest matched. Chunks may be
   * shared with other readers: do not write to them. Throws if the attempt failed: the caller then resets the client's
   * connection, whose bytes are of no use.
   */
  read(from: number, abortable: Abortable): AsyncIterable<Buffer>
  /** Settles when all is in the store, or the attempt failed; need not be awaited. */
  readonly done: Promise<void>
}

export interface Downloads {
  /**
   * Joins the download under way for this digest, or starts one, or opens the blob that is here. Resolves when the
   * first bytes may be had (files of up to `HOLD_BACK`: when verified); throws if it failed before that.
   */
  open(wanted: Wanted, source: Source, abortable: Abortable): Promise<Download>
  /** Resolves when the file is in the store. The signal ends the waiting, not the download. */
  fetch(wanted: Wanted, source: Source, abortable: Abortable): Promise<void>
  /** Downloads under way. */
  readonly active: number
  /** Takes no more, and lets running ones end, until the signal aborts them. */
  close(abortable?: Abortable): Promise<void>
}

interface Flight {
  readonly job: Job
  readonly done: Promise<void>
}

interface State {
  readonly parts: DownloadParts
  readonly clock: Clock
  readonly flights: Map<Sha256, Flight>
  /** `<digest> <url>` to the time until which that URL comes last. */
  readonly bad: Lru<string, number>
  /** The last `modifiedAt` given out for a digest. */
  readonly modified: Lru<Sha256, number>
  readonly stop: AbortController
  isClosed: boolean
}

/** Downloads into `blobs` by `upstream`, both of which the caller closes afterwards. */
export function createDownloads(parts: DownloadParts & { readonly clock?: Clock }): Downloads {
  const state: State = {
    parts,
    clock: parts.clock ?? systemClock,
    flights: new Map(),
    bad: createLru(10_000),
    modified: createLru(10_000),
    stop: new AbortController(),
    isClosed: false,
  }
  return {
    open: async (wanted, source, { signal }) => {
      const flight = await bring(state, wanted, source, (job) => waitForBytes(job, { signal }))
      const blobPath = parts.blobs.filePath(wanted.sha256)
      return {
        modifiedAt: flight.job.modifiedAt,
        read: (from, abortable) => readJob(flight.job, { from, blobPath }, abortable),
        done: flight.done,
      }
    },
    fetch: async (wanted, source, { signal }) => {
      await bring(state, wanted, source, (job) => waitForEnd(job, { signal }))
    },
    get active() {
      return state.flights.size
    },
    close: ({ signal } = {}) => close(state, signal),
  }
}

/** Finds or starts flights until one gets as far as `until` says, or there is no URL left that could do better. */
async function bring(
  state: State,
  wanted: Wanted,
  source: Source,
  until: (job: Job) => Promise<void>,
): Promise<Flight> {
  for (;;) {
    const stored = state.flights.has(wanted.sha256) ? undefined : await openStored(state, wanted)
    if (stored !== undefined) return stored
    const flight = state.flights.get(wanted.sha256) ?? start(state, wanted, source)
    try {
      await until(flight.job)
      return flight
    } catch (error) {
      const { job } = flight
      if (job.error !== error || isAppError(error, 'ERR_INTERRUPTED')) throw error
      const left = source.urls.filter((url) => !job.tried.has(url) && !isBad(state, wanted, url))
      if (left.length === 0) throw error
    }
  }
}

/** A blob that is here already, as a flight that has landed. */
async function openStored(state: State, wanted: Wanted): Promise<Flight | undefined> {
  const { blobs } = state.parts
  if (!(await blobs.has(wanted.sha256))) return undefined
  const file = await blobs.openFile(wanted.sha256)
  await file?.handle.close()
  const job = createJob(wanted, file?.modifiedAt ?? Math.floor(state.clock.now() / 1000))
  if (file === undefined) {
    const data = await readRow(state, wanted)
    if (data === undefined) return undefined
    job.recent.add(0, data)
  } else if (file.size !== wanted.size) {
    await blobs.forget(wanted.sha256)
    return undefined
  }
  job.written = wanted.size
  job.isVerified = true
  return { job, done: Promise.resolve() }
}

async function readRow({ parts }: State, { sha256, size }: Wanted): Promise<Buffer | undefined> {
  try {
    return await parts.blobs.read(sha256, size)
  } catch (error) {
    if (isAppError(error, 'ERR_BLOB_MISSING')) return undefined
    throw error
  }
}

/** Starts a flight; URLs that gave wrong bytes lately come last. */
function start(state: State, wanted: Wanted, source: Source): Flight {
  if (state.isClosed) {
    throw new AppError('ERR_INTERRUPTED', { message: 'the server is stopping', hint: 'try again' })
  }
  const job = createJob(wanted, uniqueTime(state, wanted.sha256))
  const good = source.urls.filter((url) => !isBad(state, wanted, url))
  const urls = [...good, ...source.urls.filter((url) => isBad(state, wanted, url))]
  const done = fly(state, job, urls)
  // Who does not wait for `done` learns of a failure by reading.
  done.catch(() => undefined)
  const flight = { job, done }
  state.flights.set(wanted.sha256, flight)
  return flight
}

async function fly(state: State, job: Job, urls: readonly string[]): Promise<void> {
  const { wanted } = job
  const { error, badUrls } = await runJob(state.parts, job, { urls, signal: state.stop.signal })
  for (const url of badUrls) state.bad.set(badKey(wanted, url), state.clock.now() + badMs)
  state.flights.delete(wanted.sha256)
  job.error = error
  job.isVerified = error === undefined
  job.bell.ring()
  if (error === undefined) return
  const fields = { label: wanted.label, code: error.code, urls: badUrls.map(redactUrl) }
  state.parts.log?.warn(fields, 'download failed')
  throw error
}

/** Epoch seconds, never twice for one digest: a client resumes only the attempt whose bytes it has. */
function uniqueTime({ modified, clock }: State, sha256: Sha256): number {
  const now = Math.floor(clock.now() / 1000)
  const last = modified.get(sha256)
  const time = last === undefined || last < now ? now : last + 1
  modified.set(sha256, time)
  return time
}

function isBad({ bad, clock }: State, wanted: Wanted, url: string): boolean {
  return (bad.get(badKey(wanted, url)) ?? 0) > clock.now()
}

function badKey({ sha256 }: Wanted, url: string): string {
  return `${sha256} ${url}`
}

async function close(state: State, signal: AbortSignal | undefined): Promise<void> {
  state.isClosed = true
  const stop = (): void => state.stop.abort()
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  await Promise.allSettled([...state.flights.values()].map((flight) => flight.done))
  signal?.removeEventListener('abort', stop)
}
