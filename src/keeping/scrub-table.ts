/**
 * How far the scrub is: owns the table `scrub`, of one row, so that a restart goes on where it was.
 */
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const scrubMigrations: readonly Migration[] = [
  {
    name: 'keeping-scrub-1',
    statements: [
      `CREATE TABLE scrub (
        one INTEGER PRIMARY KEY CHECK (one = 1), after TEXT, began_at INTEGER NOT NULL, ended_at INTEGER,
        blobs INTEGER NOT NULL, bytes INTEGER NOT NULL, damaged INTEGER NOT NULL, lost INTEGER NOT NULL
      )`,
    ],
  },
]

/** A pass through all blobs, under way or the last one. */
export interface ScrubPass {
  /** Epoch milliseconds. */
  readonly beganAt: number
  /** Absent while it is under way. */
  readonly endedAt?: number | undefined
  /** The blob that was looked at last, in the order of digests. */
  readonly after?: Sha256 | undefined
  /** Looked at. */
  readonly blobs: number
  readonly bytes: number
  /** Of these, not what their names say; and of those what could not be had again. */
  readonly damaged: number
  readonly lost: number
}

/** Undefined before the first one. */
export async function readPass(db: Db): Promise<ScrubPass | undefined> {
  const { rows } = await sql<
    Omit<ScrubPass, 'after' | 'endedAt'> & { after: string | null; endedAt: number | null }
  >`SELECT after, began_at AS beganAt, ended_at AS endedAt, blobs, bytes, damaged, lost FROM scrub`.execute(
    db,
  )
  const [row] = rows
  if (row === undefined) return undefined
  return { ...row, after: parseSha256(row.after ?? ''), endedAt: row.endedAt ?? undefined }
}

/** Writes how far it is. */
export async function savePass(db: Db, pass: ScrubPass): Promise<void> {
  const { after = null, beganAt, endedAt = null, blobs, bytes, damaged, lost } = pass
  await sql`INSERT OR REPLACE INTO scrub (one, after, began_at, ended_at, blobs, bytes, damaged, lost)
    VALUES (1, ${after}, ${beganAt}, ${endedAt}, ${blobs}, ${bytes}, ${damaged}, ${lost})`.execute(
    db,
  )
}
