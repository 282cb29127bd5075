/**
 * Where bytes come from: owns the table `origin`, primary data that is written with every suite state.
 *
 * digest, size -> archive and the file's path below the archive's URL. One row for each archive that names the digest;
 * the path that an archive named last counts, and for a path the digest that was named last: some archives put other
 * bytes under an old name.
 */
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, type RawBuilder, sql } from '../store/database.ts'
import { noteChange } from './changes.ts'

export const originMigrations: readonly Migration[] = [
  {
    name: 'archives-origins-1',
    statements: [
      `CREATE TABLE origin (
        sha256 BLOB NOT NULL, archive_id INTEGER NOT NULL, size INTEGER NOT NULL, path TEXT NOT NULL,
        PRIMARY KEY (sha256, archive_id)
      ) WITHOUT ROWID`,
      'CREATE INDEX origin_path ON origin (archive_id, path)',
    ],
  },
  {
    name: 'archives-origins-2',
    statements: ['ALTER TABLE origin ADD COLUMN named_at INTEGER NOT NULL DEFAULT 0'],
  },
]

type OriginTables = {
  origin: { sha256: Buffer; archive_id: number; size: number; path: string; named_at: number }
}

/** A file that an archive has, as its index names it. */
export interface Origin {
  readonly sha256: Sha256
  readonly archiveId: number
  readonly size: number
  /** Below the archive's URL, not percent-encoded: `pool/main/h/hello/hello_2.10-3_amd64.deb`. */
  readonly path: string
}

/**
 * Adds origins of one archive; within the caller's transaction. Most of those in a chunk that changed are known and the
 * last to have their path: these are left alone.
 */
export async function addOrigins(
  db: Db,
  archiveId: number,
  origins: readonly Omit<Origin, 'archiveId'>[],
): Promise<void> {
  await sql`INSERT INTO origin (sha256, archive_id, size, path, named_at)
    SELECT unhex(value ->> 0), ${archiveId}, value ->> 1, value ->> 2, ${Date.now()}
    FROM json_each(${toJson(origins)}) WHERE NOT ${isKnown(archiveId)}
    ON CONFLICT (sha256, archive_id) DO UPDATE SET path = excluded.path, named_at = excluded.named_at`.execute(
    db,
  )
  noteChange('origins')
}

/** Those of these that `addOrigins` would write now. */
export async function newOrigins<One extends Omit<Origin, 'archiveId'>>(
  db: Db,
  archiveId: number,
  origins: readonly One[],
): Promise<One[]> {
  const { rows } = await sql<{ at: number }>`SELECT key AS at
    FROM json_each(${toJson(origins)}) WHERE NOT ${isKnown(archiveId)}`.execute(db)
  return rows.flatMap(({ at }) => origins[at] ?? [])
}

function toJson(origins: readonly Omit<Origin, 'archiveId'>[]): string {
  return JSON.stringify(origins.map((one) => [one.sha256, one.size, one.path]))
}

/** Whether the row of `json_each` is known, and is the last that was named for its path. */
function isKnown(archiveId: number): RawBuilder<boolean> {
  return sql<boolean>`EXISTS (
    SELECT 1 FROM origin AS known
    WHERE known.sha256 = unhex(value ->> 0) AND known.archive_id = ${archiveId} AND known.path = value ->> 2
      AND NOT EXISTS (
        SELECT 1 FROM origin AS later
        WHERE later.archive_id = ${archiveId} AND later.path = known.path AND later.named_at > known.named_at
      )
  )`
}

/** All archives that named this digest. */
export async function originsOf(db: Db, sha256: Sha256): Promise<Origin[]> {
  const rows = await db
    .withTables<OriginTables>()
    .selectFrom('origin')
    .selectAll()
    .where('sha256', '=', sha256Bytes(sha256))
    .execute()
  return rows.map(toOrigin)
}

/** Those of these digests that no archive ever named: bytes that were made or brought here. */
export async function withoutOrigin(db: Db, digests: readonly Sha256[]): Promise<Set<Sha256>> {
  const { rows } = await sql<{ digest: string }>`SELECT value AS digest
    FROM json_each(${JSON.stringify(digests)})
    WHERE NOT EXISTS (SELECT 1 FROM origin WHERE sha256 = unhex(value))`.execute(db)
  const alone = new Set(rows.map((row) => row.digest))
  return new Set(digests.filter((digest) => alone.has(digest)))
}

/** What stands at this path of an archive, as its indexes said last. */
export async function originAt(
  db: Db,
  archiveId: number,
  path: string,
): Promise<Origin | undefined> {
  const row = await db
    .withTables<OriginTables>()
    .selectFrom('origin')
    .selectAll()
    .where('archive_id', '=', archiveId)
    .where('path', '=', path)
    .orderBy('named_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? undefined : toOrigin(row)
}

/** Where a walk through the origins is: behind this one. */
export type OriginKey = Pick<Origin, 'sha256' | 'archiveId'>

/** The origins behind `after`, at most `limit`, by digest. */
export async function listOrigins(
  db: Db,
  after: OriginKey | undefined,
  limit: number,
): Promise<OriginKey[]> {
  const { rows } = await sql<{ sha256: Buffer; archive_id: number }>`
    SELECT sha256, archive_id FROM origin
    WHERE (sha256, archive_id) > (${after === undefined ? Buffer.alloc(0) : sha256Bytes(after.sha256)},
      ${after?.archiveId ?? 0})
    ORDER BY sha256, archive_id LIMIT ${limit}`.execute(db)
  return rows.map((row) => ({ sha256: sha256FromBytes(row.sha256), archiveId: row.archive_id }))
}

/** Deletes origins; within the caller's transaction. */
export async function deleteOrigins(db: Db, origins: readonly OriginKey[]): Promise<void> {
  const json = JSON.stringify(origins.map((one) => [one.sha256, one.archiveId]))
  await sql`DELETE FROM origin WHERE (sha256, archive_id) IN (
    SELECT unhex(value ->> 0), value ->> 1 FROM json_each(${json}))`.execute(db)
  noteChange('origins')
}

function toOrigin(row: OriginTables['origin']): Origin {
  return {
    sha256: sha256FromBytes(row.sha256),
    archiveId: row.archive_id,
    size: row.size,
    path: row.path,
  }
}
