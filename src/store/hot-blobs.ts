/**
 * Files of blobs that are served often: the bytes of small ones in memory, larger ones held open (open-files.ts), so that a
 * hit asks neither database nor directory; small ones beyond that are read at once while they are warm (warm-files.ts), and
 * come into memory where there is room, or when that happens again and again. What the store tells to be gone (deleted,
 * evicted, damaged) leaves at once: who reads it already reads on, and nobody else gets it; what was being read meanwhile is
 * not kept.
 */
import { createLru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import { createOpenFiles, type HeldFile, type OpenFile, readFrom } from './open-files.ts'
import { createWarmFiles } from './warm-files.ts'

/** The bytes of a small blob. */
export interface SmallBlob {
  readonly data: Buffer
  readonly size: number
  /** Epoch seconds. */
  readonly modifiedAt: number
}

/** A blob that is being read. */
export interface HotBlob {
  readonly size: number
  /** Epoch seconds. */
  readonly modifiedAt: number
  /** The same for all who read this file now, and how many they are; of one that is a file. */
  readonly file?: { readonly readers: number } | undefined
  /** All of a small one. */
  readonly data?: Buffer | undefined
  /** Reads up to `length` bytes from `at` to the begin of the buffer; says how many, at least one (else `ERR_STORE`). */
  read(buffer: Buffer, at: number, length: number): Promise<number>
  /** The reader has finished; once. */
  release(): void
}

export interface HotBlobs {
  /** The bytes of a blob, if they are in memory. */
  small(sha256: Sha256): SmallBlob | undefined
  /** The same of one that was read lately, out of its file: the bytes are good until the next is asked for. */
  passing(sha256: Sha256): SmallBlob | undefined
  /** The bytes of the last one that passed are still being sent: they stay as they are until what this gives is called. */
  keepPassing(): () => void
  /** Opens a blob that is kept as a file; undefined where there is none. The caller releases it. */
  open(sha256: Sha256): Promise<HotBlob | undefined>
  /** It is not to be served any more. */
  drop(sha256: Sha256): void
  /** What is held now. */
  held(): { readonly bytes: number; readonly files: number }
}

export interface HotLimits {
  /** Bytes of small blobs in memory. */
  readonly bytes: number
  /** Larger ones are no small ones. */
  readonly smallBytes: number
  /** Files held open that nobody reads. */
  readonly files: number
}

const defaults: HotLimits = { bytes: 24 * 1024 * 1024, smallBytes: 128 * 1024, files: 128 }
/** One that was read so often comes into memory: a rarer one would only drive out what is no rarer. */
const OFTEN = 8
/** What a blob in memory takes beside its bytes. */
const ENTRY_BYTES = 500

/** Nothing is held yet; `pathOf` says where the file of a blob is. */
export function createHotBlobs(
  pathOf: (sha256: Sha256) => string,
  limits: Partial<HotLimits> = {},
): HotBlobs {
  const { bytes, smallBytes, files } = { ...defaults, ...limits }
  const inMemory = createLru<Sha256, SmallBlob>(bytes)
  const openFiles = createOpenFiles(pathOf, files)
  const warm = createWarmFiles(pathOf, smallBytes)
  const keep = (sha256: Sha256, blob: SmallBlob): void => {
    inMemory.set(sha256, blob, blob.size + ENTRY_BYTES)
  }
  const load = async (sha256: Sha256, held: HeldFile, file: OpenFile): Promise<HotBlob> => {
    held.shared.loaded ??= readWhole(file)
    const data = await held.shared.loaded
    const blob = { data, size: file.size, modifiedAt: file.modifiedAt }
    if (!held.isGone()) {
      const isOften = warm.note(sha256, file) % OFTEN === 0
      if (isOften || inMemory.weight() + blob.size + ENTRY_BYTES <= bytes) keep(sha256, blob)
    }
    held.leave()
    return whole(blob)
  }
  /** One whose bytes were all read is warm. */
  const ofFile = (sha256: Sha256, held: HeldFile, file: OpenFile): HotBlob => {
    const { size, modifiedAt } = file
    const { shared, release } = held
    const read: HotBlob['read'] = async (buffer, at, length) => {
      const now = warm.readOpen(sha256, file.fd, buffer, at, length)
      if (now !== undefined) return now
      const count = await readFrom(file, buffer, at, length)
      shared.bytesRead += count
      if (shared.bytesRead >= size && !held.isGone()) {
        shared.bytesRead = 0
        warm.note(sha256, file)
      }
      return count
    }
    return { size, modifiedAt, file: shared, read, release }
  }
  return {
    small: (sha256) => inMemory.get(sha256),
    passing: (sha256) => {
      const blob = warm.read(sha256)
      if (blob !== undefined && blob.reads % OFTEN === 0) {
        const { size, modifiedAt } = blob
        const data = Buffer.allocUnsafeSlow(size)
        blob.data.copy(data)
        keep(sha256, { data, size, modifiedAt })
      }
      return blob
    },
    keepPassing: warm.takeAway,
    open: async (sha256) => {
      const known = inMemory.get(sha256)
      if (known !== undefined) return whole(known)
      const held = openFiles.hold(sha256)
      let isRead = false
      try {
        const file = await held.opened
        isRead = file !== undefined && file.size > smallBytes
        if (file === undefined) return undefined
        return isRead ? ofFile(sha256, held, file) : await load(sha256, held, file)
      } finally {
        // One that is not there may be there soon.
        if (!isRead) {
          held.leave()
          held.release()
        }
      }
    },
    drop: (sha256) => {
      inMemory.delete(sha256)
      warm.drop(sha256)
      openFiles.drop(sha256)
    },
    held: () => ({ bytes: inMemory.weight(), files: openFiles.count() }),
  }
}

function whole(blob: SmallBlob): HotBlob {
  const read: HotBlob['read'] = async (buffer, at, length) =>
    blob.data.copy(buffer, 0, at, at + length)
  return { ...blob, read, release: () => undefined }
}

async function readWhole(file: OpenFile): Promise<Buffer> {
  const data = Buffer.allocUnsafeSlow(file.size)
  for (let at = 0; at < file.size; ) {
    at += await readFrom(file, data.subarray(at), at, file.size - at)
  }
  return data
}
