/**
 * What the cache by HTTP rules keeps: owns the table `web_file`. A row is written when its file is whole and durable, and
 * goes before its file does: what has no row is nothing.
 */
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const webMigrations: readonly Migration[] = [
  {
    name: 'proxy-web-1',
    statements: [
      `CREATE TABLE web_file (
        key BLOB PRIMARY KEY, file TEXT NOT NULL, size INTEGER NOT NULL, head TEXT NOT NULL, born_at INTEGER NOT NULL,
        fresh_until INTEGER NOT NULL, used_at INTEGER NOT NULL
      ) WITHOUT ROWID`,
      'CREATE INDEX web_file_used ON web_file (used_at, key, size)',
    ],
  },
]

/** Of upstream's answer, what is sent on and what it is asked by whether it changed. */
export interface WebHead {
  readonly type: string
  /** As upstream wrote it. */
  readonly lastModified?: string | undefined
  /** With its quotes. */
  readonly etag?: string | undefined
  readonly mustRevalidate: boolean
}

/** A file that is kept. */
export interface WebEntry {
  /** Of its URL, and of the login that it was given for. */
  readonly key: Sha256
  /** Name of the file below `web/`. */
  readonly file: string
  readonly size: number
  readonly head: WebHead
  /** Epoch milliseconds, all three. */
  readonly bornAt: number
  readonly freshUntil: number
  readonly usedAt: number
}

type WebTables = {
  web_file: {
    key: Buffer
    file: string
    size: number
    head: string
    born_at: number
    fresh_until: number
    used_at: number
  }
}

/** What is kept under this key. */
export async function findEntry(db: Db, key: Sha256): Promise<WebEntry | undefined> {
  const row = await db
    .withTables<WebTables>()
    .selectFrom('web_file')
    .selectAll()
    .where('key', '=', sha256Bytes(key))
    .executeTakeFirst()
  return row === undefined ? undefined : toEntry(row)
}

/** Writes an entry in place of the one with its key. */
export async function saveEntry(db: Db, entry: WebEntry): Promise<void> {
  const row = {
    key: sha256Bytes(entry.key),
    file: entry.file,
    size: entry.size,
    head: JSON.stringify(entry.head),
    born_at: entry.bornAt,
    fresh_until: entry.freshUntil,
    used_at: entry.usedAt,
  }
  await db
    .withTables<WebTables>()
    .insertInto('web_file')
    .values(row)
    .onConflict((on) => on.column('key').doUpdateSet(row))
    .execute()
}

/** Forgets these. */
export async function deleteEntries(db: Db, keys: readonly Sha256[]): Promise<void> {
  await db
    .withTables<WebTables>()
    .deleteFrom('web_file')
    .where('key', 'in', keys.map(sha256Bytes))
    .execute()
}

/** Notes when these were used last (epoch milliseconds). */
export async function noteUses(db: Db, uses: ReadonlyMap<Sha256, number>): Promise<void> {
  const json = JSON.stringify([...uses])
  await sql`UPDATE web_file SET used_at = max(used_at, told.at)
    FROM (SELECT unhex(value ->> 0) AS key, value ->> 1 AS at FROM json_each(${json})) AS told
    WHERE web_file.key = told.key`.execute(db)
}

/** Those that were not used for longest, at most `limit`. */
export async function listOldest(db: Db, limit: number): Promise<WebEntry[]> {
  const rows = await db
    .withTables<WebTables>()
    .selectFrom('web_file')
    .selectAll()
    .orderBy('used_at')
    .limit(limit)
    .execute()
  return rows.map(toEntry)
}

/** Key, file and size of all. */
export async function listFiles(
  db: Db,
): Promise<{ readonly key: Sha256; readonly file: string; readonly size: number }[]> {
  const rows = await db
    .withTables<WebTables>()
    .selectFrom('web_file')
    .select(['key', 'file', 'size'])
    .execute()
  return rows.map(({ key, file, size }) => ({ key: sha256FromBytes(key), file, size }))
}

function toEntry(row: WebTables['web_file']): WebEntry {
  return {
    key: sha256FromBytes(row.key),
    file: row.file,
    size: row.size,
    head: JSON.parse(row.head),
    bornAt: row.born_at,
    freshUntil: row.fresh_until,
    usedAt: row.used_at,
  }
}
