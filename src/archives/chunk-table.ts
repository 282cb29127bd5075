/**
 * What is known of chunks: owns the tables `chunk`, `chunk_source` and `raw_chunk`. How they are deleted: chunk-removal.ts.
 *
 * `chunk` finds a chunk by the digest of its text, so that nothing is compressed twice. `chunk_source` says in which
 * chunks a source package has stanzas (derived: it can be rebuilt from the chunks). `raw_chunk` finds it by the
 * upstream stanzas that it was made of, so that a refresh works only on what changed. Who finds a chunk here may use it
 * without more: it is not deleted any more (store/doomed.ts).
 */
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { putRows } from '../store/blobs.ts'
import { type Db, type Migration, sql } from '../store/database.ts'
import { spare } from '../store/doomed.ts'
import type { Chunk } from './index-tree.ts'

export const chunkMigrations: readonly Migration[] = [
  {
    name: 'archives-chunks-1',
    statements: [
      `CREATE TABLE chunk (
        id INTEGER PRIMARY KEY, plain BLOB NOT NULL UNIQUE, member BLOB NOT NULL,
        plain_size INTEGER NOT NULL, member_size INTEGER NOT NULL,
        lines INTEGER NOT NULL, stanzas INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL
      )`,
      `CREATE TABLE chunk_source (
        source TEXT NOT NULL, chunk_id INTEGER NOT NULL, PRIMARY KEY (source, chunk_id)
      ) WITHOUT ROWID`,
      `CREATE TABLE raw_chunk (raw BLOB PRIMARY KEY, chunk_id INTEGER NOT NULL) WITHOUT ROWID`,
    ],
  },
  {
    name: 'archives-chunks-2',
    statements: [
      'CREATE INDEX chunk_member ON chunk (member)',
      'CREATE INDEX chunk_source_chunk ON chunk_source (chunk_id)',
      'CREATE INDEX raw_chunk_chunk ON raw_chunk (chunk_id)',
    ],
  },
]

type ChunkRow = {
  id: number
  plain: Buffer
  member: Buffer
  plain_size: number
  member_size: number
  lines: number
  stanzas: number
  first: string
  last: string
}
type ChunkTables = {
  chunk: ChunkRow
  chunk_source: { source: string; chunk_id: number }
  raw_chunk: { raw: Buffer; chunk_id: number }
}

/** A chunk that was just made. */
export interface NewChunk {
  readonly chunk: Chunk
  /** Its gzip member; absent when the store has the chunk already. */
  readonly member?: Buffer | undefined
  /** Names of the source packages that have stanzas in it. */
  readonly sources: readonly string[]
  /** Digest of the upstream stanzas that it was made of, if it was. */
  readonly raw?: Sha256 | undefined
}

const columns = [
  'plain',
  'member',
  'plain_size',
  'member_size',
  'lines',
  'stanzas',
  'first',
  'last',
] as const

/** Adds chunks with their members; within the caller's transaction. */
export async function addChunks(db: Db, chunks: readonly NewChunk[]): Promise<void> {
  await putRows(
    db,
    chunks.flatMap(({ member }) => (member === undefined ? [] : [member])),
  )
  await spare(
    db,
    'chunk',
    chunks.map(({ chunk }) => chunk.plain),
  )
  // Three statements for all, each over a JSON array: an import brings a thousand chunks.
  const rows = chunks.map(({ chunk: c }) => {
    return [c.plain, c.member, c.plainSize, c.memberSize, c.lines, c.stanzas, c.first, c.last]
  })
  await sql`INSERT INTO chunk (plain, member, plain_size, member_size, lines, stanzas, first, last)
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5,
      value ->> 6, value ->> 7
    FROM json_each(${JSON.stringify(rows)}) WHERE true ON CONFLICT (plain) DO NOTHING`.execute(db)
  const sources = chunks.map((one) => [one.chunk.plain, one.sources])
  await sql`INSERT OR IGNORE INTO chunk_source (source, chunk_id)
    SELECT source.value, chunk.id
    FROM json_each(${JSON.stringify(sources)}) AS one
    JOIN chunk ON chunk.plain = unhex(one.value ->> 0), json_each(one.value, '$[1]') AS source`.execute(
    db,
  )
  const raws = chunks.flatMap(({ chunk, raw }) => (raw === undefined ? [] : [[raw, chunk.plain]]))
  await sql`INSERT OR REPLACE INTO raw_chunk (raw, chunk_id)
    SELECT unhex(one.value ->> 0), chunk.id
    FROM json_each(${JSON.stringify(raws)}) AS one JOIN chunk ON chunk.plain = unhex(one.value ->> 1)`.execute(
    db,
  )
}

/** The chunks whose text has one of these digests. */
export async function findChunksByPlain(
  db: Db,
  digests: readonly Sha256[],
): Promise<Map<Sha256, Chunk>> {
  const found = new Map<Sha256, Chunk>()
  await spare(db, 'chunk', digests)
  for (let at = 0; at < digests.length; at += 1000) {
    const rows = await db
      .withTables<ChunkTables>()
      .selectFrom('chunk')
      .select(columns)
      .where('plain', 'in', digests.slice(at, at + 1000).map(sha256Bytes))
      .execute()
    for (const row of rows) found.set(sha256FromBytes(row.plain), toChunk(row))
  }
  return found
}

/** The chunks that were made of upstream stanzas with these digests. */
export async function findChunksByRaw(
  db: Db,
  digests: readonly Sha256[],
): Promise<Map<Sha256, Chunk>> {
  const named = await chunksOfRaw(db, digests)
  // Spared by their own names, and looked for again: one that went between the two is none of them.
  await spare(
    db,
    'chunk',
    [...named.values()].map((chunk) => chunk.plain),
  )
  return chunksOfRaw(db, digests)
}

async function chunksOfRaw(db: Db, digests: readonly Sha256[]): Promise<Map<Sha256, Chunk>> {
  const found = new Map<Sha256, Chunk>()
  for (let at = 0; at < digests.length; at += 1000) {
    const rows = await db
      .withTables<ChunkTables>()
      .selectFrom('raw_chunk')
      .innerJoin('chunk', 'chunk.id', 'raw_chunk.chunk_id')
      .select(['raw_chunk.raw', ...columns])
      .where('raw_chunk.raw', 'in', digests.slice(at, at + 1000).map(sha256Bytes))
      .execute()
    for (const row of rows) found.set(sha256FromBytes(row.raw), toChunk(row))
  }
  return found
}

/** Digests of the texts of all chunks, of any age, in which this source package has stanzas. */
export async function chunksOfSource(db: Db, source: string): Promise<Set<Sha256>> {
  const rows = await db
    .withTables<ChunkTables>()
    .selectFrom('chunk_source')
    .innerJoin('chunk', 'chunk.id', 'chunk_source.chunk_id')
    .select('chunk.plain')
    .where('chunk_source.source', '=', source)
    .execute()
  return new Set(rows.map((row) => sha256FromBytes(row.plain)))
}

/** All chunks, of any age, in which a package or a source package of this name can stand. */
export async function chunksAbout(db: Db, name: string): Promise<Chunk[]> {
  const { rows } = await sql<Omit<ChunkRow, 'id'>>`SELECT * FROM chunk
    WHERE (first <= ${name} AND last >= ${name})
      OR id IN (SELECT chunk_id FROM chunk_source WHERE source = ${name})
    ORDER BY id DESC`.execute(db)
  return rows.map(toChunk)
}

/** Names of source packages that begin so and match. */
interface NamePattern {
  readonly prefix: string
  matches(name: string): boolean
}

/** The same for all source packages whose names begin so and match. */
export async function chunksOfSources(db: Db, pattern: NamePattern): Promise<Set<Sha256>> {
  const found = new Set<Sha256>()
  for (const name of await sourcesLike(db, pattern))
    for (const plain of await chunksOfSource(db, name)) found.add(plain)
  return found
}

/** Whether there is, or was lately, such a source package in any archive. */
export async function hasSourceLike(db: Db, pattern: NamePattern): Promise<boolean> {
  return (await sourcesLike(db, pattern)).length > 0
}

async function sourcesLike(db: Db, { prefix, matches }: NamePattern): Promise<string[]> {
  const tables = db.withTables<ChunkTables>()
  const sources = await tables
    .selectFrom('chunk_source')
    .select('source')
    .distinct()
    .where('source', '>=', prefix)
    .where('source', '<', `${prefix}\u{10ffff}`)
    .execute()
  return sources.map((row) => row.source).filter(matches)
}

/** The chunks in which this source package has stanzas, those made last first. */
export async function latestOfSource(db: Db, source: string, limit: number): Promise<Chunk[]> {
  const rows = await db
    .withTables<ChunkTables>()
    .selectFrom('chunk_source')
    .innerJoin('chunk', 'chunk.id', 'chunk_source.chunk_id')
    .select(columns)
    .where('chunk_source.source', '=', source)
    .orderBy('chunk_source.chunk_id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(toChunk)
}

function toChunk(row: Omit<ChunkRow, 'id'>): Chunk {
  return {
    plain: sha256FromBytes(row.plain),
    member: sha256FromBytes(row.member),
    plainSize: row.plain_size,
    memberSize: row.member_size,
    lines: row.lines,
    stanzas: row.stanzas,
    first: row.first,
    last: row.last,
  }
}
