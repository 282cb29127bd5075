/**
 * Generations of channels: owns the tables `generation` and `generation_suite`.
 *
 * A generation is never changed once written; the channel's `head` says which one is served.
 */
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import type { Db, Migration } from '../store/database.ts'
import { type Channel, setHead } from './channel-table.ts'

export const generationMigrations: readonly Migration[] = [
  {
    name: 'generations-made-at',
    statements: ['CREATE INDEX generation_made ON generation (channel_id, made_at)'],
  },
]

export type GenerationKind =
  | 'create'
  | 'follow'
  | 'promote'
  | 'rollback'
  | 're-sign'
  /** Without a version that was revoked. */
  | 'revoke'
  /** What it is based on is another channel now. */
  | 'move'
  | 'adopt-release'

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

type GenerationTables = {
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

/** Writes a generation and moves the head to it; within the caller's transaction. */
export async function insertGeneration(
  db: Db,
  generation: Generation,
  suites: readonly GenerationSuite[],
): Promise<void> {
  const tables = db.withTables<GenerationTables>()
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
  await setHead(db, channelId, serial)
}

/** A generation of a channel; `ERR_NOT_FOUND` if there is none of this serial. */
export async function getGeneration(db: Db, channel: Channel, serial: number): Promise<Generation> {
  const row = await db
    .withTables<GenerationTables>()
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

/** Which generation the channel served at a time (epoch milliseconds), of those whose history is kept. */
export async function findSerialAt(
  db: Db,
  channelId: number,
  at: number,
): Promise<number | undefined> {
  const row = await db
    .withTables<GenerationTables>()
    .selectFrom('generation')
    .select('serial')
    .where('channel_id', '=', channelId)
    .where('made_at', '<=', at)
    .orderBy('made_at', 'desc')
    .orderBy('serial', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.serial
}

/** The oldest generation whose history is kept. */
export async function findOldest(
  db: Db,
  channelId: number,
): Promise<Pick<Generation, 'serial' | 'madeAt'> | undefined> {
  const row = await db
    .withTables<GenerationTables>()
    .selectFrom('generation')
    .select(['serial', 'made_at'])
    .where('channel_id', '=', channelId)
    .orderBy('serial')
    .limit(1)
    .executeTakeFirst()
  return row && { serial: row.serial, madeAt: row.made_at }
}

/** The newest generations, newest first; those made at `since` (epoch milliseconds) or later, none after `upTo`. */
export async function listGenerations(
  db: Db,
  channelId: number,
  limit: number,
  { since = 0, upTo }: { readonly since?: number | undefined; readonly upTo?: number } = {},
): Promise<Generation[]> {
  const rows = await db
    .withTables<GenerationTables>()
    .selectFrom('generation')
    .selectAll()
    .where('channel_id', '=', channelId)
    .where('made_at', '>=', since)
    .$if(upTo !== undefined, (query) => query.where('serial', '<=', upTo ?? 0))
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
    .withTables<GenerationTables>()
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

/** The suites of all generations of a channel that are kept, oldest first. */
export async function listKeptSuites(
  db: Db,
  channelId: number,
): Promise<(Pick<GenerationSuite, 'archive' | 'suite' | 'state'> & { readonly serial: number })[]> {
  const rows = await db
    .withTables<GenerationTables>()
    .selectFrom('generation_suite')
    .select(['serial', 'archive', 'suite', 'state'])
    .where('channel_id', '=', channelId)
    .orderBy('serial')
    .execute()
  return rows.flatMap(({ state: text, ...row }) => {
    const state = parseSha256(text)
    return state === undefined ? [] : [{ ...row, state }]
  })
}

/** Removes all generations of a channel; within the caller's transaction. */
export async function deleteGenerations(db: Db, channelId: number): Promise<void> {
  const tables = db.withTables<GenerationTables>()
  await tables.deleteFrom('generation_suite').where('channel_id', '=', channelId).execute()
  await tables.deleteFrom('generation').where('channel_id', '=', channelId).execute()
}

function toGeneration(row: GenerationTables['generation']): Generation {
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
