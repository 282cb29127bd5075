/**
 * One server for each data directory: a lock that ends with the process that holds it, however it ends.
 */
import Database from 'better-sqlite3'
import { AppError } from '../base/errors.ts'

/** Holds the lock until `release`; `ERR_DATA_LOCKED` if another process has it. */
export function lockDataDir(path: string, dataDir: string): { release(): void } {
  const file = new Database(path, { timeout: 0 })
  try {
    file.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    file.close()
    throw new AppError('ERR_DATA_LOCKED', {
      message: `another server runs on the data directory ${dataDir}`,
      hint: 'stop it first, or give this one its own: --data DIR',
      cause: error,
    })
  }
  return { release: () => void file.close() }
}
