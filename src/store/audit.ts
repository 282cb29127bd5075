/**
 * Who changed what, when and why: owns the table `audit`. Each row carries the hash of the one before it, so that a
 * changed, removed or reordered row shows (invariant 7). Rows are written in the transaction of the change itself.
 */
import { sha256Of } from '../base/sha256.ts'
import type { Db, Migration } from './database.ts'

export const auditMigrations: readonly Migration[] = [
  {
    name: 'store-audit-1',
    statements: [
      `CREATE TABLE audit (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
        object TEXT NOT NULL, why TEXT, detail TEXT, before TEXT NOT NULL, hash TEXT NOT NULL
      )`,
    ],
  },
]

/** One change, as it is told. */
export interface AuditEntry {
  /** Epoch milliseconds. */
  readonly at: number
  /** The token's name, or `system` for what a schedule did. */
  readonly who: string
  /** A verb: `promote`, `archive add`. */
  readonly what: string
  /** What it was done to: `channel approved`. */
  readonly object: string
  readonly why?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
}

export interface AuditRow extends AuditEntry {
  readonly id: number
}

type AuditTables = {
  audit: {
    id: number
    at: number
    who: string
    what: string
    object: string
    why: string | null
    detail: string | null
    before: string
    hash: string
  }
}

const FIRST = '0'.repeat(64)

/** Adds a row to the chain; within the transaction of the change. */
export async function writeAudit(db: Db, entry: AuditEntry): Promise<void> {
  const tables = db.withTables<AuditTables>()
  const last = await tables
    .selectFrom('audit')
    .select(['id', 'hash'])
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  const row = {
    id: (last?.id ?? 0) + 1,
    at: entry.at,
    who: entry.who,
    what: entry.what,
    object: entry.object,
    why: entry.why ?? null,
    detail: entry.detail === undefined ? null : JSON.stringify(entry.detail),
    before: last?.hash ?? FIRST,
  }
  await tables
    .insertInto('audit')
    .values({ ...row, hash: hashOf(row) })
    .execute()
}

/** The newest rows, newest first, at most `limit`. */
export async function readAudit(db: Db, limit: number): Promise<AuditRow[]> {
  const rows = await db
    .withTables<AuditTables>()
    .selectFrom('audit')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    id: row.id,
    at: row.at,
    who: row.who,
    what: row.what,
    object: row.object,
    why: row.why ?? undefined,
    detail: row.detail === null ? undefined : JSON.parse(row.detail),
  }))
}

/** The id of the first row that does not fit the chain; undefined if all do. */
export async function findAuditBreak(db: Db): Promise<number | undefined> {
  const rows = await db
    .withTables<AuditTables>()
    .selectFrom('audit')
    .selectAll()
    .orderBy('id')
    .execute()
  let before = FIRST
  let id = 1
  for (const { hash, ...row } of rows) {
    if (row.id !== id || row.before !== before || hashOf(row) !== hash) return row.id
    before = hash
    id++
  }
  return undefined
}

function hashOf(row: Omit<AuditTables['audit'], 'hash'>): string {
  const { id, at, who, what, object, why, detail, before } = row
  return sha256Of(JSON.stringify([id, at, who, what, object, why, detail, before]))
}
