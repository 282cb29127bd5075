/**
 * One transfer: the rest of a file from one URL into the job's temp file.
 *
 * An answer that does not fit (another length, another range than asked for) is left before a byte of it is used. A
 * resume asks for the bytes from where it broke, on the condition that the file is the one that this URL began with
 * (If-Range). Of a 200 the part that is here already is compared and skipped: another beginning is another file. Which
 * bytes are right is known only by the digest over all of them, wherever they came from.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { type AppError, isAppError, toAppError } from '../base/errors.ts'
import type { BlobWriter } from '../store/blob-writer.ts'
import { toStoreError, wrongBytes, wrongSize } from './download-errors.ts'
import type { DownloadParts, Job } from './download-job.ts'
import { redactUrl, type UpstreamResponse } from './upstream.ts'

const rivalAfterMs = 3_000

/** What fills one temp file. */
export interface Transfer {
  readonly parts: DownloadParts
  readonly job: Job
  readonly signal: AbortSignal
  /** What came before was wrong: caches on the way are asked to look again. */
  readonly isSuspicious: boolean
  writer: BlobWriter | undefined
  /** URLs that gave bytes: if the digest is wrong, one of them lied. */
  readonly givers: Set<string>
  /** The Last-Modified that each URL began with. */
  readonly lastModified: Map<string, string>
}

/** Why a URL did not bring the file to its end. */
export interface Failed {
  readonly url: string
  readonly failure: AppError
}

/**
 * Brings the rest of the file from the URL, or from its rival, if one is named and answers first; resolves with those
 * that failed, none when all bytes are here. Throws if the whole job is over.
 */
export async function pull(
  transfer: Transfer,
  url: string,
  rival: string | undefined,
): Promise<readonly Failed[]> {
  const replies = await askBoth(transfer, url, rival)
  const taken = replies.find((reply) => 'response' in reply)
  const failed = replies.filter((reply) => 'failure' in reply)
  const over = failed.find(({ failure }) => isOver(transfer, failure))
  if (over !== undefined) throw over.failure
  if (taken === undefined) return failed
  const failure = await take(transfer, taken)
  return failure === undefined ? [] : [{ url: taken.url, failure }]
}

interface Taken {
  readonly url: string
  readonly response: UpstreamResponse
}

type Reply = Taken | Failed

/** One reply that can be used, or those that failed. */
async function askBoth(
  transfer: Transfer,
  url: string,
  rival: string | undefined,
): Promise<readonly Reply[]> {
  const first = ask(transfer, url)
  if (rival === undefined) return [await first]
  const late = Promise.withResolvers<undefined>()
  const waitMs = transfer.parts.rivalAfterMs ?? rivalAfterMs
  const timer = setTimeout(() => late.resolve(undefined), waitMs)
  const early = await Promise.race([first, late.promise]).finally(() => clearTimeout(timer))
  if (early !== undefined) return [early]
  const second = ask(transfer, rival)
  const taken = await Promise.any([first, second].map(onlyTaken)).catch(() => undefined)
  if (taken === undefined) return Promise.all([first, second])
  const loser = taken.url === url ? second : first
  // It may take its time to fail: whoever counts failures learns of it.
  loser.then(leave).catch(() => undefined)
  return [taken]
}

async function onlyTaken(reply: Promise<Reply>): Promise<Taken> {
  const known = await reply
  if ('failure' in known) throw known.failure
  return known
}

async function leave(reply: Reply): Promise<void> {
  if ('response' in reply) await reply.response.body[Symbol.asyncIterator]().return?.()
}

async function ask(transfer: Transfer, url: string): Promise<Reply> {
  const { parts, job, signal, lastModified } = transfer
  job.tried.add(url)
  const range = job.written === 0 ? undefined : { start: job.written }
  const known = lastModified.get(url)
  const headers = {
    ...(range === undefined || known === undefined ? {} : { 'if-range': known }),
    ...(transfer.isSuspicious ? { 'cache-control': 'no-cache' } : {}),
  }
  try {
    const options = { range, headers, maxBytes: job.wanted.size }
    const response = await parts.upstream.get(url, options, { signal })
    const misfit = misfitOf(job, response)
    if (misfit === undefined) return { url, response }
    await response.body[Symbol.asyncIterator]().return?.()
    return { url, failure: misfit }
  } catch (error) {
    return { url, failure: failureOf(transfer, error) }
  }
}

/** Puts the body into the temp file; returns why that failed. */
async function take(transfer: Transfer, { url, response }: Taken): Promise<AppError | undefined> {
  const { parts, job } = transfer
  const { size } = job.wanted
  const body = response.body[Symbol.asyncIterator]()
  let known: FileHandle | undefined
  try {
    if (response.lastModified !== undefined) transfer.lastModified.set(url, response.lastModified)
    transfer.writer ??= await parts.blobs.create()
    job.path = transfer.writer.path
    let at = response.status === 200 ? 0 : job.written
    if (at < job.written) known = await open(transfer.writer.path, 'r')
    for (;;) {
      const chunk = await nextChunk(transfer, body)
      if (isAppError(chunk)) return job.written === size ? undefined : chunk
      if (chunk === undefined) break
      const old = chunk.subarray(0, Math.max(0, Math.min(job.written - at, chunk.length)))
      if (known !== undefined && !(await isSame(known, at, old))) {
        return wrongBytes(job, new Set([...transfer.givers, url]))
      }
      at += chunk.length
      if (old.length === chunk.length) continue
      transfer.givers.add(url)
      await append(transfer, chunk.subarray(old.length))
    }
  } finally {
    await known?.close()
    await body.return?.()
  }
  if (job.written < size) throw wrongSize(job, `${redactUrl(url)} ended after ${job.written} bytes`)
  return undefined
}

async function isSame(file: FileHandle, at: number, bytes: Buffer): Promise<boolean> {
  const here = Buffer.allocUnsafe(bytes.length)
  const { bytesRead } = await file.read(here, 0, here.length, at)
  return bytesRead === bytes.length && here.equals(bytes)
}

async function nextChunk(
  transfer: Transfer,
  body: AsyncIterator<Buffer>,
): Promise<Buffer | AppError | undefined> {
  try {
    const { done, value } = await body.next()
    return done ? undefined : value
  } catch (error) {
    const failure = failureOf(transfer, error)
    if (isOver(transfer, failure)) throw failure
    return failure
  }
}

/** Whether a failure is no URL's fault. */
export function isOver({ signal }: Transfer, failure: AppError): boolean {
  return signal.aborted || isAppError(failure, 'ERR_INTERRUPTED')
}

/** Why a URL failed. */
function failureOf({ job }: Transfer, error: unknown): AppError {
  const failure = toAppError(error)
  return isAppError(failure, 'ERR_TOO_LARGE')
    ? wrongSize(job, 'a larger file was sent', failure)
    : failure
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
  const found = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '')
  const [start, end] = (found ?? []).slice(1).map(Number)
  const isOfAll = found?.[3] === '*' || Number(found?.[3]) === size
  const isRest = start === job.written && end === size - 1 && isOfAll
  const isLong = length === undefined || length === size - job.written
  if (response.status === 206 && isRest && isLong) return undefined
  return wrongSize(job, `${url} answered another range than was asked for`)
}

/** Bytes behind those that are here. */
async function append(transfer: Transfer, chunk: Buffer): Promise<void> {
  const { job, writer } = transfer
  if (job.written + chunk.length > job.wanted.size) throw wrongSize(job, 'more bytes came')
  try {
    await writer?.write(chunk)
  } catch (error) {
    throw toStoreError(job, error)
  }
  tell(job, chunk)
}

/** Bytes behind those that are counted, which somebody wrote to the temp file already. */
export function count({ job, writer }: Transfer, chunk: Buffer): void {
  writer?.count(chunk)
  tell(job, chunk)
}

function tell(job: Job, chunk: Buffer): void {
  job.recent.add(job.written, chunk)
  job.written += chunk.length
  job.bell.ring()
}
