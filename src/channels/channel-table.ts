/**
 * Channels and their generations: owns the tables `channel`, `generation` and `generation_suite`.
 *
 * A generation is never changed once written; the channel's `head` says which one is served.
 */
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
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
]

export type ChannelKind = 'following' | 'curated'
export type GenerationKind = 'create' | 'follow' | 'promote' | 'rollback' | 're-sign'

export interface Channel {
  readonly id: number
  readonly name: string
  readonly kind: ChannelKind
  /** Names of the archives that a following channel tracks. */
  readonly follows: readonly string[]
  /** Serial of the generation that is served; 0 before the first. */
  readonly head: number
  /** Epoch milliseconds. */
  readonly madeAt: number
}

/** What changed for one source package in one suite. */
export interface SourceChange {
  readonly archive: string
  readonly suite: string
  readonly source: string
  /** Source versions before and after; empty where it was or is absent. */
  readonly old: readonly string[]
  readonly new: readonly string[]
}

export interface Generation {
  readonly channelId: number
  readonly serial: number
  /** Epoch milliseconds. */
  readonly madeAt: number
  readonly kind: GenerationKind
  readonly who: string
  readonly why?: string | undefined
  /** Against the generation before; absent for a channel's first one, where all is new. */
  readonly changes?: readonly SourceChange[] | undefined
}

/** One suite of a generation: what it holds and which signed Release says so. */
export interface GenerationSuite {
  readonly archive: string
  readonly suite: string
  readonly state: Sha256
  readonly releaseId: number
}

type ChannelTables = {
  channel: {
    id: number
    name: string
    kind: string
    follows: string
    head: number
    made_at: number
  }
  generation: {
    channel_id: number
    serial: number
    made_at: number
    kind: string
    who: string
    why: string | null
    changes: string | null
  }
  generation_suite: {
    channel_id: number
    serial: number
    archive: string
    suite: string
    state: string
    release_id: number
  }
}

const namePattern = /^[a-z0-9][a-z0-9.+-]{0,62}$/

/** Whether a channel may be called so: it stands in URLs and file names. */
export function isChannelName(name: string): boolean {
  return namePattern.test(name)
}

/** All channels, by name. */
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
    throw new AppError('ERR_NOT_FOUND', {
      message: `there is no channel ${name}`,
      hint: 'sluice channel list',
    })
  }
  return toChannel(row)
}

/** Throws `ERR_CONFLICT` if there is a channel of this name. */
export async function assertNameIsFree(db: Db, name: string): Promise<void> {
  const tables = db.withTables<ChannelTables>()
  const taken = await tables.selectFrom('channel').select('id').where('name', '=', name).execute()
  if (taken.length === 0) return
  throw new AppError('ERR_CONFLICT', {
    message: `there is a channel ${name} already`,
    hint: `sluice channel show ${name}`,
  })
}

/** Adds a channel without a generation, within the caller's transaction; its name must be free. */
export async function insertChannel(
  db: Db,
  channel: Pick<Channel, 'name' | 'kind' | 'follows' | 'madeAt'>,
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

/** Removes a channel with its generations; its publication, with key and Date floors, stays. */
export async function deleteChannelRows(db: Db, id: number): Promise<void> {
  const tables = db.withTables<ChannelTables>()
  await tables.deleteFrom('generation_suite').where('channel_id', '=', id).execute()
  await tables.deleteFrom('generation').where('channel_id', '=', id).execute()
  await tables.deleteFrom('channel').where('id', '=', id).execute()
}

/** Writes a generation and moves the head to it; within the caller's transaction. */
export async function insertGeneration(
  db: Db,
  generation: Generation,
  suites: readonly GenerationSuite[],
): Promise<void> {
  const tables = db.withTables<ChannelTables>()
  const { channelId, serial } = generation
  await tables
    .insertInto('generation')
    .values({
      channel_id: channelId,
      serial,
      made_at: generation.madeAt,
      kind: generation.kind,
      who: generation.who,
      why: generation.why ?? null,
      changes: generation.changes === undefined ? null : JSON.stringify(generation.changes),
    })
    .execute()
  for (const { archive, suite, state, releaseId } of suites) {
    await tables
      .insertInto('generation_suite')
      .values({ channel_id: channelId, serial, archive, suite, state, release_id: releaseId })
      .execute()
  }
  await tables.updateTable('channel').set({ head: serial }).where('id', '=', channelId).execute()
}

/** A generation of a channel; `ERR_NOT_FOUND` if there is none of this serial. */
export async function getGeneration(db: Db, channel: Channel, serial: number): Promise<Generation> {
  const row = await db
    .withTables<ChannelTables>()
    .selectFrom('generation')
    .selectAll()
    .where('channel_id', '=', channel.id)
    .where('serial', '=', serial)
    .executeTakeFirst()
  if (row === undefined) {
    throw new AppError('ERR_NOT_FOUND', {
      message: `channel ${channel.name} has no generation ${serial}`,
      hint: `sluice channel history ${channel.name}`,
    })
  }
  return toGeneration(row)
}

/** The newest generations, newest first. */
export async function listGenerations(
  db: Db,
  channelId: number,
  limit: number,
): Promise<Generation[]> {
  const rows = await db
    .withTables<ChannelTables>()
    .selectFrom('generation')
    .selectAll()
    .where('channel_id', '=', channelId)
    .orderBy('serial', 'desc')
    .limit(limit)
    .execute()
  return rows.map(toGeneration)
}

/** The suites of a generation, by archive and suite. */
export async function listGenerationSuites(
  db: Db,
  channelId: number,
  serial: number,
): Promise<GenerationSuite[]> {
  const rows = await db
    .withTables<ChannelTables>()
    .selectFrom('generation_suite')
    .selectAll()
    .where('channel_id', '=', channelId)
    .where('serial', '=', serial)
    .orderBy('archive')
    .orderBy('suite')
    .execute()
  return rows.map((row) => {
    const state = parseSha256(row.state)
    if (state === undefined) {
      throw new AppError('ERR_STORE', {
        message: 'a generation names no state',
        hint: 'sluice verify',
      })
    }
    return { archive: row.archive, suite: row.suite, state, releaseId: row.release_id }
  })
}

function toChannel(row: ChannelTables['channel']): Channel {
  const follows: string[] = JSON.parse(row.follows)
  const kind = row.kind === 'following' ? 'following' : 'curated'
  return { id: row.id, name: row.name, kind, follows, head: row.head, madeAt: row.made_at }
}

function toGeneration(row: ChannelTables['generation']): Generation {
  const changes: SourceChange[] | undefined =
    row.changes === null ? undefined : JSON.parse(row.changes)
  return {
    channelId: row.channel_id,
    serial: row.serial,
    madeAt: row.made_at,
    kind: row.kind as GenerationKind,
    who: row.who,
    why: row.why ?? undefined,
    changes,
  }
}
