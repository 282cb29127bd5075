/**
 * Checks that every file blob has its file, of its size; with `deep` that all bytes, of files and of small blobs, are what
 * their names say. A damaged file is put aside (store/put-aside.ts) and forgotten, so that it can be fetched anew.
 */
import { stat } from 'node:fs/promises'
import { systemCode } from '../base/errors.ts'
import { breathe, mapBounded } from '../base/mutex.ts'
import { type Sha256, sha256Of, sha256Stream } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type BlobRow, listBlobs } from '../store/blob-removal.ts'
import { readRows } from '../store/blobs.ts'
import { FROM_BACKUP, type VerifyReport } from './verify-report.ts'

const PAGE = 200
const PIECE_BYTES = 1024 * 1024
const ROWS_AT_ONCE = 20
const FILES_AT_ONCE = 4

export interface BlobInput {
  readonly deep: boolean
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** A file that is not what it should be. */
export interface DamagedFile {
  readonly sha256: Sha256
  /** There is none. */
  readonly isGone: boolean
}

/** Goes through all blobs; the files that were put aside. */
export async function verifyBlobs(
  parts: ChannelParts,
  report: VerifyReport,
  { deep, onProgress, signal }: BlobInput,
): Promise<DamagedFile[]> {
  const damaged: DamagedFile[] = []
  const total = onProgress === undefined ? 0 : await countFiles(parts)
  let done = 0
  for (let after: Sha256 | undefined; ; ) {
    signal?.throwIfAborted()
    const page = await listBlobs(parts.db, after, PAGE)
    const files = page.filter((blob) => blob.isFile)
    await mapBounded(files, FILES_AT_ONCE, async (blob) => {
      signal?.throwIfAborted()
      const state = await stateOf(parts, blob, deep)
      if (state === 'whole') return
      damaged.push({ sha256: blob.sha256, isGone: state === 'gone' })
      await parts.blobs.forget(blob.sha256)
    })
    if (deep) await verifyRows(parts, report, page)
    if (deep) report.blobs += files.length
    done += files.length
    onProgress?.('files', done, Math.max(done, total))
    after = page.at(-1)?.sha256 ?? after
    if (page.length < PAGE) return damaged
    await breathe()
  }
}

/** Page by page: for one statement that counts all nobody would wait gladly. */
async function countFiles({ db }: ChannelParts): Promise<number> {
  let count = 0
  for (let after: Sha256 | undefined; ; ) {
    const page = await listBlobs(db, after, PAGE)
    count += page.filter((blob) => blob.isFile).length
    after = page.at(-1)?.sha256 ?? after
    if (page.length < PAGE) return count
    await breathe()
  }
}

async function stateOf(
  parts: ChannelParts,
  blob: BlobRow,
  deep: boolean,
): Promise<'whole' | 'damaged' | 'gone'> {
  if (deep) {
    const found = await hashFile(parts, blob.sha256)
    if (found === undefined) return 'gone'
    return found === blob.sha256 ? 'whole' : 'damaged'
  }
  try {
    const { size } = await stat(parts.blobs.filePath(blob.sha256))
    return size === blob.size ? 'whole' : 'damaged'
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'gone'
    throw error
  }
}

/** The digest of a blob's file as it is; undefined if there is none. `pace` is waited for after each piece of a megabyte. */
export async function hashFile(
  { blobs }: Pick<ChannelParts, 'blobs'>,
  sha256: Sha256,
  pace?: (bytes: number) => Promise<void>,
): Promise<Sha256 | undefined> {
  const open = await blobs.openFile(sha256)
  if (open === undefined) return undefined
  const { handle, size } = open
  const hash = sha256Stream()
  // Most files are small: a stream's buffers, a megabyte for each, were more work than hashing them.
  const buffer = Buffer.allocUnsafe(Math.min(size + 1, PIECE_BYTES))
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) break
      hash.update(buffer.subarray(0, bytesRead))
      await pace?.(bytesRead)
    }
  } catch (error) {
    // What the disk cannot read is damaged.
    if (systemCode(error) !== 'EIO') throw error
  } finally {
    await handle.close()
  }
  return hash.digest()
}

async function verifyRows(
  parts: ChannelParts,
  report: VerifyReport,
  page: readonly BlobRow[],
): Promise<void> {
  const rows = page.filter((blob) => !blob.isFile).map((blob) => blob.sha256)
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const some = rows.slice(at, at + ROWS_AT_ONCE)
    for (const [nth, data] of (await readRows(parts.db, some)).entries()) {
      const sha256 = some[nth]
      if (sha256 === undefined || sha256Of(data) === sha256) continue
      const message = 'its bytes in the database are not what its name says'
      report.problems.push({ what: `blob ${sha256}`, message, hint: FROM_BACKUP })
    }
    await breathe()
  }
}
