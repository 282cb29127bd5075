/**
 * Archives and what is known of their suites: owns the tables `archive` and `archive_suite`.
 */
import { AppError } from '../base/errors.ts'
import { hostKey } from '../base/host-key.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import type { UploaderRule } from '../debian/uploaders.ts'
import type { Db, Migration } from '../store/database.ts'
import { noteChange } from './changes.ts'
import { suiteName } from './suite-place.ts'

export const archiveMigrations: readonly Migration[] = [
  {
    name: 'archives-1',
    statements: [
      `CREATE TABLE archive (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL,
        keyring BLOB NOT NULL, made_at INTEGER NOT NULL
      )`,
      `CREATE TABLE archive_suite (
        archive_id INTEGER NOT NULL REFERENCES archive (id) ON DELETE CASCADE,
        suite TEXT NOT NULL, state TEXT, release_date INTEGER, valid_until INTEGER, last_modified TEXT, etag TEXT,
        checked_at INTEGER, changed_at INTEGER, problem TEXT,
        PRIMARY KEY (archive_id, suite)
      ) WITHOUT ROWID`,
    ],
  },
  { name: 'archives-2', statements: ['ALTER TABLE archive_suite ADD COLUMN signers TEXT'] },
  { name: 'archives-3', statements: ['ALTER TABLE archive_suite ADD COLUMN confirmed_at INTEGER'] },
]

/** Other things that an archive may list: see extra-files.ts. */
export const extraKinds = ['contents', 'dep11', 'cnf', 'installer'] as const
export type ExtraKind = (typeof extraKinds)[number]

/** What an administrator says about an archive. */
export interface ArchiveSettings {
  /** Ours: it has no URLs, is filled by uploads, and `keyring` has who may sign them. */
  readonly kind?: 'local' | undefined
  /** Which of these keys may upload what to a local archive. */
  readonly uploaders?: readonly UploaderRule[] | undefined
  /** So many versions of each package a local archive keeps, the newest; all of them where that is 0 or not told. */
  readonly keepVersions?: number | undefined
  /** The archive's roots, without trailing slash: tried in order. Credentials may stand in them and are never shown. */
  readonly urls: readonly string[]
  /** Other roots, for files alone that none of `urls` has any more; written and shown as those are. */
  readonly fallbacks?: readonly string[] | undefined
  /** As they are written: see suite-place.ts. */
  readonly suites: readonly string[]
  readonly components: readonly string[]
  readonly architectures: readonly string[]
  /** Takes the indexes of source packages, too. */
  readonly sources?: boolean | undefined
  /** Languages of the descriptions to take, where the archive has them; English unless told. */
  readonly languages?: readonly string[] | undefined
  /** What else to take of what the archive has; nothing unless told. */
  readonly extras?: readonly ExtraKind[] | undefined
  /** Proxy for these URLs, or `DIRECT`. */
  readonly proxy?: string | undefined
  /** Takes a Release past its Valid-Until; for archives that are kept, not updated. */
  readonly allowExpired?: boolean | undefined
  /** Takes a Release whose Suite and Codename are not the suite asked for. */
  readonly allowOtherSuite?: boolean | undefined
  /** False: files that upstream replaced are not fetched by themselves while it still has them. */
  readonly rescue?: boolean | undefined
}

export interface Archive {
  readonly id: number
  /** Part of the URL that clients use. */
  readonly name: string
  readonly settings: ArchiveSettings
  /** Armored or binary OpenPGP keys that its Release files may be signed with. */
  readonly keyring: Buffer
}

/** What is wrong with a suite since when; the last good state goes on serving. */
export interface SuiteProblem {
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
  /** Epoch milliseconds. */
  readonly since: number
}

/** A key that verified a Release: fingerprint of the primary key, and ID of the key or subkey, both upper-case hex. */
export interface SuiteSigner {
  readonly fingerprint: string
  readonly keyId: string
}

/** One suite of an archive as it was last seen. */
export interface ArchiveSuite {
  readonly suite: string
  /** The newest state, if it was ever had. */
  readonly state?: Sha256 | undefined
  /** `Date` of the newest Release taken, epoch seconds: an older one is a replay. */
  readonly releaseDate?: number | undefined
  /** Its Valid-Until, epoch seconds. */
  readonly validUntil?: number | undefined
  /** Validators of the InRelease that was taken. */
  readonly lastModified?: string | undefined
  readonly etag?: string | undefined
  /** Who signed the newest Release, by keys of the archive; absent where that was not written down. */
  readonly signers?: readonly SuiteSigner[] | undefined
  /** Epoch milliseconds. */
  readonly checkedAt?: number | undefined
  readonly changedAt?: number | undefined
  /** When upstream last said that `state` is what it has. */
  readonly confirmedAt?: number | undefined
  readonly problem?: SuiteProblem | undefined
}

type ArchiveTables = {
  archive: { id: number; name: string; settings: string; keyring: Buffer; made_at: number }
  archive_suite: {
    archive_id: number
    suite: string
    state: string | null
    release_date: number | null
    valid_until: number | null
    last_modified: string | null
    etag: string | null
    checked_at: number | null
    changed_at: number | null
    problem: string | null
    signers: string | null
    confirmed_at: number | null
  }
}

/** All archives, by name. */
export async function listArchives(db: Db): Promise<Archive[]> {
  const rows = await db
    .withTables<ArchiveTables>()
    .selectFrom('archive')
    .selectAll()
    .orderBy('name')
    .execute()
  return rows.map(toArchive)
}

/** Whether a URL of one of them, a fallback too, is on this host, which is as `hostKey` writes it. */
export function hasUrlOn(archives: readonly Archive[], host: string): boolean {
  return archives.some(({ settings: { urls, fallbacks = [] } }) =>
    [...urls, ...fallbacks].some((url) => hostKey(new URL(url)) === host),
  )
}

/** The archive of this name; `ERR_NOT_FOUND` if there is none. */
export async function getArchive(db: Db, name: string): Promise<Archive> {
  const row = await db
    .withTables<ArchiveTables>()
    .selectFrom('archive')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
  if (row === undefined) {
    throw new AppError('ERR_NOT_FOUND', {
      message: `there is no archive ${name}`,
      hint: 'sluice archive list',
    })
  }
  return toArchive(row)
}

/** Adds an archive, within the caller's transaction; `ERR_CONFLICT` if the name is taken. */
export async function insertArchive(
  db: Db,
  archive: Omit<Archive, 'id'>,
  madeAt: number,
): Promise<Archive> {
  const tables = db.withTables<ArchiveTables>()
  const taken = await tables
    .selectFrom('archive')
    .select('id')
    .where('name', '=', archive.name)
    .execute()
  if (taken.length > 0) {
    throw new AppError('ERR_CONFLICT', {
      message: `there is an archive ${archive.name} already`,
      hint: `sluice archive set ${archive.name} … changes it`,
    })
  }
  await tables
    .insertInto('archive')
    .values({
      name: archive.name,
      settings: JSON.stringify(archive.settings),
      keyring: archive.keyring,
      made_at: madeAt,
    } as ArchiveTables['archive'])
    .execute()
  noteChange('archives')
  return getArchive(db, archive.name)
}

/** Changes settings and keyring of an archive; within the caller's transaction. */
export async function updateArchive(db: Db, archive: Archive): Promise<void> {
  await db
    .withTables<ArchiveTables>()
    .updateTable('archive')
    .set({ settings: JSON.stringify(archive.settings), keyring: archive.keyring })
    .where('id', '=', archive.id)
    .execute()
  noteChange('archives')
}

/** Lets the Releases of the archive be taken again though they did not change; within the caller's transaction. */
export async function forgetValidators(db: Db, archiveId: number): Promise<void> {
  await db
    .withTables<ArchiveTables>()
    .updateTable('archive_suite')
    .set({ last_modified: null, etag: null })
    .where('archive_id', '=', archiveId)
    .execute()
  noteChange('suites')
}

/** Removes an archive and what is known of its suites; states and blobs stay while generations name them. */
export async function deleteArchive(db: Db, id: number): Promise<void> {
  await db.withTables<ArchiveTables>().deleteFrom('archive').where('id', '=', id).execute()
  noteChange('archives')
}

/** What is known of the archive's suites, in the order of its settings; one never looked at has its name only. */
export async function listSuites(db: Db, archive: Archive): Promise<ArchiveSuite[]> {
  const rows = await db
    .withTables<ArchiveTables>()
    .selectFrom('archive_suite')
    .selectAll()
    .where('archive_id', '=', archive.id)
    .execute()
  const known = new Map(rows.map((row) => [row.suite, row]))
  return archive.settings.suites.map(suiteName).map((suite) => {
    const row = known.get(suite)
    return row === undefined ? { suite } : toSuite(row)
  })
}

/** The newest states of all suites, those that settings no longer name too: they may be asked for again. */
export async function listNewestStates(db: Db): Promise<Sha256[]> {
  const rows = await db
    .withTables<ArchiveTables>()
    .selectFrom('archive_suite')
    .select('state')
    .execute()
  return rows.flatMap(({ state }) => (state === null ? [] : (parseSha256(state) ?? [])))
}

/** Writes what was seen of a suite; within the caller's transaction. */
export async function saveSuite(db: Db, archiveId: number, suite: ArchiveSuite): Promise<void> {
  const row = {
    archive_id: archiveId,
    suite: suite.suite,
    state: suite.state ?? null,
    release_date: suite.releaseDate ?? null,
    valid_until: suite.validUntil ?? null,
    last_modified: suite.lastModified ?? null,
    etag: suite.etag ?? null,
    checked_at: suite.checkedAt ?? null,
    changed_at: suite.changedAt ?? null,
    problem: suite.problem === undefined ? null : JSON.stringify(suite.problem),
    signers: suite.signers === undefined ? null : JSON.stringify(suite.signers),
    confirmed_at: (suite.problem === undefined ? suite.checkedAt : suite.confirmedAt) ?? null,
  }
  await db
    .withTables<ArchiveTables>()
    .insertInto('archive_suite')
    .values(row)
    .onConflict((on) => on.columns(['archive_id', 'suite']).doUpdateSet(row))
    .execute()
  noteChange('suites')
}

function toArchive(row: ArchiveTables['archive']): Archive {
  const settings: ArchiveSettings = JSON.parse(row.settings)
  return { id: row.id, name: row.name, settings, keyring: row.keyring }
}

function toSuite(row: ArchiveTables['archive_suite']): ArchiveSuite {
  const problem: SuiteProblem | undefined =
    row.problem === null ? undefined : JSON.parse(row.problem)
  const signers: SuiteSigner[] | undefined =
    row.signers === null ? undefined : JSON.parse(row.signers)
  return {
    suite: row.suite,
    state: row.state === null ? undefined : parseSha256(row.state),
    releaseDate: row.release_date ?? undefined,
    validUntil: row.valid_until ?? undefined,
    lastModified: row.last_modified ?? undefined,
    etag: row.etag ?? undefined,
    checkedAt: row.checked_at ?? undefined,
    changedAt: row.changed_at ?? undefined,
    confirmedAt: row.confirmed_at ?? row.changed_at ?? undefined,
    problem,
    signers,
  }
}
