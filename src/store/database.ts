/**
 * The database: one SQLite file in WAL mode, reached through kysely by the files that own its tables.
 *
 * A table has one owner, whose migration makes it; only that file holds SQL for it. `synchronous=FULL`: a transaction
 * that has returned survives a power cut. A transaction awaits nothing but the database: while one is open, everybody
 * else waits, so no file and no network inside it. Functions take a `Db`, which may be a transaction's.
 */
import { chmodSync } from 'node:fs'
import Database from 'better-sqlite3'
import {
  type Dialect,
  Kysely,
  type RawBuilder,
  type SqliteDatabase,
  SqliteDialect,
  sql,
} from 'kysely'
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { createLru } from '../base/lru.ts'

// biome-ignore lint/complexity/noBannedTypes: no table is known here, each owner adds its own by withTables
type NoTables = {}

/** A handle on the database without tables: owners see theirs by `db.withTables<Mine>()`. */
export type Db = Kysely<NoTables>

/** What makes an owner's tables: run once each, in the order given to `openDatabase`. */
export interface Migration {
  /** For ever the same: `archives-1`. */
  readonly name: string
  /** SQL statements, one a string. */
  readonly statements: readonly string[]
}

/** Statements that are remembered, some 10 kB each; long ones are those for many values at once. */
const STATEMENTS = 256
const MOST_CHARACTERS = 4000

const files = new WeakMap<Db, Database.Database>()

/** The database at `path`, made or brought up to date by the migrations; the caller ends it with `closeDatabase`. */
export async function openDatabase(path: string, migrations: readonly Migration[]): Promise<Db> {
  const file = new Database(path)
  // URLs of archives may have passwords. SQLite gives the same mode to its log, which does not exist yet.
  chmodSync(path, 0o600)
  // Before there is anything else in it, or it does nothing: see `giveBackPages`.
  file.pragma('auto_vacuum = INCREMENTAL')
  file.pragma('journal_mode = WAL')
  file.pragma('synchronous = FULL')
  file.pragma('foreign_keys = ON')
  file.pragma('busy_timeout = 5000')
  file.pragma('cache_size = -8192')
  file.pragma('journal_size_limit = 67108864')
  const db: Db = new Kysely<NoTables>({ dialect: tolerant(file) })
  files.set(db, file)
  await migrate(db, migrations)
  return db
}

/** The database at `path` as it is, for reading; nobody writes to it meanwhile. Ended with `closeDatabase`. */
export function openForReading(path: string): Db {
  const file = new Database(path, { readonly: true, fileMustExist: true })
  return new Kysely<NoTables>({ dialect: new SqliteDialect({ database: remembering(file) }) })
}

/**
 * The dialect of SQLite, which ends a transaction by itself where a write fails (a full disk): to roll it back once more
 * would fail too, and that would be told instead of the reason.
 */
function tolerant(file: Database.Database): Dialect {
  const dialect = new SqliteDialect({ database: remembering(file) })
  return {
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver: () => {
      const driver = dialect.createDriver()
      const rollBack = driver.rollbackTransaction.bind(driver)
      driver.rollbackTransaction = async (connection) => {
        if (file.inTransaction) await rollBack(connection)
      }
      return driver
    },
  }
}

/**
 * A file that remembers its prepared statements: preparing one takes as long as running it. Each is run to its end at once,
 * so that none is busy when it is asked for again; queries that stream rows would be, and there are none.
 */
function remembering(file: Database.Database): SqliteDatabase {
  const known = createLru<string, Database.Statement>(STATEMENTS)
  return {
    close: () => file.close(),
    prepare: (text) => {
      const before = known.get(text)
      if (before !== undefined) return before
      const statement = file.prepare(text)
      if (text.length <= MOST_CHARACTERS) known.set(text, statement)
      return statement
    },
  }
}

/** Ends the database's file; no query may follow. */
export async function closeDatabase(db: Db): Promise<void> {
  await db.destroy()
}

/** Runs `work` in one transaction: all of it happens, or nothing; the power may go at any time. */
export function inTransaction<T>(db: Db, work: (trx: Db) => Promise<T>): Promise<T> {
  return db.transaction().execute((trx) => work(trx))
}

/** How many rows were ever changed by this process: while it is the same, nothing in the database is another. */
export async function changeCount(db: Db): Promise<number> {
  const { rows } = await sql<{ count: number }>`SELECT total_changes() AS count`.execute(db)
  return rows[0]?.count ?? 0
}

/** Bytes of the database's file, and of those in it that hold nothing: what is written next goes there first. */
export async function fileBytes(db: Db): Promise<{ whole: number; unused: number }> {
  const { rows } = await sql<{ whole: number; unused: number }>`
    SELECT page_count * page_size AS whole, freelist_count * page_size AS unused
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size`.execute(db)
  return rows[0] ?? { whole: 0, unused: 0 }
}

/**
 * Gives pages that hold nothing back to the disk, at most so many (200 take some 10 ms): the last ones of the file move to
 * where there is room. Says how many went; none of a database that was made before this could be.
 */
export async function giveBackPages(db: Db, most: number): Promise<number> {
  const file = files.get(db)
  if (file === undefined) return 0
  const unused = (): number => Number(file.pragma('freelist_count', { simple: true }))
  // While the connection is held nobody else's transaction is open.
  return db.connection().execute(async () => {
    const before = unused()
    file.pragma(`incremental_vacuum(${most})`)
    return before - unused()
  })
}

export { type RawBuilder, sql }

type MigrationTable = { migration: { name: string; applied_at: number } }

async function migrate(db: Db, migrations: readonly Migration[]): Promise<void> {
  await sql`CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, applied_at INTEGER NOT NULL)`.execute(
    db,
  )
  const rows = await db
    .withTables<MigrationTable>()
    .selectFrom('migration')
    .select('name')
    .execute()
  const applied = new Set(rows.map((row) => row.name))
  const known = new Set(migrations.map((migration) => migration.name))
  const newer = [...applied].filter((name) => !known.has(name))
  if (newer.length > 0) {
    throw new AppError('ERR_STORE', {
      message: `the data directory was written by a newer Sluice (${newer.join(', ')})`,
      hint: 'start the newer version, or restore a backup made by this one',
    })
  }
  for (const migration of migrations.filter((one) => !applied.has(one.name))) {
    await inTransaction(db, async (trx) => {
      for (const statement of migration.statements) await sql.raw(statement).execute(trx)
      await trx
        .withTables<MigrationTable>()
        .insertInto('migration')
        .values({ name: migration.name, applied_at: Date.now() })
        .execute()
      crashPoint('migration: before the commit')
    })
  }
}
