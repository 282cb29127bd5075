/**
 * Restoring a backup into an empty data directory.
 *
 * Every byte is compared with its digest before anything can be used: the manifest vouches for the list, the list for the
 * files. The file `restoring` stands in the data directory from the first step to the last; as long as it does no server
 * starts there, and the restore can be repeated. Clients may have seen later Dates than the backup knows: all floors are
 * raised to now, and the server signs each head anew before it serves it (channels/re-sign.ts).
 */
import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/abortable.ts'
import { type Clock, nowSeconds } from '../base/clock.ts'
import { dataFiles, makeDataDir } from '../base/data-dir.ts'
import { writeDurable } from '../base/durable-file.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { type SecretFile, unsealFiles } from '../debian/sealed-files.ts'
import { raiseDateFloors } from '../signing/publication-table.ts'
import { writeAudit } from '../store/audit.ts'
import { notWritable, snapshotFiles, syncDir } from '../store/backup-dir.ts'
import { closeDatabase, inTransaction, openDatabase } from '../store/database.ts'
import { needRoom } from '../store/disk-room.ts'
import { lockDataDir } from '../store/lock.ts'
import {
  type Backup,
  damagedBackup,
  type Flaw,
  flawOf,
  openBackup,
  readOwnFile,
} from '../store/read-backup.ts'
import { copyBlob } from '../store/save-blobs.ts'
import { systemUser } from './backup.ts'
import type { BackupEvent, RestoreReport } from './backup-report.ts'
import { migrations } from './migrations.ts'
import { allFiles, copyFiles, filesOfOurOwn } from './restore-files.ts'
import { plainFiles, unpackSmallFiles } from './small-files.ts'

export interface RestoreInput {
  /** The directory of backups. */
  readonly dir: string
  /** Which backup; the newest if not told. */
  readonly snapshot?: string | undefined
  readonly dataDir: string
  readonly passphrase?: string | undefined
  /** False: only the file blobs that no archive ever named; what upstream still has is fetched again when it is wanted. */
  readonly withFiles: boolean
  readonly clock: Clock
  readonly onEvent?: ((event: BackupEvent) => void) | undefined
}

/** What may stand in a data directory that is to be filled. */
const harmless: readonly string[] = [
  ...['lock', 'lock-journal', 'lost+found', 'restoring', 'restoring.new'],
]

/**
 * Restores a backup; `ERR_REFUSED` if the directory is not empty, `ERR_PASSPHRASE`, and `ERR_DIGEST_MISMATCH` with the
 * names of what is damaged: then the directory is as empty as before.
 */
export async function restoreBackup(
  input: RestoreInput,
  { signal }: Abortable = {},
): Promise<RestoreReport> {
  const { dir, dataDir } = input
  const backup = await openBackup(dir, input.snapshot)
  const keys = await openKeys(dir, backup, input.passphrase)
  const plain = new Map<string, Buffer>()
  for (const name of plainFiles) {
    const data = await readOwnFile(dir, backup, name)
    if (data !== undefined) plain.set(name, data)
  }
  await makeDataDir(dataDir)
  await refuseFilled(dataDir)
  const lock = lockDataDir(join(dataDir, 'lock'), dataDir)
  try {
    // Again, now that nobody else begins here.
    await refuseFilled(dataDir)
    const { databaseBytes, files } = backup.manifest
    const bytes = databaseBytes + (input.withFiles ? files.bytes : 0)
    await needRoom('the restored data directory', dataDir, bytes)
    const { restoring } = dataFiles(dataDir)
    await writeDurable(restoring, `sluice restore of ${backup.name} from ${dir} is under way\n`)
    crashPoint('restore: begun')
    await empty(dataDir)
    const copied = await install(input, backup, { keys, plain }, signal)
    await rm(restoring)
    await syncDir(dataDir)
    crashPoint('restore: done')
    return { ...reportOf(input, backup, keys.length), ...copied }
  } catch (error) {
    throw notWritable(error, dataDir)
  } finally {
    lock.release()
  }
}

/** The private keys, out of their message; none where the backup has none. */
export async function openKeys(
  dir: string,
  backup: Backup,
  passphrase: string | undefined,
): Promise<SecretFile[]> {
  const sealed = await readOwnFile(dir, backup, snapshotFiles.keys)
  if (sealed === undefined) return []
  if (passphrase === undefined || passphrase === '') {
    throw new AppError('ERR_USAGE', {
      message: 'the private keys in the backup are under a passphrase, and none is given',
      hint: '--passphrase-file FILE, or SLUICE_BACKUP_PASSPHRASE',
    })
  }
  return unsealFiles(sealed, passphrase)
}

/** What an earlier restore, that did not come to its end, left in a directory that was empty before it counts as nothing. */
async function refuseFilled(dataDir: string): Promise<void> {
  const names = await readdir(dataDir)
  if (names.includes('restoring')) return
  const strange = names.find((name) => !harmless.includes(name))
  if (strange === undefined) return
  throw new AppError('ERR_REFUSED', {
    message: `${dataDir} is not empty: there is ${strange}`,
    hint: 'restore into a new directory: --data NEW',
  })
}

async function empty(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (harmless.includes(name)) continue
    await rm(join(dataDir, name), { recursive: true, force: true })
    crashPoint('restore: what an earlier one left removed')
  }
}

async function install(
  input: RestoreInput,
  backup: Backup,
  small: Parameters<typeof unpackSmallFiles>[1],
  signal: AbortSignal | undefined,
): Promise<Copied> {
  const { dataDir } = input
  try {
    await mkdir(join(dataDir, 'blobs'))
    const copied = await (input.withFiles ? copyAll : copyWithoutOthers)(input, backup, { signal })
    crashPoint('restore: database copied')
    await unpackSmallFiles(dataDir, small)
    await goOn(input, backup)
    await syncDir(dataDir)
    crashPoint('restore: all in place')
    return copied
  } catch (error) {
    await empty(dataDir)
    await rm(dataFiles(dataDir).restoring, { force: true })
    throw error
  }
}

/** What was copied of the file blobs, and which of those without an origin could not be. */
type Copied = Pick<RestoreReport, 'files' | 'leftOut' | 'missing'>

/** Files and database: all of it is as it was, or nothing is restored. */
async function copyAll(
  input: RestoreInput,
  backup: Backup,
  { signal }: Abortable,
): Promise<Copied> {
  const { dir, dataDir } = input
  const { files, leftOut } = backup.manifest
  const copy = { dir, dataDir, wanted: allFiles(backup), onFile: progressOf(input, files.count) }
  const flaws = await copyFiles(copy, backup, { signal })
  flaws.push(...(await copyOwnDatabase(input, backup)))
  if (flaws.length > 0) throw damagedBackup(dir, flaws)
  return { files, leftOut: leftOut.count, missing: [] }
}

/** The database first, since it knows which files no archive has. One of these that is damaged keeps nothing else back. */
async function copyWithoutOthers(
  input: RestoreInput,
  backup: Backup,
  { signal }: Abortable,
): Promise<Copied> {
  const { dir, dataDir } = input
  const damaged = await copyOwnDatabase(input, backup)
  if (damaged.length > 0) throw damagedBackup(dir, damaged)
  const wanted = await filesOfOurOwn(backup, join(dataDir, snapshotFiles.database))
  const { count, bytes } = wanted
  await needRoom('the restored data directory', dataDir, bytes)
  const copy = { dir, dataDir, wanted, onFile: progressOf(input, count) }
  const missing = await copyFiles(copy, backup, { signal })
  const { files, leftOut } = backup.manifest
  return {
    files: { count: count - missing.length, bytes },
    leftOut: leftOut.count + files.count - count,
    missing: missing.map(({ file, message }) => `${file} ${message}`),
  }
}

function progressOf({ onEvent }: RestoreInput, total: number): (done: number) => void {
  return (done) => onEvent?.({ kind: 'restore', what: 'files', done, total })
}

async function copyOwnDatabase({ dir, dataDir }: RestoreInput, backup: Backup): Promise<Flaw[]> {
  const name = snapshotFiles.database
  const [from, to] = [backup.pathOf(name), join(dataDir, name)]
  const expected = backup.own.get(name)
  try {
    if (expected !== undefined && (await copyBlob(from, { tmp: `${to}.new`, to }, expected))) {
      await chmod(to, 0o600)
      return []
    }
    return [flawOf(dir, from, false, false)]
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'EIO') throw error
    return [flawOf(dir, from, systemCode(error) === 'ENOENT', false)]
  }
}

/** From here on the database is that of a server that was restored: in one transaction. */
async function goOn(input: RestoreInput, backup: Backup): Promise<void> {
  const { clock, dir, dataDir } = input
  const db = await openDatabase(join(dataDir, snapshotFiles.database), migrations)
  try {
    await inTransaction(db, async (trx) => {
      await raiseDateFloors(trx, nowSeconds(clock))
      await writeAudit(trx, {
        at: clock.now(),
        who: systemUser(),
        what: 'restore',
        object: `backup ${dir}`,
        detail: { snapshot: backup.name, madeAt: backup.manifest.madeAt },
      })
      crashPoint('restore: before the commit')
    })
  } finally {
    await closeDatabase(db)
  }
}

function reportOf(
  { dataDir }: RestoreInput,
  { name: snapshot, manifest }: Backup,
  keys: number,
): Omit<RestoreReport, keyof Copied> {
  return { snapshot, madeAt: manifest.madeAt, dataDir, keys }
}
