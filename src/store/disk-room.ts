/**
 * Whether what is to be copied has room where it goes.
 */
import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, systemCode } from '../base/errors.ts'

/** Kept free besides. */
const SPARE_BYTES = 16 * 1024 * 1024

/** Bytes of the database in a data directory, with what its log holds. */
export async function databaseBytes(dataDir: string): Promise<number> {
  const path = join(dataDir, 'sluice.db')
  return (await sizeOf(path)) + (await sizeOf(`${path}-wal`))
}

/** Whether files of one directory can be links of those of the other. */
export async function areOnOneDisk(a: string, b: string): Promise<boolean> {
  return (await stat(a)).dev === (await stat(b)).dev
}

/** Throws `ERR_DISK_FULL` if the disk of `dir` has no room for so much; `what` needs it. */
export async function needRoom(what: string, dir: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir)
  const free = bavail * bsize
  const needed = bytes + SPARE_BYTES
  if (free >= needed) return
  throw new AppError('ERR_DISK_FULL', {
    message: `${what} needs ${megabytes(needed)} in ${dir}, and ${megabytes(free)} are free`,
    hint: 'make room, or give another directory; --no-files leaves out what can be fetched again',
    details: { needed, free },
  })
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0
    throw error
  }
}
