/**
 * Collections, one row each: owns the table `gc_run`. What a run deleted is written with each of its transactions, so that a
 * crash loses nothing of it: the next run goes on with the row that was left open, and the audit has one row for both.
 */
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction, type Migration } from '../store/database.ts'
import { addFigures, type GcFigures, isNothing, noFigures } from './gc-figures.ts'

export const gcRunMigrations: readonly Migration[] = [
  {
    name: 'channels-gc-runs-1',
    statements: [
      `CREATE TABLE gc_run (
        id INTEGER PRIMARY KEY AUTOINCREMENT, started_at INTEGER NOT NULL, ended_at INTEGER,
        figures TEXT NOT NULL, brake TEXT, problem TEXT
      )`,
    ],
  },
]

const KEPT_RUNS = 400

/** A run that has ended. */
export interface GcRun {
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly endedAt: number
  readonly figures: GcFigures
  /** Why it did nothing: it would have deleted too much. */
  readonly brake?: string | undefined
  /** Why it came to no good end. */
  readonly problem?: string | undefined
}

type RunTables = {
  gc_run: {
    id: number
    started_at: number
    ended_at: number | null
    figures: string
    brake: string | null
    problem: string | null
  }
}

/** A run under way. */
export interface OpenRun {
  readonly id: number
  /** What it deleted so far. */
  figures: GcFigures
}

/** Begins a run, or goes on with one that a crash left. */
export async function openRun(db: Db, at: number): Promise<OpenRun> {
  const tables = db.withTables<RunTables>()
  const left = await tables
    .selectFrom('gc_run')
    .select(['id', 'figures'])
    .where('ended_at', 'is', null)
    .executeTakeFirst()
  if (left !== undefined) return { id: left.id, figures: JSON.parse(left.figures) }
  const { id } = await tables
    .insertInto('gc_run')
    .values({ started_at: at, figures: JSON.stringify(noFigures) } as RunTables['gc_run'])
    .returning('id')
    .executeTakeFirstOrThrow()
  return { id, figures: noFigures }
}

/** Adds to what the run deleted; within the transaction that deletes. */
export async function noteDeleted(db: Db, run: OpenRun, more: Partial<GcFigures>): Promise<void> {
  run.figures = addFigures(run.figures, more)
  await db
    .withTables<RunTables>()
    .updateTable('gc_run')
    .set({ figures: JSON.stringify(run.figures) })
    .where('id', '=', run.id)
    .execute()
}

/** Ends a run, with a row of the audit if it deleted anything; says what it deleted. */
export async function closeRun(
  db: Db,
  run: OpenRun,
  end: {
    readonly at: number
    readonly who: string
    readonly why?: string | undefined
    readonly brake?: string | undefined
    readonly problem?: string | undefined
  },
): Promise<GcFigures> {
  return inTransaction(db, async (trx) => {
    const tables = trx.withTables<RunTables>()
    const { at, who, why, brake = null, problem = null } = end
    const row = await tables
      .updateTable('gc_run')
      .set({ ended_at: at, brake, problem })
      .where('id', '=', run.id)
      .returning('figures')
      .executeTakeFirstOrThrow()
    // Those of the row: a transaction that failed has counted in memory alone.
    const figures: GcFigures = JSON.parse(row.figures)
    await tables
      .deleteFrom('gc_run')
      .where('id', '<=', run.id - KEPT_RUNS)
      .execute()
    if (isNothing(figures)) return figures
    await writeAudit(trx, { at, who, what: 'gc', object: 'store', why, detail: { ...figures } })
    return figures
  })
}

/** The run that ended last. */
export async function lastRun(db: Db): Promise<GcRun | undefined> {
  const row = await db
    .withTables<RunTables>()
    .selectFrom('gc_run')
    .selectAll()
    .where('ended_at', 'is not', null)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (row === undefined) return undefined
  return {
    startedAt: row.started_at,
    endedAt: row.ended_at ?? row.started_at,
    figures: JSON.parse(row.figures),
    brake: row.brake ?? undefined,
    problem: row.problem ?? undefined,
  }
}
