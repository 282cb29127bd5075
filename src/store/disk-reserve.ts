/**
 * Room that is left free on the disk, so that publications and the database always have some: what the setting
 * `disk-reserve` says, else 2 % of it and 256 MB at the least. Files that would take from it are not kept.
 */
import { AppError } from '../base/errors.ts'
import type { BlobStore } from './blobs.ts'

const PART = 0.02
const LEAST_BYTES = 256_000_000

export interface Room {
  readonly freeBytes: number
  readonly reserveBytes: number
}

/** What is free on the store's disk, and what of it is to stay so. */
export async function measureRoom(blobs: BlobStore): Promise<Room> {
  const usual = async (): Promise<number> =>
    Math.max(LEAST_BYTES, Math.ceil((await blobs.diskBytes()) * PART))
  const reserveBytes = blobs.reserveBytes ?? (await usual())
  return { freeBytes: await blobs.freeBytes(), reserveBytes }
}

/** Throws `ERR_DISK_FULL` if so many bytes more would take from the reserve; `what` are they, in words. */
export async function assertRoom(blobs: BlobStore, bytes: number, what: string): Promise<void> {
  const { freeBytes, reserveBytes } = await measureRoom(blobs)
  if (freeBytes - bytes >= reserveBytes) return
  const mega = (count: number): string => `${Math.ceil(count / 1e6)} MB`
  throw new AppError('ERR_DISK_FULL', {
    message: `${what} takes ${mega(bytes)}, ${mega(freeBytes)} are free, and ${mega(reserveBytes)} of these are to stay so`,
    hint: `make room for ${mega(bytes + reserveBytes - freeBytes)} more, or move the data directory`,
    details: { neededBytes: bytes, freeBytes, reserveBytes },
  })
}
