/**
 * One server for each data directory: a lock that ends with the process that holds it, however it ends.
 */
import Database from 'better-sqlite3'
import { AppError, systemCode } from '../base/errors.ts'

/** Holds the lock until `release`; `ERR_DATA_LOCKED` if another has it, `ERR_STORE` if it can be no lock. */
export function lockDataDir(path: string, dataDir: string): { release(): void } {
  let file: Database.Database | undefined
  try {
    file = new Database(path, { timeout: 0 })
    file.exec('BEGIN EXCLUSIVE')
    return { release: () => void file?.close() }
  } catch (error) {
    file?.close()
    if (systemCode(error) !== 'SQLITE_BUSY') {
      throw new AppError('ERR_STORE', {
        message: `the data directory ${dataDir} cannot be locked: ${path}`,
        hint: 'look at the rights of the directory; the file may be removed while no server runs',
        cause: error,
      })
    }
    throw new AppError('ERR_DATA_LOCKED', {
      message: `another server runs on the data directory ${dataDir}`,
      hint: 'stop it first, or give this one its own: --data DIR',
      cause: error,
    })
  }
}
