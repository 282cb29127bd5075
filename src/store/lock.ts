/**
 * One server for each data directory, one backup at a time into a directory of backups: locks that end with the process
 * that holds them, however it ends.
 */
import Database from 'better-sqlite3'
import { AppError, systemCode } from '../base/errors.ts'

export interface Lock {
  release(): void
}

/** Holds the lock until `release`; `ERR_DATA_LOCKED` if another has it, `ERR_STORE` if it can be no lock. */
export function lockDataDir(path: string, dataDir: string): Lock {
  return hold(path, `the data directory ${dataDir}`, {
    message: `another server runs on the data directory ${dataDir}`,
    hint: 'stop it first, or give this one its own: --data DIR',
  })
}

/** The same for a directory of backups. */
export function lockBackups(path: string, dir: string): Lock {
  return hold(path, `the directory of backups ${dir}`, {
    message: `another backup into ${dir} is under way`,
    hint: 'wait for its end',
  })
}

function hold(path: string, what: string, taken: { message: string; hint: string }): Lock {
  let file: Database.Database | undefined
  try {
    file = new Database(path, { timeout: 0 })
    file.exec('BEGIN EXCLUSIVE')
    return { release: () => void file?.close() }
  } catch (error) {
    file?.close()
    if (systemCode(error) !== 'SQLITE_BUSY') {
      throw new AppError('ERR_STORE', {
        message: `${what} cannot be locked: ${path}`,
        hint: 'look at the rights of the directory; the file may be removed while nobody uses it',
        cause: error,
      })
    }
    throw new AppError('ERR_DATA_LOCKED', { ...taken, cause: error })
  }
}
