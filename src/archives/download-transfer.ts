/**
 * Filling a job's temp file from its URLs, and committing it.
 *
 * A URL that does not have the file (another length, 404, a redirect loop) is left for the next one. What may pass (a
 * broken connection, 5xx, a time-out) is tried three times for each URL, and begins anew with what came since. A
 * transfer that broke goes on at its URL once, then at the next.
 *
 * Bytes whose digest is wrong are fetched again, from other URLs if there are any, as long as nobody has read them: a
 * line that spoils bits now and then is no reason to trouble a client.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type AppError, isAppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { hasRoom, type Taker } from '../store/disk-reserve.ts'
import {
  isFinal,
  isTransient,
  isWrongBytes,
  noRoom,
  summary,
  withGone,
  wrongBytes,
} from './download-errors.ts'
import { type DownloadParts, type Job, startOver } from './download-job.ts'
import type { Partial, Partials } from './download-partials.ts'
import { pull, type Transfer } from './download-pull.ts'
import { isForRanges, pullRanges } from './download-ranges.ts'
import { redactUrl } from './upstream.ts'

/** Waits before the first, second and third try of a URL. */
const delaysMs = [0, 200, 1000] as const
/** A transfer that brought so much has not failed for nothing. */
const progressBytes = 64 * 1024
/** From so many bytes on, what broke off is tried again for a while: an upstream may be starting anew. */
const halfwayBytes = 1024 * 1024
const breakPatienceMs = 20_000
/** How often a file is fetched that is wrong each time, while nobody reads it. */
const roundsOfSmall = 5
const roundsOfLarge = 3
const smallBytes = 16 * 1024 * 1024
/** Clients do not wait until the disk has so many bytes for certain; a smaller file is in the store when they have it. */
const slowToStoreBytes = 4 * 1024 * 1024

/** How a job ended: `badUrls` gave bytes that are not the file. */
export interface Outcome {
  readonly error: AppError | undefined
  readonly badUrls: readonly string[]
}

/** Where a job has its bytes from. */
export interface Sources {
  readonly urls: readonly string[]
  /** There are others, to be asked when each of these has no such file or wrong bytes. */
  readonly hasMore: boolean
  readonly taker: Taker
  readonly partials: Partials
  /** Where it goes on. */
  readonly partial: Partial | undefined
  readonly signal: AbortSignal
}

interface Run extends Sources {
  readonly parts: DownloadParts
  readonly job: Job
  /** What each URL said last, if it did not bring the file to its end. */
  readonly verdicts: Map<string, AppError>
  readonly bad: Set<string>
}

/** Runs a job to its end; never throws. Of one that failed nothing is left but what `partials` keep. */
export async function runJob(parts: DownloadParts, job: Job, sources: Sources): Promise<Outcome> {
  const run: Run = { ...sources, parts, job, verdicts: new Map(), bad: new Set() }
  const mostRounds = job.wanted.size > smallBytes ? roundsOfLarge : roundsOfSmall
  for (let round = 1; ; round += 1) {
    const transfer = createTransfer(run, round)
    try {
      await needRoom(run)
      if (isForRanges(transfer)) await pullRanges(transfer, candidates(run))
      if (job.written < job.wanted.size || job.wanted.size === 0) await fill(transfer, run)
      await commit(transfer)
      for (const url of transfer.givers) run.bad.delete(url)
      return { error: undefined, badUrls: [...run.bad] }
    } catch (error) {
      const failure = judged(toAppError(error), run.verdicts)
      await putAway(transfer, run, failure)
      const isWrong = isWrongBytes(failure) && transfer.givers.size > 0
      if (isWrong) for (const url of transfer.givers) run.bad.add(url)
      if (!isWrong || job.isRead || round >= mostRounds || isHopeless(run)) {
        return { error: failure, badUrls: [...run.bad] }
      }
      const { code, details } = failure
      parts.log?.warn({ label: job.wanted.label, code, details }, 'wrong bytes, fetched again')
      startOver(job)
    }
  }
}

/** Throws if the file has no room, also without what is kept of others. */
async function needRoom({ parts, job, taker, partials }: Run): Promise<void> {
  const { size } = job.wanted
  if (await hasRoom(parts.blobs, size, taker)) return
  await partials.clear()
  if (!(await hasRoom(parts.blobs, size, taker))) throw noRoom(job)
}

/** Keeps what came, if that it failed may pass; else removes it. */
async function putAway(
  { job, writer, givers }: Transfer,
  { partials }: Run,
  failure: AppError,
): Promise<void> {
  if (writer === undefined) return
  if (isTransient(failure) && job.written < job.wanted.size) {
    await partials.keep(job, writer, givers)
  } else await writer.abort()
}

function createTransfer({ parts, job, signal, partial }: Run, round: number): Transfer {
  const begun = round === 1 ? partial : undefined
  return {
    parts,
    job,
    signal,
    isSuspicious: job.isCautious || round > 1,
    writer: begun?.writer,
    givers: new Set(begun?.givers),
    lastModified: new Map(),
  }
}

/** Those that may have the file: what gave wrong bytes last, the latest at the very end. */
function candidates({ urls, verdicts, bad }: Run): string[] {
  const said = (url: string): AppError | undefined => verdicts.get(url)
  const left = urls.filter((url) => {
    const verdict = said(url)
    return verdict === undefined || !isFinal(verdict)
  })
  return [...left.filter((url) => !bad.has(url)), ...[...bad].filter((url) => left.includes(url))]
}

/** Whether nothing but liars is left, and others wait to be asked. */
function isHopeless(run: Run): boolean {
  return run.hasMore && candidates(run).every((url) => run.bad.has(url))
}

/** The error of a job with `isGone` in its details. */
function judged(error: AppError, verdicts: ReadonlyMap<string, AppError>): AppError {
  const all = [...verdicts.values(), ...(isWrongBytes(error) ? [error] : [])]
  return all.length > 0 && all.every(isFinal) ? withGone(error, true) : error
}

interface Candidate {
  readonly url: string
  /** How often it failed for nothing. */
  tries: number
  hasStayed: boolean
}

/** Tries URLs in turn until all bytes are in the temp file. */
async function fill(transfer: Transfer, run: Run): Promise<void> {
  const { job, signal } = transfer
  const queue: Candidate[] = candidates(run).map((url) => ({ url, tries: 0, hasStayed: false }))
  const failures: AppError[] = []
  const patienceMs = run.parts.breakPatienceMs ?? breakPatienceMs
  let brokeAt = performance.now()
  for (let next = queue[0]; next !== undefined; next = queue[0]) {
    const delayMs = delaysMs[next.tries] ?? 0
    if (delayMs > 0) await sleep(delayMs, undefined, { signal })
    const before = job.written
    const rival = rivalOf(queue, next)
    const failed = await pull(transfer, next.url, rival?.url)
    if (failed.length === 0) return
    for (const { url, failure } of failed) {
      failures.push(failure)
      // Which of two beginnings is wrong is not known yet.
      if (!isAppError(failure, 'ERR_DIGEST_MISMATCH')) run.verdicts.set(url, failure)
      const candidate = queue.find((one) => one.url === url) ?? next
      const bytes = job.written - before
      if (bytes >= progressBytes) brokeAt = performance.now()
      const isPatient = job.written >= halfwayBytes && performance.now() - brokeAt < patienceMs
      settle(queue, candidate, { failure, bytes, isPatient })
      const fields = { label: job.wanted.label, url: redactUrl(url), code: failure.code }
      run.parts.log?.warn({ ...fields, gotBytes: job.written }, 'transfer failed')
    }
  }
  throw summary(job, failures)
}

/** Another server that was not asked yet, for one that was not asked yet. */
function rivalOf(queue: readonly Candidate[], { url, tries }: Candidate): Candidate | undefined {
  if (tries > 0) return undefined
  const origin = URL.parse(url)?.origin
  return queue.find((one) => one.tries === 0 && URL.parse(one.url)?.origin !== origin)
}

interface Fate {
  readonly failure: AppError
  /** That it brought before. */
  readonly bytes: number
  /** What is here already is worth more tries. */
  readonly isPatient: boolean
}

/** Where in the queue a URL belongs that failed. */
function settle(queue: Candidate[], one: Candidate, { failure, bytes, isPatient }: Fate): void {
  one.tries = bytes >= progressBytes ? 1 : one.tries + 1
  if (isPatient) one.tries = Math.min(one.tries, delaysMs.length - 1)
  const isBroken = isAppError(failure, 'ERR_UPSTREAM_UNREACHABLE') && bytes > 0
  if (isTransient(failure) && isBroken && !one.hasStayed && one.tries < delaysMs.length) {
    one.hasStayed = true
    return
  }
  one.hasStayed = false
  queue.splice(queue.indexOf(one), 1)
  if (isTransient(failure) && one.tries < delaysMs.length) queue.push(one)
}

async function commit(transfer: Transfer): Promise<void> {
  const { job, parts, givers } = transfer
  const { sha256, size } = job.wanted
  crashPoint('download: all bytes written')
  try {
    transfer.writer ??= await parts.blobs.create()
    const onRight = (): void => {
      if (size < slowToStoreBytes) return
      job.isRight = true
      job.bell.ring()
    }
    await transfer.writer.commit({ sha256, size, modifiedAt: job.modifiedAt, onRight })
  } catch (error) {
    throw isAppError(error, 'ERR_DIGEST_MISMATCH') ? wrongBytes(job, givers, error) : error
  }
}
