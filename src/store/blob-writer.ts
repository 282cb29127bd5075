/**
 * How a file becomes a blob: temp file -> compared -> durable -> linked to its name -> row (the order that blobs.ts
 * promises). Each step is a crash point.
 */
import { constants } from 'node:fs'
import { chmod, copyFile, link, mkdir, open, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, systemCode, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { type Sha256, sha256Stream } from '../base/sha256.ts'
import type { BlobNews } from './blob-news.ts'
import type { Db } from './database.ts'
import { spare } from './doomed.ts'
import { putAside } from './put-aside.ts'
import type { RowBatch } from './row-batch.ts'
import type { Withdrawn } from './withdrawn.ts'

/** A file on its way into the store. */
export interface BlobWriter {
  /** The temp file, which others may read while it grows. */
  readonly path: string
  /** Bytes written so far. */
  readonly written: number
  write(chunk: Buffer): Promise<void>
  /** The next bytes, which are in the file already. */
  count(chunk: Buffer): void
  /** Compares length and digest (`ERR_SIZE_MISMATCH`, `ERR_DIGEST_MISMATCH`: nothing is kept), then makes it durable. */
  commit(expected: BlobExpectation): Promise<void>
  /** Removes the temp file; harmless after `commit`. */
  abort(): Promise<void>
}

export interface BlobExpectation {
  readonly sha256: Sha256
  readonly size: number
  /** Epoch seconds: becomes the file's mtime, which is served as Last-Modified. */
  readonly modifiedAt?: number | undefined
  /** Called when length and digest proved right: what follows makes the file durable. */
  readonly onRight?: (() => void) | undefined
}

/** Where a store keeps its things. */
export interface BlobPlace {
  readonly db: Db
  readonly blobs: string
  readonly tmp: string
  /** Where damaged files go. */
  readonly quarantine: string
  /** Where files go that are withdrawn, and which blobs are. */
  readonly revoked: string
  readonly withdrawn: Withdrawn
  readonly rows: RowBatch
  /** Blobs whose row just went and whose file goes now; each until that is done. */
  readonly leaving: Map<Sha256, Promise<void>>
  readonly news: BlobNews
}

/** Larger pieces lie about until the next collection: some 70 MB more with one large file. */
const READ_BYTES = 64 * 1024

/** Starts a temp file at `path`, which must not exist. */
export async function createWriter(place: BlobPlace, path: string): Promise<BlobWriter> {
  const handle = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600)
  crashPoint('blob: temp file made')
  const hash = sha256Stream()
  let written = 0
  let isOpen = true
  const abort = async (): Promise<void> => {
    if (isOpen) await handle.close()
    isOpen = false
    await rm(path, { force: true })
  }
  return {
    path,
    get written() {
      return written
    },
    write: async (chunk) => {
      hash.update(chunk)
      let at = 0
      while (at < chunk.length) {
        const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, written + at)
        at += bytesWritten
      }
      written += chunk.length
      crashPoint('blob: bytes written')
    },
    count: (chunk) => {
      hash.update(chunk)
      written += chunk.length
    },
    commit: async (expected) => {
      try {
        compare(expected, written, hash.digest())
        expected.onRight?.()
        await handle.datasync()
        isOpen = false
        await handle.close()
        await linkInPlace(place, path, expected)
      } catch (error) {
        throw toStoreError(error, expected.sha256)
      } finally {
        await abort()
      }
    },
    abort,
  }
}

/**
 * Copies a file that somebody else owns into the store: never a link, since he may write to it; where the file system can
 * do it, a copy that shares its blocks. The copy is what is hashed.
 */
export async function takeFile(
  place: BlobPlace,
  { from, tmp }: { readonly from: string; readonly tmp: string },
  expected: BlobExpectation,
): Promise<void> {
  try {
    await copyFile(from, tmp, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
    crashPoint('take: copied')
    const handle = await open(tmp, 'r')
    try {
      const hash = sha256Stream()
      let size = 0
      for await (const piece of handle.createReadStream({
        autoClose: false,
        highWaterMark: READ_BYTES,
      })) {
        hash.update(piece as Buffer)
        size += (piece as Buffer).length
      }
      compare(expected, size, hash.digest())
      await handle.datasync()
    } finally {
      await handle.close()
    }
    await linkInPlace(place, tmp, expected)
  } catch (error) {
    throw toStoreError(error, expected.sha256)
  } finally {
    await rm(tmp, { force: true })
  }
}

function compare(expected: BlobExpectation, size: number, sha256: Sha256): void {
  if (size !== expected.size) {
    throw new AppError('ERR_SIZE_MISMATCH', {
      message: `got ${size} bytes where ${expected.size} were promised`,
      details: { expected: expected.size, found: size },
    })
  }
  if (sha256 !== expected.sha256) {
    throw new AppError('ERR_DIGEST_MISMATCH', {
      message: `the bytes have the digest ${sha256}, promised was ${expected.sha256}`,
      details: { expected: expected.sha256, found: sha256 },
    })
  }
}

async function linkInPlace(
  place: BlobPlace,
  tmp: string,
  expected: BlobExpectation,
): Promise<void> {
  const dir = join(place.blobs, expected.sha256.slice(0, 2))
  const path = join(dir, expected.sha256.slice(2))
  place.withdrawn.refuse(expected.sha256)
  crashPoint('blob: synced, not linked')
  if (expected.modifiedAt !== undefined) await utimes(tmp, expected.modifiedAt, expected.modifiedAt)
  await chmod(tmp, 0o444)
  // One that is here and was to be deleted stays; one that is being deleted goes before this one takes its name.
  await spare(place.db, 'blob', [expected.sha256])
  await place.leaving.get(expected.sha256)
  if ((await mkdir(dir, { recursive: true })) !== undefined) await syncDirectory(place.blobs)
  try {
    await link(tmp, path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    // A file of the same name is whole, unless the disk lost its end: then the new one takes its place.
    if ((await stat(path)).size !== expected.size) {
      await rm(path)
      await link(tmp, path)
    }
  }
  crashPoint('blob: linked, directory not synced')
  await syncDirectory(dir)
  crashPoint('blob: durable, no row')
  await place.rows.add({ sha256: expected.sha256, size: expected.size })
  // Who withdrew it since then has looked for the file, or the row, before it was there.
  if (place.withdrawn.has(expected.sha256)) await putAside(place, expected.sha256)
  place.withdrawn.refuse(expected.sha256)
  place.news.added(expected.sha256, expected.size)
  crashPoint('blob: row written')
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function toStoreError(error: unknown, sha256: Sha256): AppError {
  const known = toAppError(error)
  if (known.code !== 'ERR_INTERNAL') return known
  return new AppError('ERR_STORE', { message: `blob ${sha256} could not be stored`, cause: error })
}
