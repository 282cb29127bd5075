/**
 * Revocations: owns the tables `revocation` and `revoked_file`. A version that no channel offers any more, for good, and the
 * files that it consists of, whichever archive or generation named them (revocations.ts).
 */
import { type Sha256, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const revocationMigrations: readonly Migration[] = [
  {
    name: 'archives-revocations-1',
    statements: [
      `CREATE TABLE revocation (
        name TEXT NOT NULL, version TEXT NOT NULL, made_at INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL,
        done_at INTEGER, PRIMARY KEY (name, version)
      ) WITHOUT ROWID`,
      `CREATE TABLE revoked_file (
        sha256 BLOB NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY (sha256, name, version)
      ) WITHOUT ROWID`,
    ],
  },
]

/** A name and a version: of a source package with all that is built from it, or of a binary package. */
export interface RevokedVersion {
  readonly name: string
  readonly version: string
}

export interface Revocation extends RevokedVersion {
  /** Epoch milliseconds. */
  readonly madeAt: number
  readonly who: string
  readonly why: string
  /** When it was out of all channels; until then the next start goes on with it. */
  readonly doneAt?: number | undefined
}

/** A file of a version that is revoked. */
export interface RevokedFile extends RevokedVersion {
  readonly sha256: Sha256
}

type RevocationTables = {
  revocation: {
    name: string
    version: string
    made_at: number
    who: string
    why: string
    done_at: number | null
  }
}

/** All revocations, by name and version. */
export async function listRevocations(db: Db): Promise<Revocation[]> {
  const rows = await db
    .withTables<RevocationTables>()
    .selectFrom('revocation')
    .selectAll()
    .orderBy('name')
    .orderBy('version')
    .execute()
  return rows.map(({ made_at: madeAt, done_at: doneAt, ...row }) => ({
    ...row,
    madeAt,
    doneAt: doneAt ?? undefined,
  }))
}

/** The files of all revocations. */
export async function listRevokedFiles(db: Db): Promise<RevokedFile[]> {
  const { rows } = await sql<RevokedVersion & { sha256: Buffer }>`
    SELECT sha256, name, version FROM revoked_file`.execute(db)
  return rows.map((row) => ({ ...row, sha256: sha256FromBytes(row.sha256) }))
}

/** Adds a revocation, or puts it in place of that of the same version; within the caller's transaction. */
export async function putRevocation(db: Db, revocation: Revocation): Promise<void> {
  const { madeAt: made_at, doneAt: done_at = null, name, version, who, why } = revocation
  const row = { name, version, who, why, made_at, done_at }
  await db
    .withTables<RevocationTables>()
    .insertInto('revocation')
    .values(row)
    .onConflict((on) => on.columns(['name', 'version']).doUpdateSet(row))
    .execute()
}

/** It is out of all channels since then. */
export async function noteRevoked(
  db: Db,
  { name, version }: RevokedVersion,
  doneAt: number,
): Promise<void> {
  await db
    .withTables<RevocationTables>()
    .updateTable('revocation')
    .set({ done_at: doneAt })
    .where('name', '=', name)
    .where('version', '=', version)
    .execute()
}

/** Removes one, with its files; within the caller's transaction. */
export async function dropRevocation(db: Db, { name, version }: RevokedVersion): Promise<void> {
  for (const table of ['revocation', 'revoked_file'] as const) {
    await sql`DELETE FROM ${sql.table(table)} WHERE name = ${name} AND version = ${version}`.execute(
      db,
    )
  }
}

/** Adds files; those that are there stay. */
export async function addRevokedFiles(db: Db, files: readonly RevokedFile[]): Promise<void> {
  const json = JSON.stringify(files.map((one) => [one.sha256, one.name, one.version]))
  await sql`INSERT OR IGNORE INTO revoked_file (sha256, name, version)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2 FROM json_each(${json})`.execute(db)
}
