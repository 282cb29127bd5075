/**
 * Which files packages of local archives have: owns the table `file_list`. A list is a function of the bytes of its .deb, and is
 * made once, when it is uploaded to an archive that is asked for Contents; it is kept as long as these bytes are.
 */
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const fileListMigrations: readonly Migration[] = [
  {
    name: 'archives-file-lists-1',
    statements: [
      'CREATE TABLE file_list (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, paths BLOB NOT NULL)',
    ],
  },
]

/** Keeps the list of a .deb; one that is here stays. Packed as file-lists.ts does. */
export async function putFileList(db: Db, sha256: Sha256, paths: Buffer): Promise<void> {
  await sql`INSERT INTO file_list (sha256, paths) VALUES (${sha256Bytes(sha256)}, ${paths})
    ON CONFLICT (sha256) DO NOTHING`.execute(db)
}

/** Deletes the list of a .deb, which is damaged. */
export async function deleteFileList(db: Db, sha256: Sha256): Promise<void> {
  await sql`DELETE FROM file_list WHERE sha256 = ${sha256Bytes(sha256)}`.execute(db)
}

/** The lists of these, of those that have one. */
export async function readFileLists(
  db: Db,
  digests: readonly Sha256[],
): Promise<Map<Sha256, Buffer>> {
  const { rows } = await sql<{ sha256: Buffer; paths: Buffer }>`SELECT sha256, paths FROM file_list
    WHERE sha256 IN (SELECT unhex(value) FROM json_each(${JSON.stringify(digests)}))`.execute(db)
  return new Map(rows.map((row) => [sha256FromBytes(row.sha256), row.paths]))
}

/** Those of these that have no list. */
export async function withoutFileList(db: Db, digests: readonly Sha256[]): Promise<Sha256[]> {
  const { rows } = await sql<{ digest: Sha256 }>`SELECT DISTINCT value AS digest
    FROM json_each(${JSON.stringify(digests)})
    WHERE NOT EXISTS (SELECT 1 FROM file_list WHERE sha256 = unhex(value))`.execute(db)
  return rows.map(({ digest }) => digest)
}

/**
 * Of so many lists after that id, deletes those of what is not in the store any more, unless it is revoked, and may come back;
 * within the caller's transaction. The id to go on from; undefined at the end.
 */
export async function dropOrphanLists(
  db: Db,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`SELECT id FROM file_list
    WHERE id > ${after} ORDER BY id LIMIT ${limit}`.execute(db)
  const last = rows.at(-1)?.id
  if (last === undefined) return undefined
  await sql`DELETE FROM file_list WHERE id > ${after} AND id <= ${last}
    AND NOT EXISTS (SELECT 1 FROM blob WHERE blob.sha256 = file_list.sha256)
    AND NOT EXISTS (SELECT 1 FROM revoked_file WHERE revoked_file.sha256 = file_list.sha256)`.execute(
    db,
  )
  return rows.length < limit ? undefined : last
}
