/**
 * What was read of the changelogs of packages: owns the table `deb_changelog`, by the digest of the `.deb`.
 *
 * Derived: a row says what its `.deb` says, for ever, and can be made again from it. Rows of packages that are not here any
 * more are taken out after each collection (`pruneChangelogs`), since nothing asks for them.
 */
import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import { absentBlobs } from '../store/blob-removal.ts'
import { type Db, type Migration, sql } from '../store/database.ts'
import type { ChangelogDigest } from './changelog-digest.ts'

export const changelogMigrations: readonly Migration[] = [
  {
    name: 'desk-changelogs-1',
    statements: ['CREATE TABLE deb_changelog (sha256 BLOB PRIMARY KEY, digest TEXT) WITHOUT ROWID'],
  },
]

type ChangelogTables = { deb_changelog: { sha256: Buffer; digest: string | null } }

const PAGE = 1000

/**
 * What a package says: `none`, it has no changelog; `unreadable`, it is no package that can be read; `too large`, nor would
 * one want to.
 */
export type DebChangelog = ChangelogDigest | 'none' | 'unreadable' | 'too large'

/** What is known of these packages. */
export async function findChangelogs(
  db: Db,
  debs: readonly Sha256[],
): Promise<Map<Sha256, DebChangelog>> {
  const found = new Map<Sha256, DebChangelog>()
  for (let at = 0; at < debs.length; at += PAGE) {
    const { rows } = await sql<ChangelogTables['deb_changelog']>`SELECT sha256, digest
      FROM deb_changelog WHERE sha256 IN
        (SELECT unhex(value) FROM json_each(${JSON.stringify(debs.slice(at, at + PAGE))}))`.execute(
      db,
    )
    for (const { sha256, digest } of rows) {
      const read: DebChangelog = digest === null ? 'none' : JSON.parse(digest)
      found.set(sha256FromBytes(sha256), read)
    }
    await breathe()
  }
  return found
}

/** Remembers what a package says. */
export async function putChangelog(db: Db, deb: Sha256, digest: DebChangelog): Promise<void> {
  const row = {
    sha256: sha256Bytes(deb),
    digest: digest === 'none' ? null : JSON.stringify(digest),
  }
  await db
    .withTables<ChangelogTables>()
    .insertInto('deb_changelog')
    .values(row)
    .onConflict((on) => on.column('sha256').doUpdateSet(row))
    .execute()
}

/** Forgets packages that are not here any more; how many. */
export async function pruneChangelogs(db: Db): Promise<number> {
  let gone = 0
  for (let after = Buffer.alloc(0); ; ) {
    const rows = await db
      .withTables<ChangelogTables>()
      .selectFrom('deb_changelog')
      .select('sha256')
      .where('sha256', '>', after)
      .orderBy('sha256')
      .limit(PAGE)
      .execute()
    const absent = await absentBlobs(
      db,
      rows.map((row) => sha256FromBytes(row.sha256)),
    )
    if (absent.length > 0) {
      await sql`DELETE FROM deb_changelog WHERE sha256 IN
        (SELECT unhex(value) FROM json_each(${JSON.stringify(absent)}))`.execute(db)
    }
    gone += absent.length
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return gone
    after = Buffer.from(last.sha256)
    await breathe()
  }
}
