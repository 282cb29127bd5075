/**
 * Declines: owns the table `channel_decline`. A version of a source package that a channel never takes, until somebody
 * says otherwise; newer ones come as usual (decline.ts).
 */
import type { Db, Migration } from '../store/database.ts'

export const declineMigrations: readonly Migration[] = [
  {
    name: 'channels-declines-1',
    statements: [
      `CREATE TABLE channel_decline (
        channel_id INTEGER NOT NULL, source TEXT NOT NULL, version TEXT NOT NULL,
        made_at INTEGER NOT NULL, who TEXT NOT NULL, why TEXT,
        PRIMARY KEY (channel_id, source, version)
      ) WITHOUT ROWID`,
    ],
  },
]

/** Which version of which source package: that of the source, not that of a binary package. */
export interface DeclinedVersion {
  readonly source: string
  readonly version: string
}

export interface Decline extends DeclinedVersion {
  /** Epoch milliseconds. */
  readonly madeAt: number
  readonly who: string
  readonly why?: string | undefined
}

type DeclineTables = {
  channel_decline: {
    channel_id: number
    source: string
    version: string
    made_at: number
    who: string
    why: string | null
  }
}

/** What a channel declines, by source and version. */
export async function listDeclines(db: Db, channelId: number): Promise<Decline[]> {
  const rows = await db
    .withTables<DeclineTables>()
    .selectFrom('channel_decline')
    .selectAll()
    .where('channel_id', '=', channelId)
    .orderBy('source')
    .orderBy('version')
    .execute()
  return rows.map(({ source, version, made_at: madeAt, who, why }) => ({
    source,
    version,
    madeAt,
    who,
    why: why ?? undefined,
  }))
}

/** Adds a decline, or puts it in place of that of the same version; within the caller's transaction. */
export async function putDecline(db: Db, channelId: number, decline: Decline): Promise<void> {
  const { source, version, madeAt, who, why = null } = decline
  const row = { channel_id: channelId, source, version, made_at: madeAt, who, why }
  await db
    .withTables<DeclineTables>()
    .insertInto('channel_decline')
    .values(row)
    .onConflict((on) => on.columns(['channel_id', 'source', 'version']).doUpdateSet(row))
    .execute()
}

/** Removes one; within the caller's transaction. */
export async function dropDecline(
  db: Db,
  channelId: number,
  { source, version }: DeclinedVersion,
): Promise<void> {
  await db
    .withTables<DeclineTables>()
    .deleteFrom('channel_decline')
    .where('channel_id', '=', channelId)
    .where('source', '=', source)
    .where('version', '=', version)
    .execute()
}

/** Removes all of a channel; within the caller's transaction. */
export async function dropAllDeclines(db: Db, channelId: number): Promise<void> {
  await db
    .withTables<DeclineTables>()
    .deleteFrom('channel_decline')
    .where('channel_id', '=', channelId)
    .execute()
}
