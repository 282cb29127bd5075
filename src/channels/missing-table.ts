/**
 * Files that kept generations name, that are not here, and that no archive lists any more: owns the table `missing_file`.
 *
 * A row says since when that is so, and, once all URLs said for good that they have no such file, when they were asked last
 * and what they said. It goes when the file is here, is listed again, or is named by nobody any more.
 */

import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const missingFileMigrations: readonly Migration[] = [
  {
    name: 'channels-missing-files-1',
    statements: [
      `CREATE TABLE missing_file (
        sha256 BLOB PRIMARY KEY, since INTEGER NOT NULL, gone_at INTEGER, said TEXT
      ) WITHOUT ROWID`,
    ],
  },
]

type MissingTables = {
  missing_file: { sha256: Buffer; since: number; gone_at: number | null; said: string | null }
}

export interface MissingRow {
  /** Epoch milliseconds. */
  readonly since: number
  /** When no URL had it, last; epoch milliseconds. Absent while that is not known. */
  readonly goneAt?: number | undefined
  readonly said?: string | undefined
}

const PAGE = 1000

/** All rows. */
export async function listMissing(db: Db): Promise<Map<Sha256, MissingRow>> {
  const found = new Map<Sha256, MissingRow>()
  let after: Buffer = Buffer.alloc(0)
  for (;;) {
    const rows = await db
      .withTables<MissingTables>()
      .selectFrom('missing_file')
      .selectAll()
      .where('sha256', '>', after)
      .orderBy('sha256')
      .limit(PAGE)
      .execute()
    for (const row of rows) {
      const { since, gone_at: goneAt, said } = row
      const gone = { goneAt: goneAt ?? undefined, said: said ?? undefined }
      found.set(sha256FromBytes(row.sha256), { since, ...gone })
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return found
    after = last.sha256
    await breathe()
  }
}

/** Notes files that are missing from now on. */
export async function noteMissing(db: Db, files: readonly Sha256[], since: number): Promise<void> {
  for (const page of pagesOf(files)) {
    await sql`INSERT OR IGNORE INTO missing_file (sha256, since)
      SELECT unhex(value), ${since} FROM json_each(${JSON.stringify(page)})`.execute(db)
    await breathe()
  }
}

/** Notes that no URL has the file. */
export async function noteGone(db: Db, file: Sha256, at: number, said: string): Promise<void> {
  await sql`INSERT INTO missing_file (sha256, since, gone_at, said) VALUES (unhex(${file}), ${at}, ${at}, ${said})
    ON CONFLICT (sha256) DO UPDATE SET gone_at = excluded.gone_at, said = excluded.said`.execute(db)
}

/** Forgets files that are not missing any more. */
export async function forgetMissing(db: Db, files: readonly Sha256[]): Promise<void> {
  for (const page of pagesOf(files)) {
    await sql`DELETE FROM missing_file
      WHERE sha256 IN (SELECT unhex(value) FROM json_each(${JSON.stringify(page)}))`.execute(db)
    await breathe()
  }
}

function pagesOf(files: readonly Sha256[]): Sha256[][] {
  return Array.from({ length: Math.ceil(files.length / PAGE) }, (_, at) =>
    files.slice(at * PAGE, (at + 1) * PAGE),
  )
}
