/**
 * Rows of file blobs, written together: one transaction (and one wait for the disk) for all files that became
 * complete in the same turn of the event loop, instead of one for each.
 */
import { setImmediate } from 'node:timers'
import { type Sha256, sha256Bytes } from '../base/sha256.ts'
import { type Db, sql } from './database.ts'

export interface FileRow {
  readonly sha256: Sha256
  readonly size: number
}

export interface RowBatch {
  /** Resolves when the row is durable. */
  add(row: FileRow): Promise<void>
}

/** A batch over the table `blob`. */
export function createRowBatch(db: Db): RowBatch {
  let waiting: FileRow[] = []
  let flush: Promise<void> | undefined
  const write = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    const rows = waiting
    waiting = []
    flush = undefined
    const json = JSON.stringify(
      rows.map((row) => [sha256Bytes(row.sha256).toString('hex'), row.size]),
    )
    await sql`INSERT INTO blob (sha256, size, data, made_at)
      SELECT unhex(json_extract(value, '$[0]')), json_extract(value, '$[1]'), NULL, ${Date.now()}
      FROM json_each(${json}) WHERE true ON CONFLICT (sha256) DO NOTHING`.execute(db)
  }
  return {
    add: (row) => {
      waiting.push(row)
      flush ??= write()
      return flush
    },
  }
}
