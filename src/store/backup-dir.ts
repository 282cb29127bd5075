/**
 * A directory of backups. All of them share the files of blobs, so that a further one costs what is new:
 *
 *   blobs/<2 hex>/<62 hex>      0444, never changed; of no backup that is whole as long as no list names them
 *   snapshots/<time>/           one backup: sluice.db, keys.tar.gpg, sluice.toml, imported.json, and
 *     SHA256SUMS                each of these and each blob, for sha256sum -c
 *     manifest.json             written last (backup-manifest.ts)
 *   snapshots/.<time>.part/     one that is not whole: under way, cut short, or on its way out
 *   lock                        held while one is made
 *
 * A backup becomes one by the rename of its directory, after everything in it is on the disk.
 */
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { type Lock, lockBackups } from './lock.ts'

/** The files of one backup. */
export const snapshotFiles = {
  database: 'sluice.db',
  keys: 'keys.tar.gpg',
  settings: 'sluice.toml',
  imported: 'imported.json',
  sums: 'SHA256SUMS',
  manifest: 'manifest.json',
} as const

const nameOfSnapshot = /^\d{8}T\d{6}Z(-\d+)?$/
/** What is on its way in each folder; others may have hidden things there too. */
const unfinished = { snapshots: /^\.\d{8}T\d{6}Z(-\d+)?\.part$/, blobs: /^\.[0-9a-f]{64}$/ }
const ours: readonly string[] = ['blobs', 'snapshots', 'lock', 'lost+found']

/** A directory of backups into which one is being made. */
export interface BackupDir {
  readonly blobs: string
  /** Makes room for a backup made at this time (epoch milliseconds). */
  begin(at: number): Promise<BegunSnapshot>
  /** Takes away all but the newest `keep` whole backups; their names. The blobs of them stay. */
  prune(keep: number): Promise<string[]>
  close(): void
}

export interface BegunSnapshot {
  readonly name: string
  /** Where its files go. */
  readonly path: string
  /** Makes it a backup; all its files are durable. */
  finish(): Promise<void>
  /** Takes it away again. */
  abandon(): Promise<void>
}

/** Where the files of a blob lie, and those of a whole backup. */
export function backupPaths(dir: string): { blobs: string; snapshot(name: string): string } {
  return { blobs: join(dir, 'blobs'), snapshot: (name) => join(dir, 'snapshots', name) }
}

/** Names of the whole backups in a directory, oldest first; `ERR_NOT_FOUND` if it is no directory of backups. */
export async function listSnapshots(dir: string): Promise<string[]> {
  try {
    const names = await readdir(join(dir, 'snapshots'))
    return names.filter((name) => nameOfSnapshot.test(name)).sort(byAge)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error
    throw new AppError('ERR_NOT_FOUND', {
      message: `${dir} is no directory of backups`,
      hint: 'name the one that sluice backup was given',
    })
  }
}

/** Makes or opens it, alone; what was cut short earlier goes. `ERR_REFUSED` for a directory of something else. */
export async function openBackupDir(dir: string): Promise<BackupDir> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const strange = (await readdir(dir)).find((name) => !ours.includes(name))
    if (strange !== undefined && !existsSync(join(dir, 'snapshots'))) {
      throw new AppError('ERR_REFUSED', {
        message: `${dir} has other things in it: ${strange}`,
        hint: 'give a directory of its own, which may be new',
      })
    }
    await mkdir(join(dir, 'blobs'), { recursive: true, mode: 0o700 })
    await mkdir(join(dir, 'snapshots'), { recursive: true, mode: 0o700 })
    await syncDir(dir)
  } catch (error) {
    throw notWritable(error, dir)
  }
  const lock = lockBackups(join(dir, 'lock'), dir)
  try {
    await sweep(dir)
    return opened(dir, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

function opened(dir: string, lock: Lock): BackupDir {
  const snapshots = join(dir, 'snapshots')
  return {
    blobs: join(dir, 'blobs'),
    begin: async (at) => {
      const name = await freeName(dir, at)
      const path = join(snapshots, `.${name}.part`)
      await mkdir(path, { mode: 0o700 })
      return {
        name,
        path,
        finish: async () => {
          await syncDir(path)
          crashPoint('backup: written, not in place')
          await rename(path, join(snapshots, name))
          await syncDir(snapshots)
          crashPoint('backup: in place')
        },
        abandon: () => rm(path, { recursive: true, force: true }),
      }
    },
    prune: async (keep) => {
      const gone = (await listSnapshots(dir)).slice(0, -keep)
      for (const name of gone) {
        const path = join(snapshots, `.${name}.part`)
        await rename(join(snapshots, name), path)
        await syncDir(snapshots)
        crashPoint('backup: an old one taken out of sight')
        await rm(path, { recursive: true, force: true })
      }
      return gone
    },
    close: () => lock.release(),
  }
}

/** `20261121T083000Z`; a second one of the same second is called `-2`. */
async function freeName(dir: string, at: number): Promise<string> {
  const time = new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')
  const taken = await listSnapshots(dir)
  let name = time
  for (let nth = 2; taken.includes(name); nth++) name = `${time}-${nth}`
  return name
}

function byAge(a: string, b: string): number {
  const [[timeA = '', nthA = '1'], [timeB = '', nthB = '1']] = [a.split('-'), b.split('-')]
  return timeA === timeB ? Number(nthA) - Number(nthB) : timeA < timeB ? -1 : 1
}

/** What a crash left of backups, and of files on their way. */
async function sweep(dir: string): Promise<void> {
  for (const [folder, isOurs] of Object.entries(unfinished)) {
    for (const name of await readdir(join(dir, folder))) {
      if (isOurs.test(name)) await rm(join(dir, folder, name), { recursive: true, force: true })
    }
  }
}

/** What keeps a directory from being written to, by its name. */
export function notWritable(error: unknown, dir: string): unknown {
  const code = systemCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AppError('ERR_DISK_FULL', {
      message: `no room on the disk of ${dir}`,
      hint: 'what was whole before is kept; make room, or give another directory',
      cause: error,
    })
  }
  if (code === undefined || !['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(code)) {
    return error
  }
  return new AppError('ERR_STORE', {
    message: `${dir} cannot be written to: ${code}`,
    hint: 'it is written by the user that the server runs as',
    cause: error,
  })
}

/** Makes what was linked or renamed in a directory durable. */
export async function syncDir(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
