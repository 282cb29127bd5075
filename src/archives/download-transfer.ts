/**
 * Filling a job's temp file from its URLs, and committing it.
 *
 * A URL whose answer does not fit (another length, 404, a redirect loop) is left for the next one before a byte of it
 * is used. What may pass (a broken connection, 5xx, a time-out) is tried three times for each URL. A resume asks for
 * the bytes from where it broke: 206 must start there and be of a file of the right size; of a 200 the known prefix is
 * skipped. The digest is over all bytes from the first on, wherever they came from.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, isAppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { BlobWriter } from '../store/blob-writer.ts'
import { type DownloadParts, isTransient, type Job } from './download-job.ts'
import { redactUrl, type UpstreamResponse } from './upstream.ts'

/** Waits before the first, second and third try of a URL. */
const delaysMs = [0, 200, 1000] as const

interface Transfer {
  readonly parts: DownloadParts
  readonly job: Job
  readonly signal: AbortSignal
  writer: BlobWriter | undefined
  /** What each URL said last. */
  readonly verdicts: Map<string, AppError>
  /** URLs that gave bytes: if the digest is wrong, one of them lied. */
  readonly givers: Set<string>
}

/** How a job ended: `badUrls` gave bytes that are not the file. */
export interface Outcome {
  readonly error: AppError | undefined
  readonly badUrls: readonly string[]
}

/** Runs a job to its end; never throws. Nothing is left of one that failed. */
export async function runJob(
  parts: DownloadParts,
  job: Job,
  input: { readonly urls: readonly string[]; readonly signal: AbortSignal },
): Promise<Outcome> {
  const transfer: Transfer = {
    parts,
    job,
    signal: input.signal,
    writer: undefined,
    verdicts: new Map(),
    givers: new Set(),
  }
  try {
    if ((await parts.blobs.freeBytes()) < job.wanted.size) throw noRoom(job)
    await fill(transfer, input.urls)
    await commit(transfer)
    return { error: undefined, badUrls: [] }
  } catch (error) {
    await transfer.writer?.abort()
    const known = judged(toAppError(error), transfer.verdicts)
    return { error: known, badUrls: isWrongBytes(known) ? [...transfer.givers] : [] }
  }
}

/** The error of a job with `isGone` in its details: see `isGone` of download.ts. */
function judged(error: AppError, verdicts: ReadonlyMap<string, AppError>): AppError {
  const all = [...verdicts.values(), ...(isWrongBytes(error) ? [error] : [])]
  const isGone = all.length > 0 && all.every(isFinal)
  if (!isGone) return error
  const { message, hint, cause, details } = error
  return new AppError(error.code, { message, hint, cause, details: { ...details, isGone } })
}

/** Whether the URL does not have the file, and will not have it in a moment. */
function isFinal(failure: AppError): boolean {
  const status = isAppError(failure, 'ERR_UPSTREAM_STATUS') ? failure.details?.status : undefined
  return status === 404 || status === 410 || isWrongBytes(failure)
}

function isWrongBytes(error: AppError): boolean {
  return isAppError(error, 'ERR_DIGEST_MISMATCH') || isAppError(error, 'ERR_SIZE_MISMATCH')
}

/** Tries URLs in turn until all bytes are in the temp file. */
async function fill(transfer: Transfer, urls: readonly string[]): Promise<void> {
  const { job, signal, verdicts } = transfer
  const queue = urls.map((url) => ({ url, tries: 0 }))
  const failures: AppError[] = []
  for (let next = queue[0]; next !== undefined; next = queue[0]) {
    const delayMs = delaysMs[next.tries] ?? 0
    if (delayMs > 0) await sleep(delayMs, undefined, { signal })
    const before = job.written
    job.tried.add(next.url)
    const failure = await pull(transfer, next.url)
    if (failure === undefined) return
    failures.push(failure)
    verdicts.set(next.url, failure)
    next.tries += 1
    transfer.parts.log?.warn(
      {
        label: job.wanted.label,
        url: redactUrl(next.url),
        code: failure.code,
        gotBytes: job.written,
      },
      'transfer failed',
    )
    const isAlive = isAppError(failure, 'ERR_UPSTREAM_UNREACHABLE') && job.written > before
    const isOver = !isTransient(failure) || next.tries >= delaysMs.length
    if (isOver) queue.shift()
    else if (!isAlive) queue.push(...queue.splice(0, 1))
  }
  throw summary(job, failures)
}

/** Brings the rest of the file from one URL; returns why that failed. Throws if the whole job is over. */
async function pull(transfer: Transfer, url: string): Promise<AppError | undefined> {
  const { parts, job, signal } = transfer
  const { size } = job.wanted
  let response: UpstreamResponse
  try {
    const range = job.written === 0 ? undefined : { start: job.written }
    response = await parts.upstream.get(url, { range, maxBytes: size }, { signal })
  } catch (error) {
    return failureOf(transfer, error)
  }
  const body = response.body[Symbol.asyncIterator]()
  try {
    const misfit = misfitOf(job, response)
    if (misfit !== undefined) return misfit
    transfer.writer ??= await parts.blobs.create()
    job.path = transfer.writer.path
    let skip = response.status === 200 ? job.written : 0
    for (;;) {
      const chunk = await nextChunk(transfer, body)
      if (isAppError(chunk)) return job.written === size ? undefined : chunk
      if (chunk === undefined) break
      const fresh = chunk.subarray(Math.min(skip, chunk.length))
      skip -= chunk.length - fresh.length
      if (fresh.length > 0) transfer.givers.add(url)
      await append(transfer, fresh)
    }
  } finally {
    await body.return?.()
  }
  if (job.written < size) throw wrongSize(job, `${redactUrl(url)} ended after ${job.written} bytes`)
  return undefined
}

async function nextChunk(
  transfer: Transfer,
  body: AsyncIterator<Buffer>,
): Promise<Buffer | AppError | undefined> {
  try {
    const { done, value } = await body.next()
    return done ? undefined : value
  } catch (error) {
    return failureOf(transfer, error)
  }
}

/** Why a URL failed; throws what is not the URL's fault. */
function failureOf(transfer: Transfer, error: unknown): AppError {
  const failure = toAppError(error)
  if (transfer.signal.aborted || isAppError(failure, 'ERR_INTERRUPTED')) throw failure
  if (isAppError(failure, 'ERR_TOO_LARGE')) {
    return wrongSize(transfer.job, 'a larger file was sent', failure)
  }
  return failure
}

function misfitOf(job: Job, response: UpstreamResponse): AppError | undefined {
  const { size } = job.wanted
  const url = redactUrl(response.url)
  const length = response.contentLength
  if (response.status === 200) {
    return length === undefined || length === size
      ? undefined
      : wrongSize(job, `${url} has ${length} bytes`)
  }
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers['content-range'] ?? '')
  const [start, end, total] = (found ?? []).slice(1).map(Number)
  const isRest = start === job.written && end === size - 1 && total === size
  const isLong = length === undefined || length === size - job.written
  if (response.status === 206 && isRest && isLong) return undefined
  return wrongSize(job, `${url} answered another range than was asked for`)
}

async function append(transfer: Transfer, chunk: Buffer): Promise<void> {
  const { job, writer } = transfer
  if (job.written + chunk.length > job.wanted.size) throw wrongSize(job, 'more bytes came')
  try {
    await writer?.write(chunk)
  } catch (error) {
    throw toStoreError(job, error)
  }
  job.recent.add(job.written, chunk)
  job.written += chunk.length
  job.bell.ring()
}

async function commit(transfer: Transfer): Promise<void> {
  const { job, parts } = transfer
  const { sha256, size, label } = job.wanted
  crashPoint('download: all bytes written')
  try {
    transfer.writer ??= await parts.blobs.create()
    await transfer.writer.commit({ sha256, size, modifiedAt: job.modifiedAt })
  } catch (error) {
    if (!isAppError(error, 'ERR_DIGEST_MISMATCH')) throw error
    const urls = [...transfer.givers].map(redactUrl)
    throw new AppError('ERR_DIGEST_MISMATCH', {
      message: `${label}: the bytes from ${urls.join(' and ')} are not those that the signed index names`,
      hint: 'nothing of it was kept; the archive or the way to it is broken, other URLs are tried first for a minute',
      cause: error,
      details: { ...error.details, urls },
    })
  }
}

function wrongSize(job: Job, reason: string, cause?: unknown): AppError {
  return new AppError('ERR_SIZE_MISMATCH', {
    message: `${job.wanted.label}: ${reason}, the signed index names ${job.wanted.size}`,
    hint: 'the archive may be in the middle of an update: refresh it, or try again later',
    cause,
    details: { expected: job.wanted.size },
  })
}

function noRoom(job: Job, cause?: unknown): AppError {
  return new AppError('ERR_DISK_FULL', {
    message: `no room on the disk for ${job.wanted.label} (${job.wanted.size} bytes)`,
    hint: 'make room, or move the data directory',
    cause,
  })
}

function toStoreError(job: Job, error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isAppError(toAppError(error), 'ERR_DISK_FULL')) return noRoom(job, error)
  return new AppError('ERR_STORE', {
    message: `${job.wanted.label} could not be written to the store`,
    hint: 'look at the disk and the rights of the data directory',
    cause: error,
  })
}

/** One error for all tries: one that may pass says more than a fallback's 404. */
function summary(job: Job, failures: readonly AppError[]): AppError {
  const { label } = job.wanted
  const said = failures.findLast(isTransient) ?? failures.at(-1)
  const prefix = `${label}: `
  const told = said?.message ?? 'no URL is known for it'
  // A URL may end in the same words.
  const reason = told.startsWith(prefix) ? told.slice(prefix.length) : told
  const tried = failures.map((failure) => `${failure.code}: ${failure.message}`)
  return new AppError(said?.code ?? 'ERR_NOT_FOUND', {
    message: `${label} could not be fetched: ${reason}`,
    hint: said?.hint ?? 'refresh the archive: sluice archive refresh',
    cause: said,
    details: { ...said?.details, tried },
  })
}
