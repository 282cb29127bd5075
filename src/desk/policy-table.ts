/**
 * Policies: owns the table `policy`, which also has what makes each scheduled time be done once: `done_until`, the time up
 * to which all is done, and `retry_at`, when what failed is tried again.
 *
 * Channels are known by their ids, so that one that is renamed is still meant, and one that was made anew is not.
 */
import { AppError } from '../base/errors.ts'
import { findChannelById } from '../channels/channel-table.ts'
import type { Db, Migration } from '../store/database.ts'
import { parseFreeze } from './freeze.ts'
import type { NamedPolicy } from './policy.ts'
import { parseRule } from './policy-rules.ts'

export const policyMigrations: readonly Migration[] = [
  {
    name: 'desk-policies-1',
    statements: [
      `CREATE TABLE policy (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
        from_id INTEGER NOT NULL, to_id INTEGER NOT NULL, from_name TEXT NOT NULL, to_name TEXT NOT NULL,
        schedule TEXT NOT NULL, time_zone TEXT NOT NULL, enabled INTEGER NOT NULL,
        rules TEXT NOT NULL, freezes TEXT NOT NULL,
        done_until INTEGER NOT NULL, retry_at INTEGER, retries INTEGER NOT NULL
      )`,
    ],
  },
]

export interface Policy extends NamedPolicy {
  readonly id: number
  readonly fromId: number
  readonly toId: number
  /** Epoch milliseconds: all that was due until then is done, or begun. */
  readonly doneUntil: number
  /** Epoch milliseconds: when a run that failed is made up for. */
  readonly retryAt?: number | undefined
  /** How often in a row it failed. */
  readonly retries: number
}

type PolicyRow = {
  id: number
  name: string
  from_id: number
  to_id: number
  from_name: string
  to_name: string
  schedule: string
  time_zone: string
  enabled: number
  rules: string
  freezes: string
  done_until: number
  retry_at: number | null
  retries: number
}
type PolicyTables = { policy: PolicyRow }

/** All policies by name; a channel that was renamed has its new name, one that is gone its last. */
export async function listPolicies(db: Db): Promise<Policy[]> {
  const tables = db.withTables<PolicyTables>()
  const rows = await tables.selectFrom('policy').selectAll().orderBy('name').execute()
  return Promise.all(rows.map((row) => toPolicy(db, row)))
}

/** The policy of this name; `ERR_NOT_FOUND` if there is none. */
export async function getPolicy(db: Db, name: string): Promise<Policy> {
  const found = await findPolicy(db, name)
  if (found !== undefined) return found
  throw new AppError('ERR_NOT_FOUND', {
    message: `there is no policy ${name}`,
    hint: 'sluice policy list',
  })
}

/** The policy of this name, if there is one. */
export async function findPolicy(db: Db, name: string): Promise<Policy | undefined> {
  const tables = db.withTables<PolicyTables>()
  const row = await tables
    .selectFrom('policy')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
  return row && toPolicy(db, row)
}

/** What is written of a policy. */
export type PolicyRecord = NamedPolicy & Pick<Policy, 'fromId' | 'toId' | 'doneUntil'>

/** Adds a policy, or writes it in place of the one of its name, whose runs it keeps; within the caller's transaction. */
export async function savePolicy(db: Db, policy: PolicyRecord): Promise<void> {
  const row: Omit<PolicyRow, 'id'> = {
    name: policy.name,
    from_id: policy.fromId,
    to_id: policy.toId,
    from_name: policy.from,
    to_name: policy.to,
    schedule: policy.schedule,
    time_zone: policy.timeZone,
    enabled: policy.enabled ? 1 : 0,
    rules: JSON.stringify(policy.rules.map(({ text }) => text)),
    freezes: JSON.stringify(policy.freezes.map(({ text }) => text)),
    done_until: policy.doneUntil,
    retry_at: null,
    retries: 0,
  }
  await db
    .withTables<PolicyTables>()
    .insertInto('policy')
    .values(row as PolicyRow)
    .onConflict((on) => on.column('name').doUpdateSet(row))
    .execute()
}

/** Notes up to when all is done, and when to try again; within the caller's transaction. */
export async function notePolicyDone(
  db: Db,
  id: number,
  done: Partial<Pick<Policy, 'doneUntil' | 'retryAt' | 'retries'>>,
): Promise<void> {
  const { doneUntil, retryAt = null, retries } = done
  await db
    .withTables<PolicyTables>()
    .updateTable('policy')
    .set({
      retry_at: retryAt,
      ...(doneUntil === undefined ? {} : { done_until: doneUntil }),
      ...(retries === undefined ? {} : { retries }),
    })
    .where('id', '=', id)
    .execute()
}

/** Removes a policy; within the caller's transaction. */
export async function deletePolicyRow(db: Db, id: number): Promise<void> {
  await db.withTables<PolicyTables>().deleteFrom('policy').where('id', '=', id).execute()
}

async function toPolicy(db: Db, row: PolicyRow): Promise<Policy> {
  const texts = (json: string): string[] => JSON.parse(json)
  const from = await findChannelById(db, row.from_id)
  const to = await findChannelById(db, row.to_id)
  return {
    id: row.id,
    name: row.name,
    fromId: row.from_id,
    toId: row.to_id,
    from: from?.name ?? row.from_name,
    to: to?.name ?? row.to_name,
    schedule: row.schedule,
    timeZone: row.time_zone,
    enabled: row.enabled === 1,
    rules: texts(row.rules).map(parseRule),
    freezes: texts(row.freezes).map(parseFreeze),
    doneUntil: row.done_until,
    retryAt: row.retry_at ?? undefined,
    retries: row.retries,
  }
}
