/**
 * Channels: owns the table `channel`. Its first migration also makes the tables of generation-table.ts.
 *
 * What is published for a class of machines is kept as a channel too, of kind `class`: it serves what another channel
 * serves, under a key and a URL of its own. Its name is `class/<class>`, which no other channel can have.
 */
import { AppError } from '../base/errors.ts'
import type { Db, Migration } from '../store/database.ts'

export const channelMigrations: readonly Migration[] = [
  {
    name: 'channels-1',
    statements: [
      `CREATE TABLE channel (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
        follows TEXT NOT NULL, head INTEGER NOT NULL, made_at INTEGER NOT NULL
      )`,
      `CREATE TABLE generation (
        channel_id INTEGER NOT NULL, serial INTEGER NOT NULL, made_at INTEGER NOT NULL,
        kind TEXT NOT NULL, who TEXT NOT NULL, why TEXT, changes TEXT, PRIMARY KEY (channel_id, serial)
      ) WITHOUT ROWID`,
      `CREATE TABLE generation_suite (
        channel_id INTEGER NOT NULL, serial INTEGER NOT NULL, archive TEXT NOT NULL, suite TEXT NOT NULL,
        state TEXT NOT NULL, release_id INTEGER NOT NULL,
        PRIMARY KEY (channel_id, serial, archive, suite)
      ) WITHOUT ROWID`,
    ],
  },
  { name: 'channels-2', statements: ['ALTER TABLE channel ADD COLUMN base_id INTEGER'] },
  {
    name: 'channels-retention-1',
    statements: [
      'ALTER TABLE channel ADD COLUMN keep_generations INTEGER',
      'ALTER TABLE channel ADD COLUMN keep_days INTEGER',
    ],
  },
  {
    name: 'channels-phasing-1',
    statements: ['ALTER TABLE channel ADD COLUMN keep_phasing INTEGER NOT NULL DEFAULT 0'],
  },
]

/**
 * `following`: tracks archives. `curated`: changes by promotion only. `derived`: tracks its base, and keeps changes of its
 * own on top. `class`: is what its base is.
 */
export type ChannelKind = 'following' | 'curated' | 'derived' | 'class'

export interface Channel {
  readonly id: number
  readonly name: string
  readonly kind: ChannelKind
  /** Names of the archives that a following channel tracks, or that a derived one has besides its base's. */
  readonly follows: readonly string[]
  /** The channel that a derived one or a class is based on. */
  readonly baseId?: number | undefined
  /** Serial of the generation that is served; 0 before the first. */
  readonly head: number
  /** Epoch milliseconds. */
  readonly madeAt: number
  /** How much of its history is kept, where the server's settings do not hold for it: see retention.ts. */
  readonly keepGenerations?: number | undefined
  readonly keepDays?: number | undefined
  /** Whether promotions to it keep `Phased-Update-Percentage`: see phasing.ts. */
  readonly keepsPhasing: boolean
}

type ChannelTables = {
  channel: {
    id: number
    name: string
    kind: string
    follows: string
    head: number
    made_at: number
    base_id: number | null
    keep_generations: number | null
    keep_days: number | null
    keep_phasing: number
  }
}

const namePattern = /^[a-z0-9][a-z0-9.+-]{0,62}$/
const CLASS = 'class/'

/** Whether a channel, or a class, may be called so: it stands in URLs and file names. */
export function isChannelName(name: string): boolean {
  return namePattern.test(name)
}

/** What a channel's name is called in messages and in the audit: `channel web`; `class web` for `class/web`. */
export function titleOf(name: string): string {
  return name.startsWith(CLASS) ? `class ${name.slice(CLASS.length)}` : `channel ${name}`
}

/** The name that the channel of a class has. */
export function channelOfClass(name: string): string {
  return `${CLASS}${name}`
}

/** Whether this is what is published for a class of machines: commands and lists of channels leave it to those of classes. */
export function isClass(channel: Pick<Channel, 'kind'>): boolean {
  return channel.kind === 'class'
}

/** All channels in the order they were made, what is published for classes too. */
export async function listChannels(db: Db): Promise<Channel[]> {
  const rows = await db
    .withTables<ChannelTables>()
    .selectFrom('channel')
    .selectAll()
    .orderBy('id')
    .execute()
  return rows.map(toChannel)
}

/** The channel of this name; `ERR_NOT_FOUND` if there is none. */
export async function getChannel(db: Db, name: string): Promise<Channel> {
  const row = await db
    .withTables<ChannelTables>()
    .selectFrom('channel')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
  if (row === undefined) {
    const isOfClass = name.startsWith(CLASS)
    throw new AppError('ERR_NOT_FOUND', {
      message: `there is no ${titleOf(name)}`,
      hint: isOfClass ? 'sluice class list' : 'sluice channel list',
    })
  }
  return toChannel(row)
}

/** The channel of this name, which is not one of a class; `ERR_NOT_FOUND` if there is none. */
export async function getPlainChannel(db: Db, name: string): Promise<Channel> {
  const channel = await getChannel(db, name)
  if (!isClass(channel)) return channel
  const title = titleOf(name)
  throw new AppError('ERR_NOT_FOUND', {
    message: `${title} is no channel`,
    hint: `sluice ${title.replace(' ', ' show ')}`,
  })
}

/** The channel with this id, if it is still there. */
export async function findChannelById(db: Db, id: number): Promise<Channel | undefined> {
  const row = await db
    .withTables<ChannelTables>()
    .selectFrom('channel')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toChannel(row)
}

/** Throws `ERR_CONFLICT` if there is a channel of this name. */
export async function assertNameIsFree(db: Db, name: string): Promise<void> {
  const tables = db.withTables<ChannelTables>()
  const taken = await tables.selectFrom('channel').select('id').where('name', '=', name).execute()
  if (taken.length === 0) return
  const title = titleOf(name)
  throw new AppError('ERR_CONFLICT', {
    message: `there is a ${title} already`,
    hint: `sluice ${title.replace(' ', ' show ')}`,
  })
}

/** Adds a channel without a generation, within the caller's transaction; its name must be free. */
export async function insertChannel(
  db: Db,
  channel: Pick<Channel, 'name' | 'kind' | 'follows' | 'madeAt' | 'baseId'>,
): Promise<Channel> {
  await db
    .withTables<ChannelTables>()
    .insertInto('channel')
    .values({
      name: channel.name,
      kind: channel.kind,
      follows: JSON.stringify(channel.follows),
      head: 0,
      made_at: channel.madeAt,
      base_id: channel.baseId ?? null,
    } as ChannelTables['channel'])
    .execute()
  return getChannel(db, channel.name)
}

/** Changes which archives a following channel tracks; within the caller's transaction. */
export async function setFollows(db: Db, id: number, follows: readonly string[]): Promise<void> {
  await db
    .withTables<ChannelTables>()
    .updateTable('channel')
    .set({ follows: JSON.stringify(follows) })
    .where('id', '=', id)
    .execute()
}

/** Gives a channel another name, which must be free; within the caller's transaction. */
export async function renameChannelRow(db: Db, id: number, name: string): Promise<void> {
  await db
    .withTables<ChannelTables>()
    .updateTable('channel')
    .set({ name })
    .where('id', '=', id)
    .execute()
}

/** Moves a channel to another base; within the caller's transaction. */
export async function setBase(db: Db, id: number, baseId: number): Promise<void> {
  await db
    .withTables<ChannelTables>()
    .updateTable('channel')
    .set({ base_id: baseId })
    .where('id', '=', id)
    .execute()
}

/** Says how much of its history a channel keeps; undefined is what the server's settings say. Within the caller's transaction. */
export async function setRetention(
  db: Db,
  id: number,
  { keepGenerations, keepDays }: Pick<Channel, 'keepGenerations' | 'keepDays'>,
): Promise<void> {
  await db
    .withTables<ChannelTables>()
    .updateTable('channel')
    .set({ keep_generations: keepGenerations ?? null, keep_days: keepDays ?? null })
    .where('id', '=', id)
    .execute()
}

/** Says whether promotions to a channel keep phasing; within the caller's transaction. */
export async function setKeepsPhasing(db: Db, id: number, keepsPhasing: boolean): Promise<void> {
  await db
    .withTables<ChannelTables>()
    .updateTable('channel')
    .set({ keep_phasing: Number(keepsPhasing) })
    .where('id', '=', id)
    .execute()
}

/** Says which generation is served; within the transaction that writes it. */
export async function setHead(db: Db, id: number, serial: number): Promise<void> {
  await db
    .withTables<ChannelTables>()
    .updateTable('channel')
    .set({ head: serial })
    .where('id', '=', id)
    .execute()
}

/** Removes a channel whose generations are removed; its publication, with keys and Date floors, stays. */
export async function deleteChannelRow(db: Db, id: number): Promise<void> {
  await db.withTables<ChannelTables>().deleteFrom('channel').where('id', '=', id).execute()
}

function toChannel(row: ChannelTables['channel']): Channel {
  const follows: string[] = JSON.parse(row.follows)
  return {
    id: row.id,
    name: row.name,
    kind: row.kind as ChannelKind,
    follows,
    baseId: row.base_id ?? undefined,
    head: row.head,
    madeAt: row.made_at,
    keepGenerations: row.keep_generations ?? undefined,
    keepDays: row.keep_days ?? undefined,
    keepsPhasing: row.keep_phasing !== 0,
  }
}
