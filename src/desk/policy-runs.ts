/**
 * Runs of policies: owns the table `policy_run`. A run is written down when it begins, again when it is known what it will
 * promote, and when it has ended; one that a crash left is gone on with.
 *
 * Few are kept for ever so long: of each policy the last ones, and of those that promoted something more.
 */
import type { SourceChange } from '../channels/generation-table.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const policyRunMigrations: readonly Migration[] = [
  {
    name: 'desk-policy-runs-1',
    statements: [
      `CREATE TABLE policy_run (
        id INTEGER PRIMARY KEY AUTOINCREMENT, policy_id INTEGER NOT NULL, due_at INTEGER, who TEXT NOT NULL,
        why TEXT, started_at INTEGER NOT NULL, ended_at INTEGER, "before" INTEGER, went INTEGER NOT NULL,
        stayed INTEGER NOT NULL, detail TEXT NOT NULL, problem TEXT
      )`,
      'CREATE INDEX policy_run_of ON policy_run (policy_id, id)',
    ],
  },
]

/** What a run did with one candidate. */
export interface RunEntry extends SourceChange {
  /** Why: the rule it went by, or what spoke against it. */
  readonly words: string
}

export interface PolicyRun {
  readonly id: number
  readonly policyId: number
  /** Epoch milliseconds: the scheduled time that it is for; absent for one by hand. */
  readonly dueAt?: number | undefined
  /** Who asked for it: `system` for a schedule. */
  readonly who: string
  readonly why?: string | undefined
  readonly startedAt: number
  /** Absent while it is under way, or where a crash left it. */
  readonly endedAt?: number | undefined
  /** Serial of the second channel's head when it was planned. */
  readonly before?: number | undefined
  /** How many went and stayed; of many, `detail` names the first ones. */
  readonly went: number
  readonly stayed: number
  readonly detail: RunDetail
  readonly problem?: string | undefined
}

export interface RunDetail {
  /** Of a run that is not ended: what it is about to promote. */
  readonly went: readonly RunEntry[]
  readonly stayed: readonly RunEntry[]
  /** Serials of the generations that it made; more than one where not all could go together. */
  readonly generations: readonly number[]
}

const nothing: RunDetail = { went: [], stayed: [], generations: [] }
/** Named in a run: as many went as a generation names; of what stayed, which can be asked again, fewer. */
const NAMED_WENT = 2000
const NAMED_STAYED = 200
/** Runs kept of a policy: the last ones, and the last ones of those that promoted something. */
const KEPT = 60
const KEPT_WENT = 200

type RunRow = {
  id: number
  policy_id: number
  due_at: number | null
  who: string
  why: string | null
  started_at: number
  ended_at: number | null
  before: number | null
  went: number
  stayed: number
  detail: string
  problem: string | null
}
type RunTables = { policy_run: RunRow }

/** Begins a run; within the transaction that notes its time as done. */
export async function openPolicyRun(
  db: Db,
  run: Pick<PolicyRun, 'policyId' | 'dueAt' | 'who' | 'why' | 'startedAt'>,
): Promise<PolicyRun> {
  const row: Omit<RunRow, 'id'> = {
    policy_id: run.policyId,
    due_at: run.dueAt ?? null,
    who: run.who,
    why: run.why ?? null,
    started_at: run.startedAt,
    ended_at: null,
    before: null,
    went: 0,
    stayed: 0,
    detail: JSON.stringify(nothing),
    problem: null,
  }
  const { id } = await db
    .withTables<RunTables>()
    .insertInto('policy_run')
    .values(row as RunRow)
    .returning('id')
    .executeTakeFirstOrThrow()
  return { ...run, id, went: 0, stayed: 0, detail: nothing }
}

/** Notes what a run is about to promote, before it does. */
export async function planPolicyRun(
  db: Db,
  { id }: PolicyRun,
  plan: { readonly before: number; readonly detail: RunDetail },
): Promise<void> {
  const { before, detail } = plan
  await db
    .withTables<RunTables>()
    .updateTable('policy_run')
    .set({ before, detail: JSON.stringify(clipped(detail)) })
    .where('id', '=', id)
    .execute()
}

/** Ends a run and forgets old ones; within the caller's transaction. */
export async function closePolicyRun(
  db: Db,
  { id, policyId }: PolicyRun,
  end: { readonly at: number; readonly detail: RunDetail; readonly problem?: string | undefined },
): Promise<void> {
  const { at, detail, problem } = end
  await db
    .withTables<RunTables>()
    .updateTable('policy_run')
    .set({
      ended_at: at,
      went: detail.went.length,
      stayed: detail.stayed.length,
      detail: JSON.stringify(clipped(detail)),
      problem: problem ?? null,
    })
    .where('id', '=', id)
    .execute()
  await sql`DELETE FROM policy_run WHERE policy_id = ${policyId} AND ended_at IS NOT NULL
    AND id NOT IN (SELECT id FROM policy_run WHERE policy_id = ${policyId} ORDER BY id DESC LIMIT ${KEPT})
    AND id NOT IN (SELECT id FROM policy_run WHERE policy_id = ${policyId} AND went > 0
      ORDER BY id DESC LIMIT ${KEPT_WENT})`.execute(db)
}

/** The run that did not come to its end, if there is one. */
export async function findOpenRun(db: Db, policyId: number): Promise<PolicyRun | undefined> {
  const row = await db
    .withTables<RunTables>()
    .selectFrom('policy_run')
    .selectAll()
    .where('policy_id', '=', policyId)
    .where('ended_at', 'is', null)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row && toRun(row)
}

/** The newest runs of a policy, newest first. */
export async function listPolicyRuns(
  db: Db,
  policyId: number,
  limit: number,
): Promise<PolicyRun[]> {
  const rows = await db
    .withTables<RunTables>()
    .selectFrom('policy_run')
    .selectAll()
    .where('policy_id', '=', policyId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(toRun)
}

/** Removes all runs of a policy; within the caller's transaction. */
export async function dropRuns(db: Db, policyId: number): Promise<void> {
  await db
    .withTables<RunTables>()
    .deleteFrom('policy_run')
    .where('policy_id', '=', policyId)
    .execute()
}

function clipped({ went, stayed, generations }: RunDetail): RunDetail {
  return { went: went.slice(0, NAMED_WENT), stayed: stayed.slice(0, NAMED_STAYED), generations }
}

function toRun(row: RunRow): PolicyRun {
  return {
    id: row.id,
    policyId: row.policy_id,
    dueAt: row.due_at ?? undefined,
    who: row.who,
    why: row.why ?? undefined,
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
    before: row.before ?? undefined,
    went: row.went,
    stayed: row.stayed,
    detail: JSON.parse(row.detail),
    problem: row.problem ?? undefined,
  }
}
