/**
 * What can go wrong with a download, in words, and what it means: whether another try may mend it, whether the file is
 * gone for good, whether bytes were not those that the signed index names.
 */
import { AppError, isAppError, toAppError } from '../base/errors.ts'
import type { Job } from './download-job.ts'
import { redactUrl } from './upstream.ts'

/** Whether another try may mend it; all else says something about the file at that URL. */
export function isTransient(error: AppError): boolean {
  if (error.code === 'ERR_UPSTREAM_UNREACHABLE' || error.code === 'ERR_UPSTREAM_TIMEOUT')
    return true
  const status = error.code === 'ERR_UPSTREAM_STATUS' ? error.details?.status : undefined
  return typeof status === 'number' && (status >= 500 || status === 408 || status === 429)
}

/** Whether the URL does not have the file, and will not have it in a moment. */
export function isFinal(failure: AppError): boolean {
  const status = isAppError(failure, 'ERR_UPSTREAM_STATUS') ? failure.details?.status : undefined
  return status === 404 || status === 410 || isWrongBytes(failure)
}

/** Whether a URL has other bytes than the index names. */
export function isWrongBytes(error: AppError): boolean {
  return isAppError(error, 'ERR_DIGEST_MISMATCH') || isAppError(error, 'ERR_SIZE_MISMATCH')
}

/** Whether another URL would change nothing. */
export function isOurFault({ code }: AppError): boolean {
  return ['ERR_DISK_FULL', 'ERR_STORE', 'ERR_INTERNAL', 'ERR_INTERRUPTED'].includes(code)
}

/** Whether each URL that was asked said for good that it has no such file (404, 410), or has another one in its place. */
export function isGone(error: unknown): boolean {
  return isAppError(error) && error.details?.isGone === true
}

/** The error with `isGone` as told. */
export function withGone(error: AppError, gone: boolean): AppError {
  if (isGone(error) === gone) return error
  const { message, hint, cause, details } = error
  return new AppError(error.code, { message, hint, cause, details: { ...details, isGone: gone } })
}

/** A file of another length. */
export function wrongSize({ wanted }: Pick<Job, 'wanted'>, reason: string, cause?: unknown) {
  return new AppError('ERR_SIZE_MISMATCH', {
    message: `${wanted.label}: ${reason}, the signed index names ${wanted.size}`,
    hint: 'the archive may be in the middle of an update: refresh it, or try again later',
    cause,
    details: { expected: wanted.size },
  })
}

/** The length is right, the bytes are not; `givers` are the URLs that they came from. */
export function wrongBytes(
  { wanted }: Pick<Job, 'wanted'>,
  givers: Iterable<string>,
  cause?: unknown,
): AppError {
  const urls = [...givers].map(redactUrl)
  const details = isAppError(cause) ? cause.details : undefined
  return new AppError('ERR_DIGEST_MISMATCH', {
    message: `${wanted.label}: the bytes from ${urls.join(' and ')} are not those that the signed index names`,
    hint: 'nothing of it was kept; the archive or the way to it is broken, other URLs are tried first for a minute',
    cause,
    details: { ...details, urls },
  })
}

/** No room on the disk for it. */
export function noRoom({ wanted }: Pick<Job, 'wanted'>, cause?: unknown): AppError {
  return new AppError('ERR_DISK_FULL', {
    message: `no room on the disk for ${wanted.label} (${wanted.size} bytes)`,
    hint: 'make room, or move the data directory',
    cause,
  })
}

/** What went wrong while bytes were written. */
export function toStoreError(job: Pick<Job, 'wanted'>, error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isAppError(toAppError(error), 'ERR_DISK_FULL')) return noRoom(job, error)
  return new AppError('ERR_STORE', {
    message: `${job.wanted.label} could not be written to the store`,
    hint: 'look at the disk and the rights of the data directory',
    cause: error,
  })
}

/** One error for all tries: one that may pass says more than a fallback's 404. */
export function summary(
  { wanted: { label } }: Pick<Job, 'wanted'>,
  failures: readonly AppError[],
): AppError {
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
