/**
 * Room that is left free on the disk, so that publications and the database always have some: what the setting
 * `disk-reserve` says, else 2 % of it, 256 MB at the least and 10 GB at the most. Files that would take from it are not kept.
 */
import { AppError } from '../base/errors.ts'
import type { BlobStore } from './blobs.ts'

const PART = 0.02
const LEAST_BYTES = 256_000_000
const MOST_BYTES = 10_000_000_000

export interface Room {
  readonly freeBytes: number
  readonly reserveBytes: number
}

/** What is free on the store's disk, and what of it is to stay so. */
export async function measureRoom(blobs: BlobStore): Promise<Room> {
  const usual = async (): Promise<number> =>
    Math.min(MOST_BYTES, Math.max(LEAST_BYTES, Math.ceil((await blobs.diskBytes()) * PART)))
  const reserveBytes = blobs.reserveBytes ?? (await usual())
  return { freeBytes: await blobs.freeBytes(), reserveBytes }
}

/** Of the reserve, what stays free of new states too: for their rows, their signatures, the audit. */
const FLOOR_PART = 0.25

/** Who asks for room: work that can do without takes nothing of the reserve, what makes a new state some of it. */
export type Taker = 'files' | 'states'

/** Whether there is room for so many bytes more. */
export async function hasRoom(blobs: BlobStore, bytes: number, taker: Taker): Promise<boolean> {
  const { freeBytes, reserveBytes } = await measureRoom(blobs)
  return freeBytes - bytes >= (taker === 'files' ? reserveBytes : reserveBytes * FLOOR_PART)
}

/** Throws `ERR_DISK_FULL` if too little is left to begin a publication. */
export async function assertRoomToPublish(blobs: BlobStore): Promise<void> {
  const { freeBytes, reserveBytes } = await measureRoom(blobs)
  const floorBytes = reserveBytes * FLOOR_PART
  if (freeBytes >= floorBytes) return
  throw new AppError('ERR_DISK_FULL', {
    message: `nothing is published while ${megabytes(freeBytes)} of the disk are free: ${megabytes(floorBytes)} are needed`,
    hint: 'make room, or move the data directory',
    details: { freeBytes, floorBytes },
  })
}

/** Throws `ERR_DISK_FULL` if so many bytes more would take from the reserve; `what` are they, in words. */
export async function assertRoom(blobs: BlobStore, bytes: number, what: string): Promise<void> {
  const { freeBytes, reserveBytes } = await measureRoom(blobs)
  if (freeBytes - bytes >= reserveBytes) return
  throw new AppError('ERR_DISK_FULL', {
    message: `${what} takes ${megabytes(bytes)}, ${megabytes(freeBytes)} are free, and ${megabytes(reserveBytes)} of these are to stay so`,
    hint: `make room for ${megabytes(bytes + reserveBytes - freeBytes)} more, or move the data directory`,
    details: { neededBytes: bytes, freeBytes, reserveBytes },
  })
}

function megabytes(count: number): string {
  return `${Math.ceil(count / 1e6)} MB`
}
