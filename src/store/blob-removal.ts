/**
 * How blobs are gone through and deleted (SQL for the table of blobs.ts that only the garbage collector and the check of
 * the store need). They are deleted so: out of `doomed` and out of `blob` in one transaction, then their files.
 *
 * From before that transaction until its file is gone a blob is `leaving`: a writer that brings it again meanwhile waits
 * for the end of it (blob-writer.ts), so that what it links is never taken away. A crash in between leaves a whole file
 * without a row, which the next start takes in again (blobs.ts) and the next collection dooms again.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crashPoint } from '../base/fault.ts'
import { mapBounded } from '../base/mutex.ts'
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import type { BlobPlace } from './blob-writer.ts'
import { type Db, inTransaction, sql } from './database.ts'
import { takeDoomed } from './doomed.ts'

const FILES_AT_ONCE = 8

/** Which blobs go, and who is told. */
export interface Removal {
  /** Only those that were doomed before this time (epoch milliseconds). */
  readonly before: number
  /** Asked within the transaction: those that something still names stay. */
  readonly named: (trx: Db, digests: readonly Sha256[]) => Promise<ReadonlySet<Sha256>>
  /** Told within the transaction what went. */
  readonly note: (trx: Db, removed: readonly BlobRow[]) => Promise<void>
}

/** Deletes those of these blobs whose time has come; some 100 at a time, since a transaction keeps all others waiting. */
export async function removeDoomed(
  place: BlobPlace,
  digests: readonly Sha256[],
  removal: Removal,
): Promise<void> {
  await whileLeaving(place, digests, async () => {
    const removed = await inTransaction(place.db, async (trx) => {
      const named = await removal.named(trx, digests)
      const free = digests.filter((digest) => !named.has(digest))
      const rows = await deleteRows(trx, await takeDoomed(trx, 'blob', free, removal.before))
      await removal.note(trx, rows)
      crashPoint('gc: blobs, before the commit')
      return rows
    })
    for (const { sha256 } of removed) place.news.gone(sha256)
    crashPoint('gc: rows of blobs removed, files left')
    // Small ones may have a file as well: putRows gives one that came as a file its bytes.
    await mapBounded(removed, FILES_AT_ONCE, async ({ sha256 }) => {
      await rm(join(place.blobs, sha256.slice(0, 2), sha256.slice(2)), { force: true })
      crashPoint('gc: file removed')
    })
  })
}

/** Until that is done, a writer that brings one of these blobs again waits. */
export async function whileLeaving(
  { leaving }: BlobPlace,
  digests: readonly Sha256[],
  work: () => Promise<void>,
): Promise<void> {
  const gone = Promise.withResolvers<void>()
  for (const digest of digests) leaving.set(digest, gone.promise)
  try {
    await work()
  } finally {
    for (const digest of digests) {
      if (leaving.get(digest) === gone.promise) leaving.delete(digest)
    }
    gone.resolve()
  }
}

/** A blob without its bytes. */
export interface BlobRow {
  readonly sha256: Sha256
  readonly size: number
  readonly isFile: boolean
}

async function deleteRows(trx: Db, digests: readonly Sha256[]): Promise<BlobRow[]> {
  const { rows } = await sql<{ sha256: Buffer; size: number; isFile: number }>`DELETE FROM blob
    WHERE sha256 IN (SELECT unhex(value) FROM json_each(${JSON.stringify(digests)}))
    RETURNING sha256, size, typeof(data) = 'null' AS isFile`.execute(trx)
  return rows.map(({ sha256, size, isFile }) => {
    return { sha256: sha256FromBytes(sha256), size, isFile: isFile === 1 }
  })
}

/** The blobs behind `after`, at most `limit`, in the order of their digests. */
export async function listBlobs(
  db: Db,
  after: Sha256 | undefined,
  limit: number,
): Promise<BlobRow[]> {
  // IS NULL would read the bytes of each.
  const { rows } = await sql<{ sha256: Buffer; size: number; isFile: number }>`
    SELECT sha256, size, typeof(data) = 'null' AS isFile FROM blob
    WHERE sha256 > ${after === undefined ? Buffer.alloc(0) : sha256Bytes(after)}
    ORDER BY sha256 LIMIT ${limit}`.execute(db)
  return rows.map(({ sha256, size, isFile }) => {
    return { sha256: sha256FromBytes(sha256), size, isFile: isFile === 1 }
  })
}

/** Those of these blobs that are not here. Asking does not keep the others from being deleted. */
export async function absentBlobs(db: Db, digests: readonly Sha256[]): Promise<Sha256[]> {
  const { rows } = await sql<{ digest: string }>`SELECT value AS digest
    FROM json_each(${JSON.stringify(digests)})
    WHERE NOT EXISTS (SELECT 1 FROM blob WHERE sha256 = unhex(value))`.execute(db)
  const absent = new Set(rows.map((row) => row.digest))
  return digests.filter((digest) => absent.has(digest))
}

/** Those of these small blobs whose bytes begin so. */
export async function blobsBeginning(
  db: Db,
  digests: readonly Sha256[],
  begin: Buffer,
): Promise<Sha256[]> {
  const { rows } = await sql<{ sha256: Buffer }>`SELECT sha256 FROM blob
    WHERE sha256 IN (SELECT unhex(value) FROM json_each(${JSON.stringify(digests)}))
      AND substr(data, 1, ${begin.length}) = ${begin}`.execute(db)
  return rows.map((row) => sha256FromBytes(row.sha256))
}
