/**
 * The package `sluice-archive-keyring` in all its versions, and where each publication has it: owns the tables
 * `keyring_package`, `keyring_file` and `keyring_release`.
 *
 * Bytes are kept here and not as blobs: no generation names them, and they are small and few.
 */

import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import type { Db, Migration } from '../store/database.ts'

export const keyringMigrations: readonly Migration[] = [
  {
    name: 'keyring-1',
    statements: [
      `CREATE TABLE keyring_package (
        id INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL UNIQUE, content TEXT NOT NULL, made_at INTEGER NOT NULL,
        deb BLOB NOT NULL, deb_sha256 TEXT NOT NULL, packages BLOB NOT NULL, gz BLOB NOT NULL, gz_sha256 TEXT NOT NULL
      )`,
      `CREATE TABLE keyring_file (
        word TEXT PRIMARY KEY, publication_id INTEGER NOT NULL
      ) WITHOUT ROWID`,
      `CREATE TABLE keyring_release (
        publication_id INTEGER PRIMARY KEY, version TEXT NOT NULL, architectures TEXT NOT NULL, date INTEGER NOT NULL,
        in_release BLOB NOT NULL, release BLOB NOT NULL, release_gpg BLOB NOT NULL, signed_by TEXT NOT NULL
      )`,
    ],
  },
]

/** One version of the package, and the index that names it: the same for every architecture. */
export interface KeyringPackage {
  readonly version: string
  /** Digest of what is in it: another one needs another version. */
  readonly content: string
  /** Epoch milliseconds. */
  readonly madeAt: number
  readonly deb: Buffer
  readonly debSha256: Sha256
  /** `Packages` with its one stanza, and the same compressed. */
  readonly packages: Buffer
  readonly gz: Buffer
  readonly gzSha256: Sha256
}

/** What one publication has signed of it last. */
export interface KeyringRelease {
  readonly publicationId: number
  readonly version: string
  readonly architectures: readonly string[]
  /** Epoch seconds. */
  readonly date: number
  readonly inRelease: Buffer
  readonly release: Buffer
  readonly releaseGpg: Buffer
  /** Fingerprints. */
  readonly signedBy: readonly string[]
}

type PackageRow = {
  id: number
  version: string
  content: string
  made_at: number
  deb: Buffer
  deb_sha256: string
  packages: Buffer
  gz: Buffer
  gz_sha256: string
}

type KeyringTables = {
  keyring_package: PackageRow
  keyring_file: { word: string; publication_id: number }
  keyring_release: {
    publication_id: number
    version: string
    architectures: string
    date: number
    in_release: Buffer
    release: Buffer
    release_gpg: Buffer
    signed_by: string
  }
}

/** The newest version, if there is one. */
export async function newestKeyringPackage(db: Db): Promise<KeyringPackage | undefined> {
  const row = await db
    .withTables<KeyringTables>()
    .selectFrom('keyring_package')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && toPackage(row)
}

/** The version that has this name, whose file has this digest, or whose compressed index has it. */
export async function findKeyringPackage(
  db: Db,
  column: 'version' | 'deb_sha256' | 'gz_sha256',
  value: string,
): Promise<KeyringPackage | undefined> {
  const row = await db
    .withTables<KeyringTables>()
    .selectFrom('keyring_package')
    .selectAll()
    .where(column, '=', value)
    .executeTakeFirst()
  return row && toPackage(row)
}

/** Adds a version; within the caller's transaction. */
export async function insertKeyringPackage(db: Db, one: KeyringPackage): Promise<void> {
  const row: Omit<PackageRow, 'id'> = {
    version: one.version,
    content: one.content,
    made_at: one.madeAt,
    deb: one.deb,
    deb_sha256: one.debSha256,
    packages: one.packages,
    gz: one.gz,
    gz_sha256: one.gzSha256,
  }
  const tables = db.withTables<KeyringTables>()
  await tables
    .insertInto('keyring_package')
    .values(row as PackageRow)
    .execute()
}

/** By which words files of the package were ever called, and for which publication each is now. */
export async function listKeyringFiles(
  db: Db,
): Promise<{ readonly word: string; readonly publicationId: number }[]> {
  const rows = await db
    .withTables<KeyringTables>()
    .selectFrom('keyring_file')
    .selectAll()
    .orderBy('word')
    .execute()
  return rows.map((row) => ({ word: row.word, publicationId: row.publication_id }))
}

/** Gives a word to a publication, for ever or until another one takes it; within the caller's transaction. */
export async function saveKeyringFile(db: Db, word: string, publicationId: number): Promise<void> {
  await db
    .withTables<KeyringTables>()
    .insertInto('keyring_file')
    .values({ word, publication_id: publicationId })
    .onConflict((on) => on.column('word').doUpdateSet({ publication_id: publicationId }))
    .execute()
}

/** What the publication serves of the package, if anything yet. */
export async function findKeyringRelease(
  db: Db,
  publicationId: number,
): Promise<KeyringRelease | undefined> {
  const row = await db
    .withTables<KeyringTables>()
    .selectFrom('keyring_release')
    .selectAll()
    .where('publication_id', '=', publicationId)
    .executeTakeFirst()
  if (row === undefined) return undefined
  return {
    publicationId,
    version: row.version,
    architectures: row.architectures.split(' '),
    date: row.date,
    inRelease: row.in_release,
    release: row.release,
    releaseGpg: row.release_gpg,
    signedBy: row.signed_by.split(' '),
  }
}

/** Puts it in place of the last one; within the caller's transaction. */
export async function saveKeyringRelease(db: Db, one: KeyringRelease): Promise<void> {
  const row = {
    publication_id: one.publicationId,
    version: one.version,
    architectures: one.architectures.join(' '),
    date: one.date,
    in_release: one.inRelease,
    release: one.release,
    release_gpg: one.releaseGpg,
    signed_by: one.signedBy.join(' '),
  }
  await db
    .withTables<KeyringTables>()
    .insertInto('keyring_release')
    .values(row)
    .onConflict((on) => on.column('publication_id').doUpdateSet(row))
    .execute()
}

function toPackage(row: PackageRow): KeyringPackage {
  const [debSha256, gzSha256] = [parseSha256(row.deb_sha256), parseSha256(row.gz_sha256)]
  if (debSha256 === undefined || gzSha256 === undefined) {
    throw new AppError('ERR_STORE', {
      message: `version ${row.version} of the keyring package is damaged`,
      hint: 'restore a backup',
    })
  }
  return {
    version: row.version,
    content: row.content,
    madeAt: row.made_at,
    deb: row.deb,
    debSha256,
    packages: row.packages,
    gz: row.gz,
    gzSha256,
  }
}
