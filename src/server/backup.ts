/**
 * A backup: the database as it is at one moment, the keys under a passphrase, the settings, and the files that the
 * database names, put into a directory of backups (store/backup-dir.ts) while the server works.
 *
 * The order: the database first; then the keys, since a key is made before anything names it; then the files, since a file
 * is complete before its row is. Nothing is deleted meanwhile (`hold`). The list and the manifest come last, and the
 * rename of its directory makes it a backup. Not in it: the administrator's token, which a restored server makes anew.
 */
import { existsSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { withoutOrigin } from '../archives/origins.ts'
import type { Abortable } from '../base/abortable.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { refuseHalfRestored } from '../base/data-dir.ts'
import { AppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { LetGo } from '../base/leases.ts'
import { version } from '../base/version.ts'
import { writeAudit } from '../store/audit.ts'
import {
  type BackupDir,
  type BegunSnapshot,
  notWritable,
  openBackupDir,
  snapshotFiles,
} from '../store/backup-dir.ts'
import { type Manifest, writeManifest } from '../store/backup-manifest.ts'
import { createSums, type SumsWriter } from '../store/backup-sums.ts'
import { copyDatabase } from '../store/copy-database.ts'
import {
  closeDatabase,
  type Db,
  inTransaction,
  openDatabase,
  openForReading,
} from '../store/database.ts'
import { areOnOneDisk, databaseBytes, needRoom } from '../store/disk-room.ts'
import { lockDataDir } from '../store/lock.ts'
import { pruneBlobs } from '../store/prune-blobs.ts'
import { type BlobPlan, type BlobSource, planBlobs, saveBlobs } from '../store/save-blobs.ts'
import type { BackupEvent, BackupReport } from './backup-report.ts'
import { migrations } from './migrations.ts'
import { mergeKeys, packSmallFiles, readKeys } from './small-files.ts'

/** What is backed up. */
export interface BackupSource {
  readonly db: Db
  readonly dataDir: string
  readonly clock: Clock
  /** Keeps everybody from deleting; nobody deletes where it is not told. */
  readonly hold?: (() => Promise<LetGo>) | undefined
}

export interface BackupInput {
  /** The directory of backups, absolute. */
  readonly dir: string
  /** Of the keys; needed if there are any. */
  readonly passphrase?: string | undefined
  /** False: only those files that no archive ever named. */
  readonly withFiles: boolean
  /** How many backups stay in the directory, this one included. */
  readonly keep: number
  readonly who: string
  readonly onEvent?: ((event: BackupEvent) => void) | undefined
}

/** Makes a backup; `ERR_USAGE`, `ERR_REFUSED`, `ERR_DISK_FULL`, `ERR_STORE` say why there is none. */
export async function backUp(
  source: BackupSource,
  input: BackupInput,
  { signal }: Abortable = {},
): Promise<BackupReport> {
  refuseInside(source.dataDir, input.dir)
  await needPassphrase(source.dataDir, input)
  const place = await openBackupDir(input.dir)
  try {
    const { snapshot, manifest, saved } = await makeSnapshot(source, place, input, signal)
    const { keys, databaseBytes } = manifest
    await inTransaction(source.db, (trx) =>
      writeAudit(trx, {
        at: source.clock.now(),
        who: input.who,
        what: 'backup',
        object: `backup ${input.dir}`,
        detail: { snapshot, files: saved.wanted.count, keys },
      }),
    )
    const { wanted: files, ...blobs } = saved
    const pruned = await prune(place, input, signal)
    return { dir: input.dir, snapshot, databaseBytes, keys, files, ...blobs, ...pruned }
  } catch (error) {
    throw notWritable(error, input.dir)
  } finally {
    place.close()
  }
}

/** The same where no server runs; `ERR_DATA_LOCKED` if one does. */
export async function backUpOffline(
  dataDir: string,
  input: Omit<BackupInput, 'who'>,
  { signal }: Abortable = {},
): Promise<BackupReport> {
  refuseHalfRestored(dataDir)
  const path = join(dataDir, 'sluice.db')
  if (!existsSync(path)) {
    throw new AppError('ERR_NO_SERVER', {
      message: `no server runs on ${dataDir}, and it is no data directory`,
      hint: 'name one: --data DIR',
    })
  }
  const lock = lockDataDir(join(dataDir, 'lock'), dataDir)
  try {
    const db = await openDatabase(path, migrations)
    try {
      const source = { db, dataDir, clock: systemClock }
      return await backUp(source, { ...input, who: systemUser() }, { signal })
    } finally {
      await closeDatabase(db)
    }
  } finally {
    lock.release()
  }
}

/** Who runs this program, for the audit: no token can be called so. */
export function systemUser(): string {
  try {
    return `user ${userInfo().username}`
  } catch {
    return `user ${process.getuid?.() ?? ''}`
  }
}

function refuseInside(dataDir: string, dir: string): void {
  const isBelow = (path: string, of: string): boolean => !/^\.\.(\/|$)/.test(relative(of, path))
  const data = resolve(dataDir)
  if (!isBelow(dir, data) && !isBelow(data, dir)) return
  throw new AppError('ERR_USAGE', {
    message: `a backup of ${data} cannot lie in ${dir}: one would be in the other`,
    hint: 'give a directory elsewhere, best on another disk',
  })
}

async function needPassphrase(dataDir: string, { passphrase = '' }: BackupInput): Promise<void> {
  if (passphrase !== '' || (await readKeys(dataDir)).length === 0) return
  throw new AppError('ERR_USAGE', {
    message: 'the private keys are backed up under a passphrase, and none is given',
    hint: '--passphrase-file FILE, or SLUICE_BACKUP_PASSPHRASE',
  })
}

type Saved = Awaited<ReturnType<typeof saveBlobs>>

async function makeSnapshot(
  source: BackupSource,
  place: BackupDir,
  input: BackupInput,
  signal: AbortSignal | undefined,
): Promise<{ snapshot: string; manifest: Manifest; saved: Saved }> {
  const letGo = await source.hold?.()
  try {
    const mayLink = await areOnOneDisk(join(source.dataDir, 'blobs'), place.blobs)
    const plan = await planBlobs(blobsOf(source.db, source, input), place.blobs, { signal })
    const bytes = (await databaseBytes(source.dataDir)) + (mayLink ? 0 : plan.fresh.bytes)
    await needRoom('the backup', input.dir, bytes)
    const begun = await place.begin(source.clock.now())
    crashPoint('backup: begun')
    try {
      const made = await fill(source, { place, begun, input, mayLink, plan }, signal)
      await begun.finish()
      return { snapshot: begun.name, ...made }
    } catch (error) {
      await begun.abandon()
      throw error
    }
  } finally {
    letGo?.()
  }
}

function blobsOf(db: Db, { dataDir }: BackupSource, { withFiles }: BackupInput): BlobSource {
  const blobs = join(dataDir, 'blobs')
  return withFiles ? { db, blobs } : { db, blobs, choose: (some) => withoutOrigin(db, some) }
}

interface Filling {
  readonly place: BackupDir
  readonly begun: BegunSnapshot
  readonly input: BackupInput
  readonly mayLink: boolean
  readonly plan: BlobPlan
}

async function fill(
  source: BackupSource,
  filling: Filling,
  signal: AbortSignal | undefined,
): Promise<{ manifest: Manifest; saved: Saved }> {
  const { begun, input } = filling
  const { dataDir, clock } = source
  // Read before and after: a key that is retired meanwhile may go, and is named by the database as it was.
  const before = await readKeys(dataDir)
  const order = { from: join(dataDir, 'sluice.db'), to: join(begun.path, snapshotFiles.database) }
  const onPages = (done: number, total: number): void =>
    input.onEvent?.({ kind: 'backup', what: 'database', done, total })
  const database = await copyDatabase(order, onPages, { signal })
  crashPoint('backup: database copied')
  const keys = mergeKeys(before, await readKeys(dataDir))
  await needPassphrase(dataDir, input)
  const sums = await createSums(begun.path)
  try {
    await sums.add([{ sha256: database.sha256, name: snapshotFiles.database }])
    const { passphrase = '' } = input
    const secrets = { keys, passphrase, at: clock.now() }
    await sums.add(await packSmallFiles(dataDir, begun.path, secrets))
    const saved = await saveFiles(source, filling, sums, signal)
    const manifest: Manifest = {
      format: 1,
      version,
      madeAt: clock.now(),
      host: hostname(),
      dataDir: resolve(dataDir),
      databaseBytes: database.sizeBytes,
      files: saved.wanted,
      leftOut: saved.leftOut,
      missing: saved.missing.length,
      keys: keys.length,
      sums: await sums.close(),
    }
    await writeManifest(begun.path, manifest)
    return { manifest, saved }
  } finally {
    await sums.abort()
  }
}

async function saveFiles(
  source: BackupSource,
  { place, begun, input, mayLink, plan }: Filling,
  sums: SumsWriter,
  signal: AbortSignal | undefined,
): Promise<Saved> {
  const db = openForReading(join(begun.path, snapshotFiles.database))
  const total = plan.fresh.count
  try {
    return await saveBlobs(
      {
        source: blobsOf(db, source, input),
        to: place.blobs,
        mayLink,
        onSaved: (digests) => sums.add(digests.map((sha256) => ({ sha256, name: 'blob' }))),
        onProgress: (done) =>
          input.onEvent?.({ kind: 'backup', what: 'files', done, total: Math.max(done, total) }),
      },
      { signal },
    )
  } finally {
    await closeDatabase(db)
  }
}

/** Older backups, and the files that only they named: the new one is whole without this. */
async function prune(
  place: BackupDir,
  { dir, keep }: BackupInput,
  signal: AbortSignal | undefined,
): Promise<Pick<BackupReport, 'pruned' | 'notPruned'>> {
  let pruned: readonly string[] = []
  try {
    pruned = await place.prune(keep)
    await pruneBlobs(dir, { signal })
    return { pruned }
  } catch (error) {
    return { pruned, notPruned: toAppError(error).message }
  }
}
