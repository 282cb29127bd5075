/**
 * What was ever uploaded to local archives: owns the table `upload`. A row for each package (a source package is one of the
 * architecture `source`) in each suite and component that it was published to; it stays when the package is taken out, so
 * that a name and a version never mean other bytes than they did once.
 */
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const uploadMigrations: readonly Migration[] = [
  {
    name: 'archives-uploads-1',
    statements: [
      `CREATE TABLE upload (
        id INTEGER PRIMARY KEY, archive_id INTEGER NOT NULL REFERENCES archive (id) ON DELETE CASCADE,
        name TEXT NOT NULL, version TEXT NOT NULL, architecture TEXT NOT NULL, suite TEXT NOT NULL, component TEXT NOT NULL,
        sha256 BLOB NOT NULL, size INTEGER NOT NULL, source TEXT NOT NULL, source_version TEXT NOT NULL,
        who TEXT NOT NULL, at INTEGER NOT NULL, removed_at INTEGER,
        UNIQUE (archive_id, name, version, architecture, suite, component)
      )`,
      'CREATE INDEX upload_sha256 ON upload (archive_id, sha256)',
    ],
  },
]

/** A package of a local archive, as it was uploaded. */
export interface UploadRow {
  readonly name: string
  readonly version: string
  /** `source` for source packages. */
  readonly architecture: string
  readonly suite: string
  readonly component: string
  /** Of the .deb, or the .dsc. */
  readonly sha256: Sha256
  readonly size: number
  readonly source: string
  readonly sourceVersion: string
  /** The token, or the key that signed. */
  readonly who: string
  /** Epoch milliseconds. */
  readonly at: number
  /** When it was taken out; it is there unless told. */
  readonly removedAt?: number | undefined
}

type StoredRow = {
  id: number
  archive_id: number
  name: string
  version: string
  architecture: string
  suite: string
  component: string
  sha256: Buffer
  size: number
  source: string
  source_version: string
  who: string
  at: number
  removed_at: number | null
}
type UploadTables = { upload: StoredRow }

/** What tells a package from all others of an archive. */
export type PackageKey = Pick<UploadRow, 'name' | 'version' | 'architecture'>

/** All rows of these packages, removed ones too. */
export async function findUploads(
  db: Db,
  archiveId: number,
  keys: readonly PackageKey[],
): Promise<UploadRow[]> {
  const json = JSON.stringify(keys.map((key) => [key.name, key.version, key.architecture]))
  const { rows } = await sql<StoredRow>`SELECT upload.* FROM json_each(${json})
    JOIN upload ON archive_id = ${archiveId} AND name = value ->> 0 AND version = value ->> 1
      AND architecture = value ->> 2
    ORDER BY id`.execute(db)
  return rows.map(toRow)
}

/** The rows of these bytes. */
export async function findUploadsOf(
  db: Db,
  archiveId: number,
  sha256: Sha256,
): Promise<UploadRow[]> {
  const rows = await db
    .withTables<UploadTables>()
    .selectFrom('upload')
    .selectAll()
    .where('archive_id', '=', archiveId)
    .where('sha256', '=', sha256Bytes(sha256))
    .orderBy('id')
    .execute()
  return rows.map(toRow)
}

/** All that an archive has now, by name. */
export async function listUploads(db: Db, archiveId: number): Promise<UploadRow[]> {
  const rows = await db
    .withTables<UploadTables>()
    .selectFrom('upload')
    .selectAll()
    .where('archive_id', '=', archiveId)
    .where('removed_at', 'is', null)
    .orderBy('name')
    .orderBy('id')
    .execute()
  return rows.map(toRow)
}

/** What an archive has now of one package for one architecture, in one suite and component. */
export async function listVersions(
  db: Db,
  archiveId: number,
  place: Pick<UploadRow, 'name' | 'architecture' | 'suite' | 'component'>,
): Promise<UploadRow[]> {
  const rows = await db
    .withTables<UploadTables>()
    .selectFrom('upload')
    .selectAll()
    .where('archive_id', '=', archiveId)
    .where('name', '=', place.name)
    .where('architecture', '=', place.architecture)
    .where('suite', '=', place.suite)
    .where('component', '=', place.component)
    .where('removed_at', 'is', null)
    .execute()
  return rows.map(toRow)
}

/** They are taken out; within the caller's transaction. */
export async function noteRemoved(
  db: Db,
  archiveId: number,
  rows: readonly UploadRow[],
  at: number,
): Promise<void> {
  await saveUploads(
    db,
    archiveId,
    rows.map((row) => ({ ...row, removedAt: at })),
  )
}

/** Writes rows; one that is there counts as published again. Within the caller's transaction. */
export async function saveUploads(
  db: Db,
  archiveId: number,
  rows: readonly UploadRow[],
): Promise<void> {
  for (const row of rows) {
    const { sourceVersion, removedAt, sha256, ...same } = row
    const values = {
      ...same,
      archive_id: archiveId,
      sha256: sha256Bytes(sha256),
      source_version: sourceVersion,
      removed_at: removedAt ?? null,
    }
    await db
      .withTables<UploadTables>()
      .insertInto('upload')
      .values(values as StoredRow)
      .onConflict((on) =>
        on
          .columns(['archive_id', 'name', 'version', 'architecture', 'suite', 'component'])
          .doUpdateSet({ removed_at: values.removed_at, who: row.who, at: row.at }),
      )
      .execute()
  }
}

function toRow(row: StoredRow): UploadRow {
  const { name, version, architecture, suite, component, size, source, who, at } = row
  return {
    ...{ name, version, architecture, suite, component, size, source, who, at },
    sha256: sha256FromBytes(row.sha256),
    sourceVersion: row.source_version,
    removedAt: row.removed_at ?? undefined,
  }
}
