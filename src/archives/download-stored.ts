/**
 * A file that is in the store already, looked at before it counts: one that lost its end or is gone is forgotten, so that
 * it is fetched again.
 */
import { AppError, isAppError } from '../base/errors.ts'
import { sha256Stream } from '../base/sha256.ts'
import type { BlobStore, OpenBlob } from '../store/blobs.ts'
import { createJob, type Job, type Wanted } from './download-job.ts'

/** A blob that is here, as a job at its end; `now` is the time of one without a file. One that proves damaged is forgotten. */
export async function storedJob(
  blobs: BlobStore,
  wanted: Wanted,
  now: number,
): Promise<Job | undefined> {
  if (!(await blobs.has(wanted.sha256))) return undefined
  const file = await blobs.openFile(wanted.sha256)
  const whole = file === undefined ? await readRow(blobs, wanted) : undefined
  try {
    const isGood = file === undefined ? whole !== undefined : await isWhole(file, wanted)
    if (!isGood) {
      await blobs.forget(wanted.sha256)
      return undefined
    }
  } finally {
    await file?.handle.close()
  }
  const job = createJob(wanted, file?.modifiedAt ?? now, { whole })
  job.written = wanted.size
  job.isRight = true
  job.isVerified = true
  return job
}

/** The bytes of a blob that is kept as a row. */
async function readRow(blobs: BlobStore, wanted: Wanted): Promise<Buffer | undefined> {
  try {
    const data = await blobs.read(wanted.sha256)
    if (data.length !== wanted.size) throw otherSize(wanted, data.length)
    return data
  } catch (error) {
    if (isAppError(error, 'ERR_BLOB_MISSING')) return undefined
    throw error
  }
}

/** False for a file that lost its end; a whole one of another size means that the index is wrong. */
async function isWhole(file: OpenBlob, wanted: Wanted): Promise<boolean> {
  if (file.size === wanted.size) return true
  const hash = sha256Stream()
  for await (const chunk of file.handle.createReadStream({ autoClose: false })) hash.update(chunk)
  if (hash.digest() === wanted.sha256) throw otherSize(wanted, file.size)
  return false
}

function otherSize(wanted: Wanted, found: number): AppError {
  return new AppError('ERR_SIZE_MISMATCH', {
    message: `${wanted.label}: the file of this digest has ${found} bytes, the index names ${wanted.size}`,
    hint: 'the index of the archive is wrong: tell its maintainers',
    details: { expected: wanted.size, found },
  })
}
