/**
 * What suites of archives held before: owns the table `earlier_state`.
 *
 * A client of the proxy that has upstream's Release of an hour ago asks for the indexes that this one names. So the
 * newest state and the two before it are kept with upstream's files, and all that were replaced within three days.
 */
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import type { Db, Migration } from '../store/database.ts'

export const earlierStateMigrations: readonly Migration[] = [
  {
    name: 'archives-earlier-states-1',
    statements: [
      `CREATE TABLE earlier_state (
        archive_id INTEGER NOT NULL REFERENCES archive (id) ON DELETE CASCADE, suite TEXT NOT NULL,
        replaced_at INTEGER NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (archive_id, suite, replaced_at, state)
      ) WITHOUT ROWID`,
    ],
  },
]

const KEPT_STATES = 2
const KEPT_MS = 3 * 24 * 3600_000

/** A state that a suite of an archive had until `replacedAt` (epoch milliseconds). */
export interface EarlierState {
  readonly archiveId: number
  readonly suite: string
  readonly replacedAt: number
  readonly state: Sha256
}

type EarlierTables = {
  earlier_state: { archive_id: number; suite: string; replaced_at: number; state: string }
}

/** Writes down that a state is replaced; within the transaction that does it. */
export async function noteReplaced(
  db: Db,
  { archiveId, suite, replacedAt, state }: EarlierState,
): Promise<void> {
  await db
    .withTables<EarlierTables>()
    .insertInto('earlier_state')
    .values({ archive_id: archiveId, suite, replaced_at: replacedAt, state })
    .onConflict((on) => on.doNothing())
    .execute()
}

/** The states that a suite of an archive had before, the newest first, `most` of them. */
export async function earlierStatesOf(
  db: Db,
  { archiveId, suite, most }: Pick<EarlierState, 'archiveId' | 'suite'> & { readonly most: number },
): Promise<Sha256[]> {
  const rows = await db
    .withTables<EarlierTables>()
    .selectFrom('earlier_state')
    .select('state')
    .where('archive_id', '=', archiveId)
    .where('suite', '=', suite)
    .orderBy('replaced_at', 'desc')
    .limit(most)
    .execute()
  return rows.flatMap(({ state }) => parseSha256(state) ?? [])
}

/** All that is written down, told apart by whether it is to be kept at `now` (epoch milliseconds). */
export async function listEarlierStates(
  db: Db,
  now: number,
): Promise<{ kept: EarlierState[]; over: EarlierState[] }> {
  const rows = await db
    .withTables<EarlierTables>()
    .selectFrom('earlier_state')
    .selectAll()
    .orderBy('replaced_at', 'desc')
    .execute()
  const seen = new Map<string, number>()
  const kept: EarlierState[] = []
  const over: EarlierState[] = []
  for (const { archive_id: archiveId, suite, replaced_at: replacedAt, state: text } of rows) {
    const state = parseSha256(text)
    const count = (seen.get(`${archiveId} ${suite}`) ?? 0) + 1
    seen.set(`${archiveId} ${suite}`, count)
    if (state === undefined) continue
    const isKept = count <= KEPT_STATES || replacedAt > now - KEPT_MS
    const list = isKept ? kept : over
    list.push({ archiveId, suite, replacedAt, state })
  }
  return { kept, over }
}

/** Forgets these; within the caller's transaction. */
export async function deleteEarlierStates(db: Db, states: readonly EarlierState[]): Promise<void> {
  for (const { archiveId, suite, replacedAt, state } of states) {
    await db
      .withTables<EarlierTables>()
      .deleteFrom('earlier_state')
      .where('archive_id', '=', archiveId)
      .where('suite', '=', suite)
      .where('replaced_at', '=', replacedAt)
      .where('state', '=', state)
      .execute()
  }
}
