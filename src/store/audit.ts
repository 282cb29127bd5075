/**
 * Who changed what, when and why: owns the tables `audit` and `audit_end`. Each row carries the hash of the one before
 * it, so that a changed, removed or reordered row shows (invariant 7); `audit_end` keeps how many there are and the last
 * one's hash, so that an end that was cut off shows too. Rows are written in the transaction of the change itself.
 *
 * Nothing is read whole: readers go through the table by a few hundred ids at a time. No column has an index: a million
 * rows are gone through in a fifth of a second, and an index would make every change write one page more.
 */
import type { Abortable } from '../base/abortable.ts'
import { breathe } from '../base/mutex.ts'
import { sha256Of } from '../base/sha256.ts'
import { type Db, inTransaction, type Migration, sql } from './database.ts'

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
  {
    name: 'store-audit-2',
    statements: [
      'CREATE TABLE audit_end (one INTEGER PRIMARY KEY CHECK (one = 1), rows INTEGER NOT NULL, hash TEXT NOT NULL)',
      `INSERT INTO audit_end (one, rows, hash) SELECT 1, count(*), coalesce(
        (SELECT hash FROM audit ORDER BY id DESC LIMIT 1), '${'0'.repeat(64)}') FROM audit`,
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
  /** Of this row and, through the one before, of all before it. */
  readonly hash: string
}

/** Which rows: all that is told must fit. */
export interface AuditFilter {
  /** Epoch milliseconds: not before. */
  readonly since?: number | undefined
  /** Epoch milliseconds: before. */
  readonly until?: number | undefined
  readonly who?: string | undefined
  /** Whole words from the beginning: `channel` finds `channel create` too. */
  readonly what?: string | undefined
  /** Likewise: `channel approved` finds `channel approved generation 7`. */
  readonly object?: string | undefined
}

/** What a check of the chain found. */
export interface AuditCheck {
  /** Rows that fit, from the first on. */
  readonly rows: number
  /** The hash of the last of these: who notes it elsewhere can tell later that nothing before it was changed. */
  readonly hash: string
  /** The first row that does not fit, and how. */
  readonly problem?: { readonly id: number; readonly message: string } | undefined
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
  audit_end: { one: number; rows: number; hash: string }
}

const FIRST = '0'.repeat(64)
/** Rows looked at between two breaths: a millisecond or so. */
const PAGE = 100

/** Adds a row to the chain; within the transaction of the change. */
export async function writeAudit(db: Db, entry: AuditEntry): Promise<void> {
  const tables = db.withTables<AuditTables>()
  const end = await readEnd(db)
  const last = await tables
    .selectFrom('audit')
    .select(['id', 'hash'])
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  // Where rows were cut off, or the end with them, the chain goes on so that a check still finds it.
  const row = {
    id: Math.max(end?.rows ?? 0, last?.id ?? 0) + 1,
    at: entry.at,
    who: entry.who,
    what: entry.what,
    object: entry.object,
    why: entry.why ?? null,
    detail: entry.detail === undefined ? null : JSON.stringify(entry.detail),
    before: end?.hash ?? last?.hash ?? FIRST,
  }
  const hash = hashOf(row)
  await tables
    .insertInto('audit')
    .values({ ...row, hash })
    .execute()
  await tables.updateTable('audit_end').set({ rows: row.id, hash }).execute()
}

/** The newest rows that fit, newest first, at most `limit`. */
export async function readAudit(
  db: Db,
  limit: number,
  filter: AuditFilter = {},
  abortable: Abortable = {},
): Promise<AuditRow[]> {
  const found: AuditRow[] = []
  for await (const rows of pagesOfAudit(db, filter, abortable)) {
    found.push(...rows.slice(0, limit - found.length))
    if (found.length >= limit) break
  }
  return found
}

/** All rows that fit, newest first, some at a time; what is written meanwhile is not among them. */
export async function* pagesOfAudit(
  db: Db,
  filter: AuditFilter,
  { signal }: Abortable = {},
): AsyncGenerator<AuditRow[]> {
  const tables = db.withTables<AuditTables>()
  for (let above: number | undefined; ; ) {
    signal?.throwIfAborted()
    const { high, low } = await tables
      .selectFrom(
        tables
          .selectFrom('audit')
          .select('id')
          .$if(above !== undefined, (query) => query.where('id', '<', above ?? 0))
          .orderBy('id', 'desc')
          .limit(PAGE)
          .as('page'),
      )
      .select(({ fn }) => [fn.max('id').as('high'), fn.min('id').as('low')])
      .executeTakeFirstOrThrow()
    if (high === null || low === null) return
    const rows = await tables
      .selectFrom('audit')
      .selectAll()
      .where('id', '<=', high)
      .where('id', '>=', low)
      .where(conditionOf(filter))
      .orderBy('id', 'desc')
      .execute()
    if (rows.length > 0) yield rows.map(toRow)
    above = low
    await breathe()
  }
}

/** Walks the whole chain; `onProgress` is told rows done, and all. */
export async function checkAudit(
  db: Db,
  onProgress?: (done: number, total: number) => void,
  { signal }: Abortable = {},
): Promise<AuditCheck> {
  let rows = 0
  let hash = FIRST
  for (;;) {
    signal?.throwIfAborted()
    const { page, end } = await inTransaction(db, async (trx) => ({
      page: await pageAfter(trx, rows),
      end: await readEnd(trx),
    }))
    for (const row of page) {
      const message = misfit(row, rows, hash)
      if (message !== undefined) return { rows, hash, problem: { id: row.id, message } }
      rows++
      hash = row.hash
    }
    if (page.length < PAGE) return { rows, hash, problem: misfitAtEnd(rows, hash, end) }
    onProgress?.(rows, end?.rows ?? rows)
    await breathe()
  }
}

/** All rows before the first one too: of numbers that the chain has not. */
function pageAfter(db: Db, id: number): Promise<AuditTables['audit'][]> {
  return db
    .withTables<AuditTables>()
    .selectFrom('audit')
    .selectAll()
    .$if(id > 0, (query) => query.where('id', '>', id))
    .orderBy('id')
    .limit(PAGE)
    .execute()
}

function readEnd(db: Db): Promise<{ rows: number; hash: string } | undefined> {
  return db
    .withTables<AuditTables>()
    .selectFrom('audit_end')
    .select(['rows', 'hash'])
    .executeTakeFirst()
}

function misfit(row: AuditTables['audit'], rows: number, hash: string): string | undefined {
  const place = rows === 0 ? 'the beginning' : `row ${rows}`
  if (row.id > rows + 1) return `row ${row.id} follows ${place}: row ${rows + 1} is missing`
  if (row.id !== rows + 1) return `row ${row.id} stands before the first one`
  const { hash: told, ...told_of } = row
  if (row.before !== hash) return `row ${row.id} is not the one that was written after ${place}`
  return hashOf(told_of) === told ? undefined : `row ${row.id} was changed`
}

function misfitAtEnd(
  rows: number,
  hash: string,
  end: { rows: number; hash: string } | undefined,
): AuditCheck['problem'] {
  if (end === undefined) return { id: rows, message: 'the record of the last row is missing' }
  if (end.rows > rows) {
    const until = end.rows > rows + 1 ? ` to ${end.rows}` : ''
    return { id: rows + 1, message: `row ${rows + 1}${until}, at the end, is missing` }
  }
  if (end.rows < rows) {
    return { id: end.rows + 1, message: `row ${end.rows + 1} was added without the server` }
  }
  if (end.hash !== hash) return { id: rows, message: `row ${rows} is not the one written last` }
  return undefined
}

function conditionOf(filter: AuditFilter): ReturnType<typeof sql<boolean>> {
  const { since, until, who, what, object } = filter
  const words = (column: 'what' | 'object', value: string): ReturnType<typeof sql> =>
    sql`(${sql.ref(column)} = ${value} OR substr(${sql.ref(column)}, 1, length(${value}) + 1) = ${`${value} `})`
  const conditions = [
    ...(since === undefined ? [] : [sql`at >= ${since}`]),
    ...(until === undefined ? [] : [sql`at < ${until}`]),
    ...(who === undefined ? [] : [sql`who = ${who}`]),
    ...(what === undefined ? [] : [words('what', what)]),
    ...(object === undefined ? [] : [words('object', object)]),
  ]
  return sql<boolean>`(${sql.join([sql`true`, ...conditions], sql` AND `)})`
}

function toRow(row: AuditTables['audit']): AuditRow {
  return {
    id: row.id,
    at: row.at,
    who: row.who,
    what: row.what,
    object: row.object,
    why: row.why ?? undefined,
    detail: row.detail === null ? undefined : readDetail(row.detail),
    hash: row.hash,
  }
}

/** A row that somebody changed is shown as well. */
function readDetail(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text)
  } catch {
    return { unreadable: text }
  }
}

function hashOf(row: Omit<AuditTables['audit'], 'hash'>): string {
  const { id, at, who, what, object, why, detail, before } = row
  return sha256Of(JSON.stringify([id, at, who, what, object, why, detail, before]))
}
