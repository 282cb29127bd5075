/**
 * What is known of pdiffs: owns the tables `pdiff`, `pdiff_index`, `pdiff_use` and `pdiff_history`.
 *
 * `pdiff` are patches; the name of one, `<new16>-<old16>` of the uncompressed indexes, says which two it is between, so
 * that any publication uses it again. `pdiff_index` are the Index files that a signed Release lists, `pdiff_use` the
 * patches that an Index lists. `pdiff_history` is what each publication served of each index: the rows beyond the newest
 * HISTORY are dropped as new ones come. Bytes are blobs: those of Index files and of patches as they are fetched.
 */
import type { FileDigest } from '../archives/suite-state.ts'
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const pdiffMigrations: readonly Migration[] = [
  {
    name: 'channels-pdiffs-1',
    statements: [
      `CREATE TABLE pdiff (
        name TEXT PRIMARY KEY, patch BLOB NOT NULL, patch_size INTEGER NOT NULL,
        gz BLOB NOT NULL, gz_size INTEGER NOT NULL
      ) WITHOUT ROWID`,
      `CREATE TABLE pdiff_index (
        release_id INTEGER NOT NULL, path TEXT NOT NULL, sha256 BLOB NOT NULL, size INTEGER NOT NULL,
        PRIMARY KEY (release_id, path)
      ) WITHOUT ROWID`,
      'CREATE INDEX pdiff_index_sha256 ON pdiff_index (sha256)',
      `CREATE TABLE pdiff_use (
        sha256 BLOB NOT NULL, name TEXT NOT NULL, PRIMARY KEY (sha256, name)
      ) WITHOUT ROWID`,
      'CREATE INDEX pdiff_use_name ON pdiff_use (name)',
      `CREATE TABLE pdiff_history (
        publication_id INTEGER NOT NULL, archive TEXT NOT NULL, suite TEXT NOT NULL, path TEXT NOT NULL,
        plain BLOB NOT NULL, plain_size INTEGER NOT NULL, root BLOB NOT NULL, place INTEGER NOT NULL,
        PRIMARY KEY (publication_id, archive, suite, path, plain)
      ) WITHOUT ROWID`,
    ],
  },
]

/** A patch, as its name in an Index says it. */
export interface Pdiff {
  readonly name: string
  /** The ed script. */
  readonly patch: FileDigest
  /** The file that is fetched, a blob. */
  readonly gz: FileDigest
}

/** An index that a publication served. */
export interface ServedIndex {
  readonly root: Sha256
  /** Uncompressed. */
  readonly plain: FileDigest
}

/** One suite at one publication. */
export interface PublishedSuite {
  readonly publicationId: number
  readonly archive: string
  readonly suite: string
}

/** What is published beside one index. */
export interface PdiffsOfIndex {
  /** `main/binary-amd64/Packages`. */
  readonly path: string
  /** What is to be remembered as served, newest first, from the current one on; absent if that is so already. */
  readonly served?: readonly ServedIndex[] | undefined
  /** The Index file with the patches that it lists, if there is one. */
  readonly listed?: { readonly index: FileDigest; readonly patches: readonly Pdiff[] } | undefined
}

type PdiffTables = {
  pdiff: { name: string; patch: Buffer; patch_size: number; gz: Buffer; gz_size: number }
  pdiff_index: { release_id: number; path: string; sha256: Buffer; size: number }
  pdiff_use: { sha256: Buffer; name: string }
  pdiff_history: {
    publication_id: number
    archive: string
    suite: string
    path: string
    plain: Buffer
    plain_size: number
    root: Buffer
    place: number
  }
}

/** Where the Index of an index's pdiffs is: beside it. */
export function pdiffIndexPath(path: string): string {
  return `${path}.diff/Index`
}

/** What this publication served of each index of the suite: path -> newest first. */
export async function listServed(
  db: Db,
  { publicationId, archive, suite }: PublishedSuite,
): Promise<Map<string, ServedIndex[]>> {
  const rows = await db
    .withTables<PdiffTables>()
    .selectFrom('pdiff_history')
    .select(['path', 'plain', 'plain_size', 'root'])
    .where('publication_id', '=', publicationId)
    .where('archive', '=', archive)
    .where('suite', '=', suite)
    .orderBy('place')
    .execute()
  const served = new Map<string, ServedIndex[]>()
  for (const row of rows) {
    const plain = { sha256: sha256FromBytes(row.plain), size: row.plain_size }
    const one = { root: sha256FromBytes(row.root), plain }
    const known = served.get(row.path)
    if (known === undefined) served.set(row.path, [one])
    else known.push(one)
  }
  return served
}

/** Those of these patches that were made before, by name. */
export async function findPdiffs(db: Db, names: readonly string[]): Promise<Map<string, Pdiff>> {
  if (names.length === 0) return new Map()
  const rows = await db
    .withTables<PdiffTables>()
    .selectFrom('pdiff')
    .selectAll()
    .where('name', 'in', names)
    .execute()
  return new Map(rows.map((row) => [row.name, toPdiff(row)]))
}

/** Writes what a Release lists of pdiffs; within the caller's transaction, which has the blobs. */
export async function savePdiffs(
  db: Db,
  at: PublishedSuite & { readonly releaseId: number },
  all: readonly PdiffsOfIndex[],
): Promise<void> {
  const indexes: unknown[] = []
  const uses: unknown[] = []
  const pdiffs: unknown[] = []
  for (const { path, listed } of all) {
    if (listed === undefined) continue
    const { index, patches } = listed
    indexes.push([path, index.sha256, index.size])
    for (const { name, patch, gz } of patches) {
      uses.push([index.sha256, name])
      pdiffs.push([name, patch.sha256, patch.size, gz.sha256, gz.size])
    }
  }
  // One statement for all rows of a table, over a JSON array: an Index has twenty.
  await sql`INSERT OR IGNORE INTO pdiff (name, patch, patch_size, gz, gz_size)
    SELECT value ->> 0, unhex(value ->> 1), value ->> 2, unhex(value ->> 3), value ->> 4
    FROM json_each(${JSON.stringify(pdiffs)})`.execute(db)
  await sql`INSERT OR IGNORE INTO pdiff_use (sha256, name)
    SELECT unhex(value ->> 0), value ->> 1 FROM json_each(${JSON.stringify(uses)})`.execute(db)
  await sql`INSERT INTO pdiff_index (release_id, path, sha256, size)
    SELECT ${at.releaseId}, value ->> 0, unhex(value ->> 1), value ->> 2
    FROM json_each(${JSON.stringify(indexes)})`.execute(db)
  await saveServed(db, at, all)
}

/** The Index files that this Release lists: `main/binary-amd64/Packages.diff/Index` -> digest. */
export async function listPdiffIndexes(
  db: Db,
  releaseId: number,
): Promise<Map<string, FileDigest>> {
  const rows = await db
    .withTables<PdiffTables>()
    .selectFrom('pdiff_index')
    .select(['path', 'sha256', 'size'])
    .where('release_id', '=', releaseId)
    .orderBy('path')
    .execute()
  return new Map(
    rows.map((row) => [
      pdiffIndexPath(row.path),
      { sha256: sha256FromBytes(row.sha256), size: row.size },
    ]),
  )
}

/** Whether a Release that is kept lists an Index with this digest. */
export async function isPdiffIndex(db: Db, digest: Sha256): Promise<boolean> {
  const row = await db
    .withTables<PdiffTables>()
    .selectFrom('pdiff_index')
    .select('size')
    .where('sha256', '=', sha256Bytes(digest))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/**
 * Digests of all that these Releases list of pdiffs: their Index files, and the patches that those list. For whoever
 * checks that they are here, or marks what is to be kept.
 */
export async function pdiffBlobsOfReleases(
  db: Db,
  releaseIds: readonly number[],
): Promise<Sha256[]> {
  // CROSS JOIN: in this order, else all uses of all patches are gone through.
  const { rows } = await sql<{ digest: Buffer }>`
    WITH listed AS (SELECT DISTINCT sha256 FROM pdiff_index
      WHERE release_id IN (SELECT value FROM json_each(${JSON.stringify(releaseIds)})))
    SELECT sha256 AS digest FROM listed
    UNION SELECT pdiff.gz FROM listed CROSS JOIN pdiff_use USING (sha256) CROSS JOIN pdiff USING (name)`.execute(
    db,
  )
  return rows.map((row) => sha256FromBytes(row.digest))
}

/**
 * Drops what only these Releases list of pdiffs, because they are dropped themselves; within the caller's transaction.
 * The blobs are left: nothing here names them any more.
 */
export async function deletePdiffsOfReleases(db: Db, releaseIds: readonly number[]): Promise<void> {
  const ids = JSON.stringify(releaseIds)
  const { rows } = await sql<{ digest: string }>`
    DELETE FROM pdiff_index WHERE release_id IN (SELECT value FROM json_each(${ids}))
    RETURNING lower(hex(sha256)) AS digest`.execute(db)
  const gone = JSON.stringify([...new Set(rows.map((row) => row.digest))])
  const { rows: uses } = await sql<{ name: string }>`
    DELETE FROM pdiff_use WHERE sha256 IN (SELECT unhex(value) FROM json_each(${gone}))
      AND NOT EXISTS (SELECT 1 FROM pdiff_index WHERE pdiff_index.sha256 = pdiff_use.sha256)
    RETURNING name`.execute(db)
  const names = JSON.stringify([...new Set(uses.map((use) => use.name))])
  await sql`DELETE FROM pdiff WHERE name IN (SELECT value FROM json_each(${names}))
    AND NOT EXISTS (SELECT 1 FROM pdiff_use WHERE pdiff_use.name = pdiff.name)`.execute(db)
}

/**
 * Roots of the indexes that the next patches start from: while their chunks are kept, clients that have them get a patch.
 * Without them there is none, and clients fetch the whole index.
 */
export async function listPdiffRoots(db: Db): Promise<Sha256[]> {
  const rows = await db
    .withTables<PdiffTables>()
    .selectFrom('pdiff_history')
    .select('root')
    .distinct()
    .execute()
  return rows.map((row) => sha256FromBytes(row.root))
}

/** Forgets what a publication served: the next patches there begin anew. Within the caller's transaction. */
export async function forgetServed(db: Db, publicationId: number): Promise<void> {
  await db
    .withTables<PdiffTables>()
    .deleteFrom('pdiff_history')
    .where('publication_id', '=', publicationId)
    .execute()
}

function toPdiff(row: PdiffTables['pdiff']): Pdiff {
  return {
    name: row.name,
    patch: { sha256: sha256FromBytes(row.patch), size: row.patch_size },
    gz: { sha256: sha256FromBytes(row.gz), size: row.gz_size },
  }
}

/** The history of an index is some twenty rows, written anew as a whole. */
async function saveServed(
  db: Db,
  { publicationId, archive, suite }: PublishedSuite,
  all: readonly PdiffsOfIndex[],
): Promise<void> {
  const changed = all.flatMap(({ path, served }) =>
    served === undefined ? [] : [{ path, served }],
  )
  if (changed.length === 0) return
  const rows = changed.flatMap(({ path, served }) =>
    served.map(({ root, plain }, place) => [path, plain.sha256, plain.size, root, place]),
  )
  await db
    .withTables<PdiffTables>()
    .deleteFrom('pdiff_history')
    .where('publication_id', '=', publicationId)
    .where('archive', '=', archive)
    .where('suite', '=', suite)
    .where(
      'path',
      'in',
      changed.map(({ path }) => path),
    )
    .execute()
  await sql`INSERT INTO pdiff_history
      (publication_id, archive, suite, path, plain, plain_size, root, place)
    SELECT ${publicationId}, ${archive}, ${suite}, value ->> 0, unhex(value ->> 1), value ->> 2,
      unhex(value ->> 3), value ->> 4
    FROM json_each(${JSON.stringify(rows)})`.execute(db)
}
