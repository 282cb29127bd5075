/**
 * The blobs as a whole: lists and sums (SQL for the table of blobs.ts). Sizes, and which blobs are files, are asked of
 * indexes: bytes are not walked through for that.
 */
import { type Sha256, sha256FromBytes } from '../base/sha256.ts'
import { type Db, sql } from './database.ts'

export type BlobTables = {
  blob: { sha256: Buffer; size: number; data: Buffer | null; made_at: number }
}

export type BlobTotals = Record<'rows' | 'rowBytes' | 'files' | 'fileBytes', number>

/**
 * Digests of the blobs behind `after` (32 bytes; empty for the first), at most `limit`, one after the other in their order:
 * a page of thousands in a millisecond.
 */
export async function readDigests(db: Db, after: Buffer, limit: number): Promise<Buffer> {
  const { rows } = await sql<{ digests: string | null }>`SELECT group_concat(digest, '') AS digests
    FROM (SELECT hex(sha256) AS digest FROM blob WHERE sha256 > ${after} ORDER BY sha256 LIMIT ${limit})`.execute(
    db,
  )
  return Buffer.from(rows[0]?.digests ?? '', 'hex')
}

/** All blobs that are kept as files. */
export async function listFileBlobs(db: Db): Promise<{ sha256: Sha256; size: number }[]> {
  const rows = await db
    .withTables<BlobTables>()
    .selectFrom('blob')
    .select(['sha256', 'size'])
    .where('data', 'is', null)
    .execute()
  return rows.map((row) => ({ sha256: sha256FromBytes(row.sha256), size: row.size }))
}

/** Bytes and counts of the store's blobs: rows and files. */
export async function blobTotals(db: Db): Promise<BlobTotals> {
  const sums = db
    .withTables<BlobTables>()
    .selectFrom('blob')
    .select([sql<number>`count(*)`.as('count'), sql<number>`coalesce(sum(size), 0)`.as('bytes')])
  const all = await sums.executeTakeFirstOrThrow()
  const { count, bytes } = await sums.where('data', 'is', null).executeTakeFirstOrThrow()
  return { rows: all.count - count, rowBytes: all.bytes - bytes, files: count, fileBytes: bytes }
}
