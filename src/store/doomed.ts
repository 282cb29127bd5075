/**
 * What is to be deleted: owns the table `doomed`.
 *
 * The garbage collector (channels/gc.ts) dooms what nothing names; what stays doomed for the grace is deleted, in a
 * transaction that takes it out of this table first (`takeDoomed`). Whoever is about to rely on something because it is
 * here already calls `spare` *before* looking whether it is. There is one connection, so that the two statements and
 * that transaction have an order: it is spared, and stays; or it was gone when it was looked for, and is made anew.
 * Nothing else guards re-use, and nothing else has to.
 */
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { type Db, type Migration, sql } from './database.ts'

export const doomedMigrations: readonly Migration[] = [
  {
    name: 'store-doomed-1',
    statements: [
      `CREATE TABLE doomed (
        kind TEXT NOT NULL, digest BLOB NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (kind, digest)
      ) WITHOUT ROWID`,
    ],
  },
]

/** Blobs go by their digest, chunks (rows of their own, each naming a blob) by that of their text. */
export type DoomedKind = 'blob' | 'chunk'

type DoomedTables = { doomed: { kind: DoomedKind; digest: Buffer; since: number } }

/** Takes these out of what is doomed; before they are looked for. Costs some 50 µs when none of them is. */
export async function spare(db: Db, kind: DoomedKind, digests: readonly Sha256[]): Promise<void> {
  for (const part of parts(digests)) {
    await sql`DELETE FROM doomed WHERE kind = ${kind}
      AND digest IN (SELECT unhex(value) FROM json_each(${JSON.stringify(part)}))`.execute(db)
  }
}

/** Dooms these, since `at` (epoch milliseconds); what is doomed already stays so since then. */
export async function doom(
  db: Db,
  kind: DoomedKind,
  digests: readonly Sha256[],
  at: number,
): Promise<void> {
  for (const part of parts(digests)) {
    await sql`INSERT OR IGNORE INTO doomed (kind, digest, since)
      SELECT ${kind}, unhex(value), ${at} FROM json_each(${JSON.stringify(part)})`.execute(db)
  }
}

/** Since when those of these are doomed that are. */
export async function doomedSince(
  db: Db,
  kind: DoomedKind,
  digests: readonly Sha256[],
): Promise<Map<Sha256, number>> {
  const since = new Map<Sha256, number>()
  for (const part of parts(digests)) {
    const { rows } = await sql<{ digest: Buffer; since: number }>`SELECT digest, since FROM doomed
      WHERE kind = ${kind}
        AND digest IN (SELECT unhex(value) FROM json_each(${JSON.stringify(part)}))`.execute(db)
    for (const row of rows) since.set(sha256FromBytes(row.digest), row.since)
  }
  return since
}

/** The next of those doomed before `before`, in the order of digests, behind `after`. */
export async function nextDoomed(
  db: Db,
  kind: DoomedKind,
  { before, after, limit }: { before: number; after: Sha256 | undefined; limit: number },
): Promise<Sha256[]> {
  const rows = await db
    .withTables<DoomedTables>()
    .selectFrom('doomed')
    .select('digest')
    .where('kind', '=', kind)
    .where('digest', '>', after === undefined ? Buffer.alloc(0) : sha256Bytes(after))
    .where('since', '<', before)
    .orderBy('digest')
    .limit(limit)
    .execute()
  return rows.map((row) => sha256FromBytes(row.digest))
}

/**
 * Takes those of these that were doomed before `before` out, and tells which: the caller deletes them in the same
 * transaction.
 */
export async function takeDoomed(
  trx: Db,
  kind: DoomedKind,
  digests: readonly Sha256[],
  before: number,
): Promise<Sha256[]> {
  const taken: Sha256[] = []
  for (const part of parts(digests)) {
    const { rows } = await sql<{ digest: Buffer }>`DELETE FROM doomed
      WHERE kind = ${kind} AND since < ${before}
        AND digest IN (SELECT unhex(value) FROM json_each(${JSON.stringify(part)}))
      RETURNING digest`.execute(trx)
    taken.push(...rows.map((row) => sha256FromBytes(row.digest)))
  }
  return taken
}

function parts(digests: readonly Sha256[]): (readonly Sha256[])[] {
  const count = Math.ceil(digests.length / 1000)
  return Array.from({ length: count }, (_, at) => digests.slice(at * 1000, at * 1000 + 1000))
}
