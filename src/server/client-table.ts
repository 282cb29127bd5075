/**
 * Which clients took which generation of what, and when last: owns the table `client_seen`.
 *
 * One row for each address, channel (`class/web`: a class), archive, suite and way of asking: for the head, or for a
 * generation by its name (`@`). Rows are kept for 30 days, and 100,000 of them at the most: it is about people's machines.
 */
import type { ServedRelease } from '../archives/answer.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const clientMigrations: readonly Migration[] = [
  {
    name: 'server-clients-1',
    statements: [
      `CREATE TABLE client_seen (
        address TEXT NOT NULL, channel TEXT NOT NULL, archive TEXT NOT NULL, suite TEXT NOT NULL,
        is_pinned INTEGER NOT NULL, serial INTEGER NOT NULL, seen_at INTEGER NOT NULL, agent TEXT NOT NULL,
        PRIMARY KEY (channel, address, archive, suite, is_pinned)
      ) WITHOUT ROWID`,
      'CREATE INDEX client_seen_at ON client_seen (seen_at)',
    ],
  },
]

export const KEPT_MS = 30 * 24 * 3600_000
const MAX_ROWS = 100_000
const ROWS_AT_ONCE = 500

/** A client that took a Release, and when last. */
export interface Sighting extends ServedRelease {
  /** IPv4 or IPv6 address. */
  readonly address: string
  /** Epoch milliseconds. */
  readonly seenAt: number
  /** What it calls itself, short: `apt 2.6.1`. */
  readonly agent: string
}

type ClientTables = {
  client_seen: {
    address: string
    channel: string
    archive: string
    suite: string
    is_pinned: number
    serial: number
    seen_at: number
    agent: string
  }
}

/** Writes what was seen; a later sighting takes the place of an earlier one. */
export async function saveSightings(db: Db, sightings: readonly Sighting[]): Promise<void> {
  for (let at = 0; at < sightings.length; at += ROWS_AT_ONCE) {
    const rows = sightings.slice(at, at + ROWS_AT_ONCE).map((one) => {
      const { address, channel, archive, suite, isPinned, serial, seenAt, agent } = one
      return [address, channel, archive, suite, Number(isPinned), serial, seenAt, agent]
    })
    await sql`INSERT INTO client_seen (address, channel, archive, suite, is_pinned, serial, seen_at, agent)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
        value ->> 7
      FROM json_each(${JSON.stringify(rows)}) WHERE true
      ON CONFLICT DO UPDATE SET serial = excluded.serial, seen_at = excluded.seen_at, agent = excluded.agent`.execute(
      db,
    )
  }
}

/** Who took this channel at `since` (epoch milliseconds) or later, the last first. */
export async function listSightings(db: Db, channel: string, since: number): Promise<Sighting[]> {
  const rows = await db
    .withTables<ClientTables>()
    .selectFrom('client_seen')
    .selectAll()
    .where('channel', '=', channel)
    .where('seen_at', '>=', since)
    .orderBy('seen_at', 'desc')
    .execute()
  return rows.map(({ is_pinned: isPinned, seen_at: seenAt, ...row }) => ({
    ...row,
    isPinned: isPinned === 1,
    seenAt,
  }))
}

/** Says that what was a channel's is another one's: it was renamed. */
export async function renameSightings(db: Db, channel: string, name: string): Promise<void> {
  await sql`UPDATE OR REPLACE client_seen SET channel = ${name} WHERE channel = ${channel}`.execute(
    db,
  )
}

/** Forgets who took a channel: it was deleted, and another one may get its name. */
export async function forgetChannel(db: Db, channel: string): Promise<void> {
  await db
    .withTables<ClientTables>()
    .deleteFrom('client_seen')
    .where('channel', '=', channel)
    .execute()
}

/** Forgets what is older than it may be, and the oldest of too many. */
export async function forgetSightings(db: Db, now: number): Promise<void> {
  await db
    .withTables<ClientTables>()
    .deleteFrom('client_seen')
    .where('seen_at', '<', now - KEPT_MS)
    .execute()
  await sql`DELETE FROM client_seen WHERE seen_at < (
    SELECT seen_at FROM client_seen ORDER BY seen_at DESC LIMIT 1 OFFSET ${MAX_ROWS})`.execute(db)
}
