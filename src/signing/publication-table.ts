/**
 * Publications, what clients hold on to there, and the Release files signed for them: owns the tables `publication`,
 * `publication_suite` and `release`. Their keys: publication-key-table.ts.
 *
 * A publication outlives its channel: were it made again under the same name, clients would still know its key, and
 * take no Release that is older than the last one they saw (invariant 4).
 */

import type { ReleaseIdentity } from '../archives/suite-state.ts'
import { AppError } from '../base/errors.ts'
import { type Sha256, sha256Bytes, sha256FromBytes } from '../base/sha256.ts'
import type { Db, Migration } from '../store/database.ts'
import { publicationKeyMigrations } from './publication-key-table.ts'

export const publicationMigrations: readonly Migration[] = [
  {
    name: 'publications-1',
    statements: [
      `CREATE TABLE publication (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL
      )`,
      `CREATE TABLE publication_suite (
        publication_id INTEGER NOT NULL, archive TEXT NOT NULL, suite TEXT NOT NULL,
        date_floor INTEGER NOT NULL, identity TEXT NOT NULL,
        PRIMARY KEY (publication_id, archive, suite)
      ) WITHOUT ROWID`,
      `CREATE TABLE release (
        id INTEGER PRIMARY KEY AUTOINCREMENT, publication_id INTEGER NOT NULL, date INTEGER NOT NULL,
        valid_until INTEGER NOT NULL, in_release BLOB NOT NULL, release BLOB NOT NULL, release_gpg BLOB NOT NULL
      )`,
    ],
  },
  ...publicationKeyMigrations,
  {
    name: 'publications-2',
    statements: [
      `ALTER TABLE release ADD COLUMN signed_by TEXT NOT NULL DEFAULT ''`,
      `UPDATE release SET signed_by = coalesce((SELECT fingerprint FROM publication WHERE id = publication_id), '')`,
      'ALTER TABLE publication DROP COLUMN fingerprint',
    ],
  },
]

export interface Publication {
  readonly id: number
  /** `channel:approved`. */
  readonly name: string
}

/** What of a suite never changes at this publication, or only goes up. */
export interface PublishedIdentity {
  /** Epoch seconds: the Date of the last Release signed here. */
  readonly dateFloor: number
  readonly identity: ReleaseIdentity
}

/** A signed Release: digests of its three files, which are blobs. */
export interface SignedRelease {
  readonly id: number
  /** Epoch seconds. */
  readonly date: number
  readonly validUntil: number
  readonly inRelease: Sha256
  readonly release: Sha256
  readonly releaseGpg: Sha256
  /** Fingerprints of the keys that signed. */
  readonly signedBy: readonly string[]
}

type PublicationTables = {
  publication: { id: number; name: string }
  publication_suite: {
    publication_id: number
    archive: string
    suite: string
    date_floor: number
    identity: string
  }
  release: {
    id: number
    publication_id: number
    date: number
    valid_until: number
    in_release: Buffer
    release: Buffer
    release_gpg: Buffer
    signed_by: string
  }
}

/** All publications. */
export async function listPublications(db: Db): Promise<Publication[]> {
  return db
    .withTables<PublicationTables>()
    .selectFrom('publication')
    .selectAll()
    .orderBy('name')
    .execute()
}

/** The publication of this name, if there is one. */
export async function findPublication(db: Db, name: string): Promise<Publication | undefined> {
  return db
    .withTables<PublicationTables>()
    .selectFrom('publication')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
}

/** Adds a publication; within the caller's transaction, which adds its key too. */
export async function insertPublication(db: Db, name: string): Promise<Publication> {
  await db
    .withTables<PublicationTables>()
    .insertInto('publication')
    .values({ name } as Publication)
    .execute()
  const made = await findPublication(db, name)
  if (made === undefined) {
    throw new AppError('ERR_STORE', { message: `publication ${name} was not written` })
  }
  return made
}

/** Gives a publication another name, which must be free; its keys, Date floors and identities stay its own. */
export async function renamePublication(db: Db, id: number, name: string): Promise<void> {
  await db
    .withTables<PublicationTables>()
    .updateTable('publication')
    .set({ name })
    .where('id', '=', id)
    .execute()
}

/** What clients of this publication know of the suite; undefined before its first Release. */
export async function findPublishedIdentity(
  db: Db,
  publicationId: number,
  archive: string,
  suite: string,
): Promise<PublishedIdentity | undefined> {
  const row = await db
    .withTables<PublicationTables>()
    .selectFrom('publication_suite')
    .select(['date_floor', 'identity'])
    .where('publication_id', '=', publicationId)
    .where('archive', '=', archive)
    .where('suite', '=', suite)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const identity: ReleaseIdentity = JSON.parse(row.identity)
  return { dateFloor: row.date_floor, identity }
}

/** Raises the Date floor of a suite, and writes down what was published of its identity; within the caller's transaction. */
export async function savePublishedIdentity(
  db: Db,
  at: { readonly publicationId: number; readonly archive: string; readonly suite: string },
  { dateFloor, identity }: PublishedIdentity,
): Promise<void> {
  await db
    .withTables<PublicationTables>()
    .insertInto('publication_suite')
    .values({
      publication_id: at.publicationId,
      archive: at.archive,
      suite: at.suite,
      date_floor: dateFloor,
      identity: JSON.stringify(identity),
    })
    .onConflict((on) =>
      on
        .columns(['publication_id', 'archive', 'suite'])
        .doUpdateSet({ date_floor: dateFloor, identity: JSON.stringify(identity) }),
    )
    .execute()
}

/**
 * Raises all Date floors that are lower to `at`, epoch seconds: what was published up to then is not known any more. Within
 * the caller's transaction.
 */
export async function raiseDateFloors(db: Db, at: number): Promise<void> {
  await db
    .withTables<PublicationTables>()
    .updateTable('publication_suite')
    .set({ date_floor: at })
    .where('date_floor', '<', at)
    .execute()
}

/** Adds a signed Release, and says its id; within the caller's transaction. */
export async function insertRelease(
  db: Db,
  publicationId: number,
  release: Omit<SignedRelease, 'id'>,
): Promise<number> {
  const { id } = await db
    .withTables<PublicationTables>()
    .insertInto('release')
    .values({
      publication_id: publicationId,
      date: release.date,
      valid_until: release.validUntil,
      in_release: sha256Bytes(release.inRelease),
      release: sha256Bytes(release.release),
      release_gpg: sha256Bytes(release.releaseGpg),
      signed_by: release.signedBy.join(' '),
    } as PublicationTables['release'])
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/** The signed Release of this id; `ERR_STORE` if a generation names one that is not there. */
export async function getRelease(db: Db, id: number): Promise<SignedRelease> {
  const row = await db
    .withTables<PublicationTables>()
    .selectFrom('release')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (row === undefined) {
    throw new AppError('ERR_STORE', {
      message: `signed Release ${id} is missing`,
      hint: 'sluice verify',
    })
  }
  return {
    id: row.id,
    date: row.date,
    validUntil: row.valid_until,
    inRelease: sha256FromBytes(row.in_release),
    release: sha256FromBytes(row.release),
    releaseGpg: sha256FromBytes(row.release_gpg),
    signedBy: row.signed_by.split(' '),
  }
}

/** The ids of all signed Releases, lowest first. */
export async function listReleaseIds(db: Db): Promise<number[]> {
  const rows = await db
    .withTables<PublicationTables>()
    .selectFrom('release')
    .select('id')
    .orderBy('id')
    .execute()
  return rows.map((row) => row.id)
}

/** The digests of the files of these Releases. */
export async function filesOfReleases(db: Db, ids: readonly number[]): Promise<Sha256[]> {
  const rows = await db
    .withTables<PublicationTables>()
    .selectFrom('release')
    .select(['in_release', 'release', 'release_gpg'])
    .where('id', 'in', ids)
    .execute()
  return rows.flatMap((row) =>
    [row.in_release, row.release, row.release_gpg].map((digest) => sha256FromBytes(digest)),
  )
}

/** Removes signed Releases that no generation names; within the caller's transaction. */
export async function deleteReleases(db: Db, ids: readonly number[]): Promise<void> {
  await db.withTables<PublicationTables>().deleteFrom('release').where('id', 'in', ids).execute()
}
