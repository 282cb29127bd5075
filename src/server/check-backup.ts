/**
 * Looking at backups without restoring one: which there are, and whether every byte of one is as it was written.
 */
import type { Abortable } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import { mapBounded } from '../base/mutex.ts'
import { backupPaths, listSnapshots } from '../store/backup-dir.ts'
import { readManifest } from '../store/backup-manifest.ts'
import { type Backup, type Flaw, findFlaw, openBackup } from '../store/read-backup.ts'
import type { BackupEvent, CheckReport, SnapshotInfo } from './backup-report.ts'
import { openKeys } from './restore.ts'

const FILES_AT_ONCE = 2

/** All backups of a directory, oldest first; one whose manifest cannot be read is among them. */
export async function listBackups(dir: string): Promise<SnapshotInfo[]> {
  const backups: SnapshotInfo[] = []
  for (const name of await listSnapshots(dir)) {
    try {
      const { madeAt, version, host, dataDir, databaseBytes, files, keys } = await readManifest(
        backupPaths(dir).snapshot(name),
      )
      backups.push({ name, madeAt, version, host, dataDir, databaseBytes, files, keys })
    } catch (error) {
      backups.push({ name, problem: toAppError(error).message })
    }
  }
  return backups
}

export interface CheckInput {
  readonly dir: string
  readonly snapshot?: string | undefined
  /** If it is told, whether it opens the keys. */
  readonly passphrase?: string | undefined
  readonly onEvent?: ((event: BackupEvent) => void) | undefined
}

/** Reads a backup whole; it is no error that something is damaged, unless nothing can be read for it. */
export async function checkBackup(
  { dir, snapshot, passphrase, onEvent }: CheckInput,
  { signal }: Abortable = {},
): Promise<CheckReport> {
  const backup = await openBackup(dir, snapshot)
  const flaws: Flaw[] = []
  for (const [name, digest] of backup.own) {
    signal?.throwIfAborted()
    const flaw = await findFlaw(dir, backup.pathOf(name), digest, false)
    if (flaw !== undefined) flaws.push(flaw)
  }
  const total = backup.manifest.files.count
  const read = await checkBlobs(dir, backup, flaws, (done) => {
    signal?.throwIfAborted()
    onEvent?.({ kind: 'restore', what: 'files', done, total })
  })
  if (flaws.length === 0 && passphrase !== undefined) await openKeys(dir, backup, passphrase)
  const problems = flaws.map(({ file, message }) => ({ file, message }))
  const { madeAt } = backup.manifest
  return { snapshot: backup.name, madeAt, read: read + backup.own.size, problems }
}

async function checkBlobs(
  dir: string,
  backup: Backup,
  flaws: Flaw[],
  onRead: (done: number) => void,
): Promise<number> {
  let done = 0
  for await (const digests of backup.blobs()) {
    await mapBounded(digests, FILES_AT_ONCE, async (digest) => {
      const flaw = await findFlaw(dir, backup.blobPath(digest), digest, true)
      if (flaw !== undefined) flaws.push(flaw)
      onRead(++done)
    })
  }
  return done
}
