/**
 * When packages of local archives are to be taken out by themselves: owns the table `upload_end`. What is taken out and
 * published again has no end, unless it is told anew.
 */
import { type Db, type Migration, sql } from '../store/database.ts'
import type { UploadRow } from './upload-table.ts'

export const uploadEndMigrations: readonly Migration[] = [
  {
    name: 'archives-upload-ends-1',
    statements: [
      `CREATE TABLE upload_end (
        archive_id INTEGER NOT NULL REFERENCES archive (id) ON DELETE CASCADE,
        name TEXT NOT NULL, version TEXT NOT NULL, architecture TEXT NOT NULL, suite TEXT NOT NULL, component TEXT NOT NULL,
        ends_at INTEGER NOT NULL,
        PRIMARY KEY (archive_id, name, version, architecture, suite, component)
      ) WITHOUT ROWID`,
    ],
  },
]

/** A package where it was published. */
export type UploadPlace = Pick<
  UploadRow,
  'name' | 'version' | 'architecture' | 'suite' | 'component'
>

/** What tells one from all others of an archive. */
export function placeKey(row: UploadPlace): string {
  return [row.name, row.version, row.architecture, row.suite, row.component].join(' ')
}

type EndRow = UploadPlace & { ends_at: number }

/** When each ends that does, by `placeKey`; epoch milliseconds. */
export async function listEnds(db: Db, archiveId: number): Promise<Map<string, number>> {
  const { rows } = await sql<EndRow>`SELECT * FROM upload_end
    WHERE archive_id = ${archiveId}`.execute(db)
  return new Map(rows.map((row) => [placeKey(row), row.ends_at]))
}

/** The first end of all; undefined where nothing ends. */
export async function firstEnd(db: Db): Promise<number | undefined> {
  const { rows } = await sql<{
    at: number | null
  }>`SELECT min(ends_at) AS at FROM upload_end`.execute(db)
  return rows[0]?.at ?? undefined
}

/** Says when these end, or that they do not; within the caller's transaction. */
export async function putEnds(
  db: Db,
  archiveId: number,
  places: readonly UploadPlace[],
  endsAt: number | undefined,
): Promise<void> {
  const json = JSON.stringify(
    places.map((one) => [one.name, one.version, one.architecture, one.suite, one.component]),
  )
  await sql`DELETE FROM upload_end WHERE archive_id = ${archiveId}
    AND (name, version, architecture, suite, component) IN (
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(${json}))`.execute(
    db,
  )
  if (endsAt === undefined) return
  await sql`INSERT INTO upload_end (archive_id, name, version, architecture, suite, component, ends_at)
    SELECT ${archiveId}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, ${endsAt}
    FROM json_each(${json})`.execute(db)
}
