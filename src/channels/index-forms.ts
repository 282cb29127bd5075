/**
 * The files that an index is published as, and what they measure: owns the table `index_form`.
 *
 * `Packages` is listed in Release but not served; `Packages.gz` is a composite: the gzip members of the chunks, one
 * after the other (apt reads all members). Both digests are one pass, made once for each index and kept.
 */
import { type IndexParts, readChunk } from '../archives/index-parts.ts'
import type { Chunk } from '../archives/index-tree.ts'
import type { FileDigest } from '../archives/suite-state.ts'
import { crashPoint } from '../base/fault.ts'
import {
  type Sha256,
  sha256Bytes,
  sha256FromBytes,
  sha256Of,
  sha256Stream,
} from '../base/sha256.ts'
import type { Signer } from '../signing/signer.ts'
import type { Db, Migration } from '../store/database.ts'
import { EMPTY_MEMBER } from './composite.ts'

export const indexFormMigrations: readonly Migration[] = [
  {
    name: 'channels-index-forms-1',
    statements: [
      `CREATE TABLE index_form (
        root BLOB PRIMARY KEY, plain BLOB NOT NULL, plain_size INTEGER NOT NULL,
        gz BLOB NOT NULL, gz_size INTEGER NOT NULL
      ) WITHOUT ROWID`,
      'CREATE INDEX index_form_gz ON index_form (gz)',
    ],
  },
]

/** The scratch files, in the order in which the signing process has them. */
export const scratchFiles = ['texts', 'members'] as const

/** The forms of the index whose chunk list is `root`. */
export interface IndexForms {
  readonly root: Sha256
  readonly plain: FileDigest
  readonly gz: FileDigest
}

type IndexFormRow = { root: Buffer; plain: Buffer; plain_size: number; gz: Buffer; gz_size: number }
type IndexFormTables = { index_form: IndexFormRow }

/** What an index is measured with: beside us by the signing process, where there is one. */
export interface MeasuringParts extends IndexParts {
  readonly signer?: Pick<Signer, 'measure'> | undefined
}

/** What the index at `root` measures in each form; computed at the first call for a root. */
export async function describeIndex(parts: MeasuringParts, root: Sha256): Promise<IndexForms> {
  const known = await findForms(parts.db, 'root', root)
  if (known !== undefined) return known
  const { chunks } = await parts.trees.read(root)
  const [plain, gz] = await Promise.all([hashTexts(parts, chunks), hashMembers(parts, chunks)])
  await parts.db
    .withTables<IndexFormTables>()
    .insertInto('index_form')
    .values({
      root: sha256Bytes(root),
      plain: sha256Bytes(plain.sha256),
      plain_size: plain.size,
      gz: sha256Bytes(gz.sha256),
      gz_size: gz.size,
    })
    .onConflict((on) => on.column('root').doNothing())
    .execute()
  crashPoint('publish: index described')
  return { root, plain, gz }
}

/** The index whose `Packages.gz` has this digest, in any generation. */
export async function findFormsByGz(db: Db, gz: Sha256): Promise<IndexForms | undefined> {
  return findForms(db, 'gz', gz)
}

/** What is known of these indexes, by their roots. */
export async function listForms(
  db: Db,
  roots: readonly Sha256[],
): Promise<Map<Sha256, IndexForms>> {
  const rows = await db
    .withTables<IndexFormTables>()
    .selectFrom('index_form')
    .selectAll()
    .where('root', 'in', roots.map(sha256Bytes))
    .execute()
  return new Map(rows.map((row) => [sha256FromBytes(row.root), toForms(row)]))
}

/** Forgets what these indexes measure, so that they are not found any more; within the caller's transaction. */
export async function deleteForms(db: Db, roots: readonly Sha256[]): Promise<void> {
  await db
    .withTables<IndexFormTables>()
    .deleteFrom('index_form')
    .where('root', 'in', roots.map(sha256Bytes))
    .execute()
}

async function hashTexts(parts: MeasuringParts, chunks: readonly Chunk[]): Promise<FileDigest> {
  const byDigest = new Map(chunks.map((chunk) => [chunk.plain, chunk]))
  const load = async (digest: Sha256): Promise<Buffer> => {
    const chunk = byDigest.get(digest)
    return chunk === undefined ? Buffer.alloc(0) : readChunk(parts, chunk)
  }
  return hashAll(parts, 'texts', [...byDigest.keys()], load)
}

async function hashMembers(parts: MeasuringParts, chunks: readonly Chunk[]): Promise<FileDigest> {
  if (chunks.length === 0) return { sha256: sha256Of(EMPTY_MEMBER), size: EMPTY_MEMBER.length }
  const digests = chunks.map((chunk) => chunk.member)
  return hashAll(parts, 'members', digests, (digest) => parts.blobs.read(digest))
}

/** Without a process beside us, or where the scratch file is full, it is our own work. */
async function hashAll(
  parts: MeasuringParts,
  scratch: (typeof scratchFiles)[number],
  digests: readonly Sha256[],
  load: (digest: Sha256) => Promise<Buffer>,
): Promise<FileDigest> {
  const runs = parts.signer && (await parts[scratch].runs(digests, load))
  if (parts.signer === undefined || runs === undefined)
    return hashPieces(parts[scratch].read(digests, load))
  return parts.signer.measure(scratchFiles.indexOf(scratch), runs)
}

async function hashPieces(pieces: AsyncIterable<Buffer>): Promise<FileDigest> {
  const hash = sha256Stream()
  let size = 0
  for await (const piece of pieces) {
    hash.update(piece)
    size += piece.length
  }
  return { sha256: hash.digest(), size }
}

async function findForms(
  db: Db,
  column: 'root' | 'gz',
  digest: Sha256,
): Promise<IndexForms | undefined> {
  const row = await db
    .withTables<IndexFormTables>()
    .selectFrom('index_form')
    .selectAll()
    .where(column, '=', sha256Bytes(digest))
    .executeTakeFirst()
  return row && toForms(row)
}

function toForms(row: IndexFormRow): IndexForms {
  return {
    root: sha256FromBytes(row.root),
    plain: { sha256: sha256FromBytes(row.plain), size: row.plain_size },
    gz: { sha256: sha256FromBytes(row.gz), size: row.gz_size },
  }
}
