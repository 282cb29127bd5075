/**
 * Verified downloads: files whose size and SHA-256 a signed index names, fetched once however many ask for them.
 *
 * - One job for each digest at a time (single flight); whoever comes later joins it, wherever it stands.
 * - The transfer never waits for a client, and goes on when all clients left: what is half here is useful soon. What is
 *   asked for ahead leaves connections to those who wait (download-lanes.ts).
 * - Fallback URLs are asked only when all others said for good that they have no such file, or gave wrong bytes.
 * - Wrong bytes end the job for its readers, nothing of it is kept, and for a minute the URLs that gave them come
 *   last. With a `modifiedAt` of its own for each job, a client that resumes (If-Range) can only go on with the very
 *   bytes that it has (apt-on-the-wire.md, rule 3). The file is fetched again at once, and where that is quick it is
 *   given out only when verified, so that the client's next try is the last.
 */
import type { Abortable } from '../base/abortable.ts'
import { type Clock, nowSeconds, systemClock } from '../base/clock.ts'
import { AppError, isAppError } from '../base/errors.ts'
import { createLru, type Lru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Taker } from '../store/disk-reserve.ts'
import { isGone, isOurFault, isWrongBytes, withGone } from './download-errors.ts'
import { createJob, type DownloadParts, type Job, type Wanted } from './download-job.ts'
import { createLanes, hurry, type Lanes } from './download-lanes.ts'
import { createLiars, type Liars } from './download-liars.ts'
import { createPartials, type Partial, type Partials } from './download-partials.ts'
import { readJob, type Watching, waitForBytes, waitForEnd } from './download-reader.ts'
import { storedJob } from './download-stored.ts'
import { runJob } from './download-transfer.ts'
import { createThroughOffice, type ThroughOffice } from './stream-through.ts'

export { isGone } from './download-errors.ts'
export { type DownloadLog, type DownloadParts, HOLD_BACK, type Wanted } from './download-job.ts'

/** A client can be kept waiting for so long: what took longer is given out while it arrives, whatever it was before. */
const quickMs = 10_000

export interface Source {
  /** Complete URLs, tried in this order. */
  readonly urls: readonly string[]
  /** Asked, in this order, when none of the others has the file. */
  readonly fallbacks?: readonly string[] | undefined
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
  /** The reader has finished, or does not read at all; needed where the file is not kept (stream-through.ts). */
  end?(): void
}

/** Who opens a download. */
export interface Opening extends Abortable {
  /** Asked for ahead: settles when it is wanted right now. Until then it may wait for others. */
  readonly turn?: Promise<void> | undefined
}

export interface Downloads {
  /**
   * Joins the download under way for this digest, or starts one, or opens the blob that is here. Resolves when the
   * first bytes may be had (files of up to `HOLD_BACK`: when verified); throws if it failed before that.
   */
  open(wanted: Wanted, source: Source, opening: Opening): Promise<Download>
  /** Resolves when the file is in the store. The signal ends the waiting, not the download. */
  fetch(wanted: Wanted, source: Source, watching: Watching): Promise<void>
  /** Downloads under way. */
  readonly active: number
  /** Takes no more, and lets running ones end, until the signal aborts them. */
  close(abortable?: Abortable): Promise<void>
}

interface Flight {
  readonly job: Job
  readonly done: Promise<void>
  /** What began when this one proved wrong, while others read it. */
  healing?: Flight | undefined
}

interface State {
  readonly parts: DownloadParts
  readonly clock: Clock
  readonly flights: Map<Sha256, Flight>
  readonly liars: Liars
  readonly partials: Partials
  /** The last `modifiedAt` given out for a digest. */
  readonly modified: Lru<Sha256, number>
  readonly stop: AbortController
  readonly through: ThroughOffice
  readonly lanes: Lanes
  isClosed: boolean
}

/** Downloads into `blobs` by `upstream`, both of which the caller closes afterwards. */
export function createDownloads(parts: DownloadParts & { readonly clock?: Clock }): Downloads {
  const clock = parts.clock ?? systemClock
  const state: State = {
    parts,
    clock,
    flights: new Map(),
    liars: createLiars(clock),
    partials: createPartials(),
    modified: createLru(10_000),
    stop: new AbortController(),
    through: createThroughOffice(parts.upstream),
    lanes: createLanes(),
    isClosed: false,
  }
  return {
    open: async (wanted, source, { signal, turn }) => {
      const flight = await bring(state, { wanted, source, taker: 'files' }, (job) => {
        if (turn === undefined) hurry(job)
        else turn.then(() => hurry(job)).catch(() => undefined)
        return waitForBytes(job, { signal })
      }).catch((error: unknown) => throughOrThrow(state, error, { wanted, source, signal }))
      if (!('job' in flight)) return flight
      const blobPath = parts.blobs.filePath(wanted.sha256)
      return {
        modifiedAt: flight.job.modifiedAt,
        read: (from, abortable) => readJob(flight.job, { from, blobPath }, abortable),
        done: flight.done,
      }
    },
    fetch: async (wanted, source, watching) => {
      await bring(state, { wanted, source, taker: watching.taker ?? 'states' }, (job) => {
        hurry(job)
        return waitForEnd(job, watching)
      })
    },
    get active() {
      return state.flights.size
    },
    close: ({ signal } = {}) => close(state, signal),
  }
}

/** Where there is no room to keep it, the file goes through. */
async function throughOrThrow(
  state: State,
  error: unknown,
  { wanted, source, signal }: Abortable & { readonly wanted: Wanted; readonly source: Source },
): Promise<Download> {
  if (!isAppError(error, 'ERR_DISK_FULL') || state.isClosed) throw error
  const urls = state.liars.inOrder(wanted, [...source.urls, ...(source.fallbacks ?? [])])
  const modifiedAt = nextModified(state, wanted)
  const through = await state.through.open(wanted, urls, { signal })
  if (through === undefined) throw error
  return { modifiedAt, ...through, done: Promise.resolve() }
}

/** Another time for each attempt. */
function nextModified(state: State, { sha256 }: Wanted): number {
  const last = state.modified.get(sha256) ?? 0
  const modifiedAt = Math.max(nowSeconds(state.clock), last + 1)
  state.modified.set(sha256, modifiedAt)
  return modifiedAt
}

/**
 * Finds or starts flights until one gets as far as `until` says, or no URL of the source is left that could do better:
 * each flight that fails takes those away that it tried.
 */
async function bring(
  state: State,
  { wanted, source, taker }: Pick<Plan, 'source' | 'taker'> & { readonly wanted: Wanted },
  until: (job: Job) => Promise<void>,
): Promise<Flight> {
  state.parts.blobs.withdrawn.refuse(wanted.sha256)
  let [urls = [], ...later] = stagesOf(state, wanted, source)
  let isGoneSoFar = true
  for (;;) {
    const stored = state.flights.has(wanted.sha256) ? undefined : await landed(state, wanted)
    if (stored !== undefined) return stored
    const flight =
      state.flights.get(wanted.sha256) ??
      start(state, wanted, { urls, source, taker, hasMore: later.flat().length > 0 })
    try {
      await until(flight.job)
      return flight
    } catch (error) {
      const { tried, error: failure } = flight.job
      if (failure === undefined || failure !== error || isOurFault(failure)) throw error
      if (flight.healing !== undefined && isUnderWay(state, flight.healing)) continue
      isGoneSoFar &&= isGone(failure)
      const isLeft = (url: string): boolean => !tried.has(url) && !state.liars.has(wanted, url)
      urls = urls.filter(isLeft)
      while (urls.length === 0 && isGoneSoFar && later.length > 0) {
        urls = later[0]?.filter(isLeft) ?? []
        later = later.slice(1)
      }
      if (urls.length === 0) throw isGoneSoFar ? failure : withGone(failure, false)
    }
  }
}

/** A blob that is here already, as a flight that has landed. */
async function landed({ parts, clock }: State, wanted: Wanted): Promise<Flight | undefined> {
  const job = await storedJob(parts.blobs, wanted, nowSeconds(clock))
  return job === undefined ? undefined : { job, done: Promise.resolve() }
}

/** The URLs, and those to ask after them; fallbacks first while each of the others is known for wrong bytes. */
function stagesOf(state: State, wanted: Wanted, { urls, fallbacks = [] }: Source): string[][] {
  const areBad = fallbacks.length > 0 && urls.every((url) => state.liars.has(wanted, url))
  const stages = areBad ? [fallbacks, urls] : [urls, fallbacks]
  return stages.map((stage) => [...stage])
}

/** What a flight begins with. */
interface Plan {
  readonly urls: readonly string[]
  /** Where its bytes can be had at all. */
  readonly source: Source
  /** Of the source there is more than these URLs. */
  readonly hasMore: boolean
  readonly taker: Taker
  /** It takes the place of one that was wrong. */
  readonly heals?: { readonly isQuick: boolean } | undefined
}

interface Begun {
  readonly begun: Partial | undefined
}

function start(state: State, wanted: Wanted, plan: Plan): Flight {
  if (state.isClosed) {
    throw new AppError('ERR_INTERRUPTED', { message: 'no downloads are started any more' })
  }
  const begun = plan.heals === undefined ? state.partials.take(wanted.sha256) : undefined
  const job = createJob(wanted, begun?.modifiedAt ?? nextModified(state, wanted), {
    isCautious: plan.heals?.isQuick,
    begun,
  })
  const { promise: done, ...settle } = Promise.withResolvers<void>()
  done.catch(() => undefined)
  const flight: Flight = { job, done }
  state.flights.set(wanted.sha256, flight)
  land(state, flight, { ...plan, begun }).then(settle.resolve, settle.reject)
  return flight
}

async function land(state: State, flight: Flight, plan: Plan & Begun): Promise<void> {
  const { job } = flight
  const { wanted } = job
  const { hasMore, taker, begun: partial } = plan
  const { partials } = state
  const urls = state.liars.inOrder(wanted, plan.urls)
  const { signal } = state.stop
  // Who began it says in the same turn of the event loop whether it is wanted right now.
  await Promise.resolve()
  const leave = await state.lanes.enter(job, urls[0], signal)
  const begun = performance.now()
  const outcome = await runJob(state.parts, job, {
    ...{ urls, hasMore, taker, signal, partials, partial },
  })
  leave()
  for (const url of outcome.badUrls) {
    state.liars.note(wanted, url)
    state.parts.upstream.blame?.(url)
  }
  state.flights.delete(wanted.sha256)
  const fields = { label: wanted.label, sizeBytes: wanted.size, sha256: wanted.sha256 }
  const durationMs = Math.round(performance.now() - begun)
  const { error } = outcome
  if (error === undefined) {
    job.isRight = true
    job.isVerified = true
    state.parts.log?.info({ ...fields, durationMs }, 'download verified')
  } else {
    if (isWrongBytes(error) && job.isRead && plan.heals === undefined && !state.isClosed) {
      flight.healing = heal(state, wanted, plan, durationMs < quickMs)
    }
    job.error = error
    const { code, details } = error
    if (outcome.badUrls.length > 0) {
      state.parts.log?.warn({ ...fields, code, details }, 'wrong bytes refused')
    }
  }
  job.bell.ring()
  if (error !== undefined) throw error
}

/** Fetches again what clients were just cut off from. */
function heal(state: State, wanted: Wanted, { source, taker }: Plan, isQuick: boolean): Flight {
  const [urls = [], later = []] = stagesOf(state, wanted, source)
  const hasMore = later.length > 0
  const flight = start(state, wanted, { urls, source, taker, hasMore, heals: { isQuick } })
  hurry(flight.job)
  return flight
}

function isUnderWay(state: State, flight: Flight): boolean {
  return state.flights.get(flight.job.wanted.sha256) === flight
}

async function close(state: State, signal: AbortSignal | undefined): Promise<void> {
  state.isClosed = true
  state.through.close()
  const abort = (): void => state.stop.abort(signal?.reason)
  signal?.addEventListener('abort', abort)
  if (signal?.aborted) abort()
  await Promise.allSettled([...state.flights.values()].map((flight) => flight.done))
  signal?.removeEventListener('abort', abort)
  await state.partials.close()
}
