/**
 * How chunks are gone through and deleted: SQL for the tables of chunk-table.ts that only the garbage collector and the
 * check of the store need.
 *
 * A chunk goes with what finds it (`raw_chunk`, `chunk_source`), in one transaction; its member, a blob, only in a later
 * one, when no chunk names it any more (`membersNamed`).
 */
import { type Sha256, sha256FromBytes } from '../base/sha256.ts'
import { type Db, sql } from '../store/database.ts'
import { takeDoomed } from '../store/doomed.ts'

/** A chunk as its row tells it. */
export interface ChunkRecord {
  /** Goes up from one to the next that is made; the number of the last one may be given again when that is deleted. */
  readonly id: number
  readonly plain: Sha256
  readonly member: Sha256
  readonly plainSize: number
}

/** The chunks whose ids are behind `after`, at most `limit`, in the order of ids. */
export async function listChunks(db: Db, after: number, limit: number): Promise<ChunkRecord[]> {
  const { rows } = await sql<{ id: number; plain: Buffer; member: Buffer; plain_size: number }>`
    SELECT id, plain, member, plain_size FROM chunk WHERE id > ${after} ORDER BY id LIMIT ${limit}`.execute(
    db,
  )
  return rows.map((row) => ({
    id: row.id,
    plain: sha256FromBytes(row.plain),
    member: sha256FromBytes(row.member),
    plainSize: row.plain_size,
  }))
}

/** The highest id of a chunk; 0 where there is none. */
export async function lastChunkId(db: Db): Promise<number> {
  const { rows } = await sql<{ id: number | null }>`SELECT max(id) AS id FROM chunk`.execute(db)
  return rows[0]?.id ?? 0
}

/** The members of these chunks, by the digests of their texts. */
export async function membersOf(db: Db, plains: readonly Sha256[]): Promise<Map<Sha256, Sha256>> {
  const { rows } = await sql<{ plain: Buffer; member: Buffer }>`SELECT plain, member FROM chunk
    WHERE plain IN (SELECT unhex(value) FROM json_each(${JSON.stringify(plains)}))`.execute(db)
  return new Map(rows.map((row) => [sha256FromBytes(row.plain), sha256FromBytes(row.member)]))
}

/** Which of these blobs are members of chunks. */
export async function membersNamed(db: Db, digests: readonly Sha256[]): Promise<Set<Sha256>> {
  const { rows } = await sql<{ member: Buffer }>`SELECT DISTINCT member FROM chunk
    WHERE member IN (SELECT unhex(value) FROM json_each(${JSON.stringify(digests)}))`.execute(db)
  return new Set(rows.map((row) => sha256FromBytes(row.member)))
}

/**
 * Deletes those of these chunks (digests of their texts) that were doomed before `before` (epoch milliseconds), and says
 * which; within the caller's transaction.
 */
export async function removeChunks(
  trx: Db,
  plains: readonly Sha256[],
  before: number,
): Promise<Sha256[]> {
  const taken = await takeDoomed(trx, 'chunk', plains, before)
  if (taken.length === 0) return []
  const { rows } = await sql<{ id: number; plain: Buffer }>`DELETE FROM chunk
    WHERE plain IN (SELECT unhex(value) FROM json_each(${JSON.stringify(taken)}))
    RETURNING id, plain`.execute(trx)
  const ids = JSON.stringify(rows.map((row) => row.id))
  for (const table of ['chunk_source', 'raw_chunk'] as const) {
    await sql`DELETE FROM ${sql.table(table)}
      WHERE chunk_id IN (SELECT value FROM json_each(${ids}))`.execute(trx)
  }
  return rows.map((row) => sha256FromBytes(row.plain))
}
