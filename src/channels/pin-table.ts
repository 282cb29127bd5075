/**
 * Pins: owns the table `channel_pin`. A pin says where a channel's content of one source package in one suite comes from,
 * other than from what the channel is based on.
 *
 *   promotion  what was promoted to a derived channel; it goes when the base has as new a version
 *   hold       what the channel had when the source was held; it stays until somebody lifts the hold, or to its end if it
 *              has one (hold-end.ts)
 *   decline    what the channel had when its base got a version that it declines; it goes when the base has another, or the
 *              version is not declined any more (keep-declined.ts)
 *
 * The content is what the suite state `state` has of the source: nothing at all, if that state lacks it. States that pins
 * name are retained as those of generations are.
 */
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from '../store/database.ts'

export const pinMigrations: readonly Migration[] = [
  {
    name: 'channels-pins-1',
    statements: [
      `CREATE TABLE channel_pin (
        channel_id INTEGER NOT NULL, archive TEXT NOT NULL, suite TEXT NOT NULL, source TEXT NOT NULL,
        kind TEXT NOT NULL, state BLOB NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL,
        made_at INTEGER NOT NULL, who TEXT NOT NULL, why TEXT,
        PRIMARY KEY (channel_id, archive, suite, source)
      ) WITHOUT ROWID`,
    ],
  },
  { name: 'channels-pins-2', statements: ['ALTER TABLE channel_pin ADD COLUMN until INTEGER'] },
]

export type PinKind = 'promotion' | 'hold' | 'decline'

/** Which source package of which suite. */
export interface PinnedSource {
  readonly archive: string
  readonly suite: string
  readonly source: string
}

export interface Pin extends PinnedSource {
  readonly kind: PinKind
  readonly state: Sha256
  /** Source versions that the channel had when the pin was made, and that it has by the pin; empty for none. */
  readonly old: readonly string[]
  readonly new: readonly string[]
  /** Epoch milliseconds. */
  readonly madeAt: number
  readonly who: string
  readonly why?: string | undefined
  /** Epoch milliseconds: when a hold ends; without it only when somebody lifts it. */
  readonly until?: number | undefined
}

type PinRow = {
  channel_id: number
  archive: string
  suite: string
  source: string
  kind: string
  state: Buffer
  old: string
  new: string
  made_at: number
  who: string
  why: string | null
  until: number | null
}
type PinTables = { channel_pin: PinRow }

/** The pins of a channel, by archive, suite and source. */
export async function listPins(db: Db, channelId: number): Promise<Pin[]> {
  const rows = await db
    .withTables<PinTables>()
    .selectFrom('channel_pin')
    .selectAll()
    .where('channel_id', '=', channelId)
    .orderBy('archive')
    .orderBy('suite')
    .orderBy('source')
    .execute()
  return rows.map(toPin)
}

/** The states that any channel's pins name. */
export async function listPinnedStates(db: Db): Promise<Sha256[]> {
  const rows = await db
    .withTables<PinTables>()
    .selectFrom('channel_pin')
    .select('state')
    .distinct()
    .execute()
  return rows.map((row) => sha256FromBytes(row.state))
}

/** Epoch milliseconds: when the first of the holds that have an end ends; undefined if none has one. */
export async function firstHoldEnd(db: Db): Promise<number | undefined> {
  const row = await db
    .withTables<PinTables>()
    .selectFrom('channel_pin')
    .select(({ fn }) => fn.min('until').as('until'))
    .where('kind', '=', 'hold')
    .executeTakeFirst()
  return row?.until ?? undefined
}

/** Adds pins, or puts them in place of what was pinned of the same source; within the caller's transaction. */
export async function putPins(db: Db, channelId: number, pins: readonly Pin[]): Promise<void> {
  for (const pin of pins) {
    const row: PinRow = {
      channel_id: channelId,
      archive: pin.archive,
      suite: pin.suite,
      source: pin.source,
      kind: pin.kind,
      state: sha256Bytes(pin.state),
      old: JSON.stringify(pin.old),
      new: JSON.stringify(pin.new),
      made_at: pin.madeAt,
      who: pin.who,
      why: pin.why ?? null,
      until: pin.until ?? null,
    }
    await db
      .withTables<PinTables>()
      .insertInto('channel_pin')
      .values(row)
      .onConflict((on) => on.columns(['channel_id', 'archive', 'suite', 'source']).doUpdateSet(row))
      .execute()
  }
}

/** Removes pins; within the caller's transaction. */
export async function dropPins(
  db: Db,
  channelId: number,
  pins: readonly PinnedSource[],
): Promise<void> {
  if (pins.length === 0) return
  const keys = JSON.stringify(pins.map((pin) => [pin.archive, pin.suite, pin.source]))
  await sql`DELETE FROM channel_pin WHERE channel_id = ${channelId} AND (archive, suite, source) IN
    (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(${keys}))`.execute(db)
}

/** Removes all pins of a channel; within the caller's transaction. */
export async function dropAllPins(db: Db, channelId: number): Promise<void> {
  await db
    .withTables<PinTables>()
    .deleteFrom('channel_pin')
    .where('channel_id', '=', channelId)
    .execute()
}

function toPin(row: PinRow): Pin {
  const before: string[] = JSON.parse(row.old)
  const after: string[] = JSON.parse(row.new)
  return {
    archive: row.archive,
    suite: row.suite,
    source: row.source,
    kind: row.kind as PinKind,
    state: sha256FromBytes(row.state),
    old: before,
    new: after,
    madeAt: row.made_at,
    who: row.who,
    why: row.why ?? undefined,
    until: row.until ?? undefined,
  }
}
