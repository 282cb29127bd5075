/**
 * Reading a file while it arrives: a reader follows the job's temp file (or the blob, once it is one) as far as bytes
 * are released, and waits for the bell where there are no more. It never holds up the transfer: one that keeps up gets
 * the very chunks that came from upstream, one that falls behind reads the file.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { Abortable } from '../base/abortable.ts'
import { AppError, systemCode } from '../base/errors.ts'
import type { Taker } from '../store/disk-reserve.ts'
import { isSettled, type Job, releasedBytes } from './download-job.ts'

const readBytes = 256 * 1024

/**
 * The bytes from `from` on. A chunk stays as it is for as long as the caller wants, and may be shared with other
 * readers: it must not be written to. Throws the job's error when it failed, and `ERR_INTERRUPTED` on abort.
 */
export async function* readJob(
  job: Job,
  input: { readonly from: number; readonly blobPath: string },
  { signal }: Abortable,
): AsyncGenerator<Buffer, undefined> {
  let handle: FileHandle | undefined
  let at = input.from
  try {
    while (at < job.wanted.size || !job.isRight) {
      throwIfOver(job, signal)
      const end = Math.min(releasedBytes(job), at + readBytes)
      if (at < end) job.isRead = true
      const near = at < end ? job.recent.take(at, end) : undefined
      if (near !== undefined) {
        at += near.length
        yield near
        continue
      }
      if (at < end) handle ??= await openFile(job, input.blobPath)
      if (at >= end || handle === undefined) {
        if (!isSettled(job)) await job.bell.wait(signal)
        continue
      }
      const buffer = Buffer.allocUnsafeSlow(end - at)
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) throw gone(job)
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle?.close()
  }
}

/** Waits until a client may have the first bytes (or all are there); throws as `readJob` does. */
export async function waitForBytes(job: Job, { signal }: Abortable): Promise<void> {
  while (releasedBytes(job) === 0 && !isSettled(job)) {
    throwIfOver(job, signal)
    await job.bell.wait(signal)
  }
  throwIfOver(job, signal)
}

/** A wait that tells how many bytes are here. */
export interface Watching extends Abortable {
  readonly onBytes?: ((written: number) => void) | undefined
  /** Whether it may take from the reserve of the disk, as `states` may, unless told. */
  readonly taker?: Taker | undefined
}

/** Waits until the file is in the store; throws as `readJob` does. */
export async function waitForEnd(job: Job, { signal, onBytes }: Watching): Promise<void> {
  while (!isSettled(job)) {
    onBytes?.(job.written)
    throwIfOver(job, signal)
    await job.bell.wait(signal)
  }
  throwIfOver(job, signal)
}

function throwIfOver(job: Job, signal: AbortSignal | undefined): void {
  if (job.error !== undefined) throw job.error
  if (!signal?.aborted) return
  throw new AppError('ERR_INTERRUPTED', { message: 'interrupted', cause: signal.reason })
}

/** Undefined for the moment in which the temp file is gone and the blob not announced. */
async function openFile(job: Job, blobPath: string): Promise<FileHandle | undefined> {
  const wasVerified = job.isVerified
  try {
    return await open(wasVerified ? blobPath : (job.path ?? blobPath), 'r')
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    if (wasVerified) throw gone(job)
    return undefined
  }
}

function gone(job: Job): AppError {
  return new AppError('ERR_BLOB_MISSING', {
    message: `the file of ${job.wanted.label} went away while it was read`,
    hint: 'ask for it again: it is fetched anew',
  })
}
