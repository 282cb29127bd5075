/**
 * When the files of blobs were used last: owns the table `blob_use`. Noted in memory, which costs a hit next to nothing,
 * and written once a minute, all that were used since in one statement. A crash forgets that minute: what was used in it
 * counts as older than it is. A file without a row here was not used since it came.
 */
import type { Clock } from '../base/clock.ts'
import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from './database.ts'

export const blobUseMigrations: readonly Migration[] = [
  {
    name: 'store-use-1',
    statements: [
      'CREATE TABLE blob_use (sha256 BLOB PRIMARY KEY, used_at INTEGER NOT NULL) WITHOUT ROWID',
    ],
  },
]

export interface BlobUse {
  /** Somebody was given this file just now; asks no database. */
  touch(sha256: Sha256): void
  /** Writes what was noted so far. */
  flush(): Promise<void>
  /** Writes what is left; what is noted afterwards is lost. */
  close(): Promise<void>
}

const FLUSH_MS = 60_000
const AT_ONCE = 1000

/** Notes for `db`, by this clock. */
export function createBlobUse(db: Db, clock: Clock): BlobUse {
  let waiting = new Map<Sha256, number>()
  let timer: NodeJS.Timeout | undefined
  const flush = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const used = [...waiting]
    waiting = new Map()
    for (let at = 0; at < used.length; at += AT_ONCE) {
      await saveUse(db, used.slice(at, at + AT_ONCE))
    }
  }
  // On a full disk it is forgotten: that costs an old file its place, and nobody anything else.
  const quietly = (): Promise<void> => flush().catch(() => undefined)
  return {
    touch: (sha256) => {
      waiting.set(sha256, clock.now())
      timer ??= setTimeout(quietly, FLUSH_MS).unref()
    },
    flush,
    close: quietly,
  }
}

async function saveUse(db: Db, used: readonly (readonly [Sha256, number])[]): Promise<void> {
  await sql`INSERT INTO blob_use (sha256, used_at)
    SELECT unhex(value ->> 0), value ->> 1 FROM json_each(${JSON.stringify(used)}) WHERE true
    ON CONFLICT (sha256) DO UPDATE SET used_at = excluded.used_at`.execute(db)
}

/** A file blob and when it was used last, or made (epoch milliseconds). */
export interface UsedFile {
  readonly sha256: Sha256
  readonly size: number
  readonly usedAt: number
}

/** The file blobs behind `after`, at most `limit`, in the order of their digests. */
export async function listUsed(
  db: Db,
  after: Sha256 | undefined,
  limit: number,
): Promise<UsedFile[]> {
  const { rows } = await sql<{ sha256: Buffer; size: number; usedAt: number }>`
    SELECT blob.sha256, blob.size, coalesce(blob_use.used_at, blob.made_at) AS usedAt
    FROM blob INDEXED BY blob_file LEFT JOIN blob_use ON blob_use.sha256 = blob.sha256
    WHERE blob.data IS NULL AND blob.sha256 > ${Buffer.from(after ?? '', 'hex')}
    ORDER BY blob.sha256 LIMIT ${limit}`.execute(db)
  return rows.map(({ sha256, size, usedAt }) => ({ sha256: sha256FromBytes(sha256), size, usedAt }))
}

/** Forgets the use of blobs that are not here any more. */
export async function pruneUse(db: Db): Promise<void> {
  for (let after: Buffer = Buffer.alloc(0); ; ) {
    const { rows } = await sql<{ last: Buffer | null }>`SELECT max(sha256) AS last FROM (
      SELECT sha256 FROM blob_use WHERE sha256 > ${after} ORDER BY sha256 LIMIT ${AT_ONCE})`.execute(
      db,
    )
    const last = rows[0]?.last ?? undefined
    if (last === undefined) return
    await sql`DELETE FROM blob_use WHERE sha256 > ${after} AND sha256 <= ${last}
      AND NOT EXISTS (SELECT 1 FROM blob WHERE blob.sha256 = blob_use.sha256)`.execute(db)
    after = last
    await breathe()
  }
}
