/**
 * The file blobs of a backup, copied into a data directory: all of them, or those alone that no archive ever named, which
 * nobody can be asked for again. Each is compared with its digest on the way.
 */
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { withoutOrigin } from '../archives/origins.ts'
import type { Abortable } from '../base/abortable.ts'
import { systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { mapBounded } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { syncDir } from '../store/backup-dir.ts'
import { closeDatabase, openForReading } from '../store/database.ts'
import { type Backup, type Flaw, flawOf } from '../store/read-backup.ts'
import { copyBlob, type Tally } from '../store/save-blobs.ts'

const FILES_AT_ONCE = 4

/** Which files to copy. */
export interface WantedFiles extends Readonly<Tally> {
  pages(): AsyncIterable<readonly Sha256[]> | Iterable<readonly Sha256[]>
}

/** All that the backup has. */
export function allFiles({ manifest, blobs }: Backup): WantedFiles {
  return { ...manifest.files, pages: blobs }
}

/** Those without an origin, by the database at this path. */
export async function filesOfOurOwn(backup: Backup, database: string): Promise<WantedFiles> {
  const own: Sha256[] = []
  let bytes = 0
  const db = openForReading(database)
  try {
    for await (const digests of backup.blobs()) {
      for (const digest of await withoutOrigin(db, digests)) {
        own.push(digest)
        // What cannot be read is told when it is to be copied.
        bytes += await stat(backup.blobPath(digest)).then(
          ({ size }) => size,
          () => 0,
        )
      }
    }
  } finally {
    await closeDatabase(db)
  }
  return { count: own.length, bytes, pages: () => [own] }
}

interface CopyInput {
  /** The directory of backups. */
  readonly dir: string
  readonly dataDir: string
  readonly wanted: WantedFiles
  readonly onFile: (done: number) => void
}

/** Copies them, and tells which are not as they were: all of them, so that one does not find them one by one. */
export async function copyFiles(
  { dir, dataDir, wanted, onFile }: CopyInput,
  backup: Backup,
  { signal }: Abortable,
): Promise<Flaw[]> {
  const blobs = join(dataDir, 'blobs')
  const flaws: Flaw[] = []
  const folders = new Set<string>()
  let done = 0
  for await (const digests of wanted.pages()) {
    for (const prefix of new Set(digests.map((digest) => digest.slice(0, 2)))) {
      if (!folders.has(prefix)) await mkdir(join(blobs, prefix))
      folders.add(prefix)
    }
    await mapBounded(digests, FILES_AT_ONCE, async (digest) => {
      signal?.throwIfAborted()
      const flaw = await copyOne(dir, backup, digest, blobs)
      if (flaw !== undefined) flaws.push(flaw)
      onFile(++done)
      crashPoint('restore: a file copied')
    })
  }
  for (const prefix of folders) await syncDir(join(blobs, prefix))
  await syncDir(blobs)
  return flaws
}

async function copyOne(
  dir: string,
  backup: Backup,
  digest: Sha256,
  blobs: string,
): Promise<Flaw | undefined> {
  const from = backup.blobPath(digest)
  const to = join(blobs, digest.slice(0, 2), digest.slice(2))
  try {
    const isSame = await copyBlob(from, { tmp: join(blobs, `.${digest}`), to }, digest)
    return isSame ? undefined : flawOf(dir, from, false, true)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'EIO') throw error
    return flawOf(dir, from, systemCode(error) === 'ENOENT', true)
  }
}
