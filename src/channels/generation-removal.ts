/**
 * How the history of channels is gone through and cut: SQL for the tables of generation-table.ts that only the garbage
 * collector and the check of the store need. Nothing here reads what changed with a generation: that may be long.
 */
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { type Db, sql } from '../store/database.ts'

/** When a generation was made: epoch milliseconds. */
export interface SerialTime {
  readonly serial: number
  readonly madeAt: number
}

/** A suite of a generation, and what it names; `state` undefined where the row is damaged. */
export interface NamedSuite {
  readonly serial: number
  readonly archive: string
  readonly suite: string
  readonly state: Sha256 | undefined
  readonly releaseId: number
}

/** All generations of a channel, newest first. */
export async function listSerials(db: Db, channelId: number): Promise<SerialTime[]> {
  const { rows } = await sql<{ serial: number; made_at: number }>`SELECT serial, made_at
    FROM generation WHERE channel_id = ${channelId} ORDER BY serial DESC`.execute(db)
  return rows.map((row) => ({ serial: row.serial, madeAt: row.made_at }))
}

/** What these generations of a channel name, by serial. */
export async function listNamedSuites(
  db: Db,
  channelId: number,
  serials: readonly number[],
): Promise<NamedSuite[]> {
  const { rows } = await sql<{
    serial: number
    archive: string
    suite: string
    state: string
    release_id: number
  }>`SELECT serial, archive, suite, state, release_id FROM generation_suite
    WHERE channel_id = ${channelId}
      AND serial IN (SELECT value FROM json_each(${JSON.stringify(serials)}))`.execute(db)
  return rows.map((row) => ({
    serial: row.serial,
    archive: row.archive,
    suite: row.suite,
    state: parseSha256(row.state),
    releaseId: row.release_id,
  }))
}

/** Which of these Releases a generation names. */
export async function releasesNamed(db: Db, ids: readonly number[]): Promise<Set<number>> {
  const { rows } = await sql<{ id: number }>`SELECT value AS id
    FROM json_each(${JSON.stringify(ids)})
    WHERE value IN (SELECT release_id FROM generation_suite)`.execute(db)
  return new Set(rows.map((row) => row.id))
}

/** Removes generations of a channel; within the caller's transaction. */
export async function dropGenerations(
  db: Db,
  channelId: number,
  serials: readonly number[],
): Promise<void> {
  const json = JSON.stringify(serials)
  for (const table of ['generation_suite', 'generation'] as const) {
    await sql`DELETE FROM ${sql.table(table)} WHERE channel_id = ${channelId}
      AND serial IN (SELECT value FROM json_each(${json}))`.execute(db)
  }
}
