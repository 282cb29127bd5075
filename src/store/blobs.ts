/**
 * Blobs: bytes named by their SHA-256. Owns the table `blob`, the folders `blobs/` and `tmp/` of the data directory.
 *
 * Small ones (chunks, lists, Release files, states) are rows with their bytes, so that a publication is one
 * transaction; large ones are files `blobs/<2 hex>/<62 hex>`, mode 0444. The order of a file's write:
 *   temp file on the same file system, hashed while written -> length and digest compared -> fdatasync -> link to its
 *   name -> fsync of the directory -> row -> temp file removed.
 * So a row exists only after its file is complete (invariant 1), and a file under its name is always whole.
 *
 * Who asks whether a blob is here (`has`, `present`), or puts it, keeps it from being deleted: see doomed.ts.
 */
import { type FileHandle, mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { parseSha256, type Sha256, sha256Bytes, sha256FromBytes, sha256Of } from '../base/sha256.ts'
import { type BlobTables, listFileBlobs } from './blob-lists.ts'
import { type BlobNews, createBlobNews } from './blob-news.ts'
import { type Removal, removeDoomed } from './blob-removal.ts'
import { type BlobUse, blobUseMigrations, createBlobUse } from './blob-use.ts'
import {
  type BlobExpectation,
  type BlobPlace,
  type BlobWriter,
  createWriter,
  takeFile,
} from './blob-writer.ts'
import type { Db, Migration } from './database.ts'
import { doomedMigrations, spare } from './doomed.ts'
import { createSizeCheck, type SizeCheck } from './known-sizes.ts'
import { clearQuarantine, giveBack, putAside, quarantineBlob } from './put-aside.ts'
import { createRowBatch } from './row-batch.ts'
import { createWithdrawn, type Withdrawn } from './withdrawn.ts'

export const blobMigrations: readonly Migration[] = [
  {
    name: 'store-1',
    statements: [
      `CREATE TABLE blob (
        sha256 BLOB PRIMARY KEY, size INTEGER NOT NULL, data BLOB, made_at INTEGER NOT NULL
      ) WITHOUT ROWID`,
    ],
  },
  ...doomedMigrations,
  // A row that is found by its key alone has only its first kilobyte beside it, and pages of its own for the rest: most of
  // these were half empty. Sizes, and which blobs are files, are asked of indexes: bytes are not walked through for that.
  {
    name: 'store-2',
    statements: [
      `CREATE TABLE blob_row (
        id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, data BLOB, made_at INTEGER NOT NULL
      )`,
      `INSERT INTO blob_row (sha256, size, data, made_at)
        SELECT sha256, size, data, made_at FROM blob ORDER BY made_at`,
      'DROP TABLE blob',
      'ALTER TABLE blob_row RENAME TO blob',
      'CREATE INDEX blob_size ON blob (size)',
      'CREATE INDEX blob_file ON blob (sha256, size) WHERE data IS NULL',
    ],
  },
  ...blobUseMigrations,
]

/** The caller closes `handle`. */
export interface OpenBlob {
  readonly handle: FileHandle
  readonly size: number
  /** Epoch seconds. */
  readonly modifiedAt: number
}

export interface BlobStore {
  /** A path for a scratch file that no one else uses; swept at the next start. */
  tempPath(): string
  /** Starts a file of unknown content. */
  create(): Promise<BlobWriter>
  /** Bytes that new files can have on this disk. */
  freeBytes(): Promise<number>
  /** Bytes of this disk as a whole. */
  diskBytes(): Promise<number>
  /** What is to stay free of it, where that was told: see disk-reserve.ts. */
  readonly reserveBytes: number | undefined
  /** Which files came and went. */
  readonly news: BlobNews
  /** When they were used last. */
  readonly use: BlobUse
  /** Whether a file of this length is whole, as far as that tells. */
  readonly isWhole: SizeCheck
  /** Whether the blob is here, as row or file; if it was to be deleted, it is not any more. */
  has(sha256: Sha256): Promise<boolean>
  /** All bytes of a blob, at most `maxBytes` (`ERR_TOO_LARGE`); `ERR_BLOB_MISSING` if it is not here. */
  read(sha256: Sha256, maxBytes?: number): Promise<Buffer>
  /** The file of a blob that is kept as one; undefined where there is none. No database is asked. */
  openFile(sha256: Sha256): Promise<OpenBlob | undefined>
  /** Where the file of this blob is, if it is kept as a file. */
  filePath(sha256: Sha256): string
  /** Which of these blobs are here; those that were to be deleted are not any more. */
  present(digests: readonly Sha256[]): Promise<Set<Sha256>>
  /** Takes in a copy of this file; `ERR_DIGEST_MISMATCH` or `ERR_SIZE_MISMATCH` if it is not what is expected. */
  take(path: string, expected: BlobExpectation): Promise<void>
  /** Forgets a blob whose file is damaged (which goes to `quarantine/`) or gone, so that it is fetched again. */
  forget(sha256: Sha256): Promise<void>
  /** Which blobs nobody is given. */
  readonly withdrawn: Withdrawn
  /** Puts the file of one that is withdrawn where nobody finds it; see withdrawn.ts. */
  putAside(sha256: Sha256): Promise<void>
  /** Takes it into the store again; false if it is not kept any more. */
  giveBack(sha256: Sha256): Promise<boolean>
  /** Deletes damaged and withdrawn files that were put aside before that time. */
  clearQuarantine(before: number): Promise<void>
  /** Deletes those of these blobs whose time has come, rows first; see blob-removal.ts. */
  removeDoomed(digests: readonly Sha256[], removal: Removal): Promise<void>
}

export interface BlobOptions {
  readonly clock?: Clock | undefined
  readonly reserveBytes?: number | undefined
}

/** The blobs below `dir`, after sweeping what a crash left: temp files, rows without file, files without row. */
export async function openBlobStore(
  db: Db,
  dir: string,
  { clock = systemClock, reserveBytes }: BlobOptions = {},
): Promise<BlobStore> {
  const place: BlobPlace = {
    db,
    blobs: join(dir, 'blobs'),
    tmp: join(dir, 'tmp'),
    quarantine: join(dir, 'quarantine'),
    revoked: join(dir, 'revoked'),
    withdrawn: createWithdrawn(),
    rows: createRowBatch(db),
    leaving: new Map(),
    news: createBlobNews(),
  }
  await mkdir(place.blobs, { recursive: true })
  // Programs that a killed server had started (judges of signatures) may write there for a moment still.
  await rm(place.tmp, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  await mkdir(place.tmp, { recursive: true })
  crashPoint('sweep: temp files gone')
  await sweep(place)
  let serial = 0
  const tempPath = (): string => join(place.tmp, `${process.pid}-${serial++}`)
  // Asked for with each file that is read: a digest needs no tidying.
  const filePath = (sha256: Sha256): string =>
    `${place.blobs}/${sha256.slice(0, 2)}/${sha256.slice(2)}`
  const take: BlobStore['take'] = (from, expected) =>
    takeFile(place, { from, tmp: tempPath() }, expected)
  return {
    tempPath,
    create: () => createWriter(place, tempPath()),
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(place.tmp)
      return bavail * bsize
    },
    diskBytes: async () => {
      const { blocks, bsize } = await statfs(place.tmp)
      return blocks * bsize
    },
    has: async (sha256) => (await present(db, [sha256])).size === 1,
    present: (digests) => present(db, digests),
    read: (sha256, maxBytes = 64 * 1024 * 1024) => readBlob(db, filePath(sha256), sha256, maxBytes),
    openFile: (sha256) => openFile(filePath(sha256)),
    filePath,
    removeDoomed: (digests, removal) => removeDoomed(place, digests, removal),
    take,
    forget: (sha256) => quarantineBlob(place, sha256),
    clearQuarantine: (before) => clearQuarantine(place, before),
    withdrawn: place.withdrawn,
    putAside: (sha256) => putAside(place, sha256),
    giveBack: (sha256) => giveBack(place, sha256, take),
    reserveBytes,
    news: place.news,
    use: createBlobUse(db, clock),
    isWhole: createSizeCheck(db, place.news),
  }
}

/**
 * Adds small blobs as rows, within the caller's transaction. One that is here as a file gets its bytes into the row too:
 * where upstream is a Sluice, its small indexes are fetched as files and are the very chunks that are made of them.
 */
export async function putRows(db: Db, blobs: readonly Buffer[]): Promise<Sha256[]> {
  const rows = blobs.map((data) => ({ digest: sha256Of(data), data }))
  const digests = rows.map((row) => row.digest)
  await spare(db, 'blob', digests)
  for (let at = 0; at < rows.length; at += 100) {
    const values = rows.slice(at, at + 100).map(({ digest, data }) => ({
      sha256: sha256Bytes(digest),
      size: data.length,
      data,
      made_at: Date.now(),
    }))
    await db
      .withTables<BlobTables>()
      .insertInto('blob')
      .values(values)
      .onConflict((on) =>
        on
          .column('sha256')
          .doUpdateSet((row) => ({ data: row.ref('excluded.data') }))
          .where('blob.data', 'is', null),
      )
      .execute()
  }
  return digests
}

/** The bytes of blobs kept as rows, in the order asked for; `ERR_BLOB_MISSING` if one is not here. */
export async function readRows(db: Db, digests: readonly Sha256[]): Promise<Buffer[]> {
  const rows = await db
    .withTables<BlobTables>()
    .selectFrom('blob')
    .select(['sha256', 'data'])
    .where('sha256', 'in', digests.map(sha256Bytes))
    .execute()
  const found = new Map(rows.map((row) => [sha256FromBytes(row.sha256), row.data]))
  return digests.map((digest) => {
    const data = found.get(digest)
    if (data === undefined || data === null) throw missing(digest)
    return data
  })
}

async function present(db: Db, digests: readonly Sha256[]): Promise<Set<Sha256>> {
  const found = new Set<Sha256>()
  await spare(db, 'blob', digests)
  for (let at = 0; at < digests.length; at += 1000) {
    const rows = await db
      .withTables<BlobTables>()
      .selectFrom('blob')
      .select('sha256')
      .where('sha256', 'in', digests.slice(at, at + 1000).map(sha256Bytes))
      .execute()
    for (const row of rows) found.add(sha256FromBytes(row.sha256))
  }
  return found
}

async function readBlob(db: Db, path: string, sha256: Sha256, maxBytes: number): Promise<Buffer> {
  const row = await db
    .withTables<BlobTables>()
    .selectFrom('blob')
    .select(['size', 'data'])
    .where('sha256', '=', sha256Bytes(sha256))
    .executeTakeFirst()
  if (row === undefined) throw missing(sha256)
  if (row.size > maxBytes) {
    throw new AppError('ERR_TOO_LARGE', {
      message: `blob ${sha256} is larger than ${maxBytes} bytes`,
    })
  }
  if (row.data !== null) return row.data
  const file = await openFile(path)
  if (file === undefined) throw missing(sha256)
  try {
    return await file.handle.readFile()
  } finally {
    await file.handle.close()
  }
}

async function openFile(path: string): Promise<OpenBlob | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
  const { size, mtimeMs } = await handle.stat()
  return { handle, size, modifiedAt: Math.floor(mtimeMs / 1000) }
}

/** Brings rows and files together: a file under its name is whole (see above), so that it only lacks its row. */
async function sweep(place: BlobPlace): Promise<void> {
  const known = new Map((await listFileBlobs(place.db)).map((one) => [one.sha256, one.size]))
  for (const prefix of (await readdir(place.blobs)).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    for (const rest of await readdir(join(place.blobs, prefix))) {
      const sha256 = parseSha256(prefix + rest)
      if (sha256 === undefined) continue
      if (known.delete(sha256)) continue
      const { size } = await stat(join(place.blobs, prefix, rest))
      await place.rows.add({ sha256, size })
      crashPoint('sweep: row added')
    }
  }
  // After the restore of a backup without files these are all of them.
  const lost = [...known.keys()]
  for (let at = 0; at < lost.length; at += 500) {
    await place.db
      .withTables<BlobTables>()
      .deleteFrom('blob')
      .where('sha256', 'in', lost.slice(at, at + 500).map(sha256Bytes))
      .execute()
    crashPoint('sweep: row removed')
  }
}

function missing(sha256: Sha256): AppError {
  return new AppError('ERR_BLOB_MISSING', {
    message: `blob ${sha256} is not in the store`,
    hint: 'sluice verify lists what is missing',
  })
}
