/**
 * The thread that copies a database: see copy-database.ts, whose messages it sends. Copying is synchronous here, and
 * nobody waits for it but that thread.
 */
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { CopyMessage, CopyOrder } from './copy-database.ts'

/** 4 MB at a time. */
const PAGES = 1000
const PIECE_BYTES = 1024 * 1024

function say(message: CopyMessage): void {
  parentPort?.postMessage(message)
}

async function copy({ from, to }: CopyOrder): Promise<void> {
  const source = new Database(from, { readonly: true, fileMustExist: true })
  try {
    source.pragma('cache_size = -2048')
    // Within one read transaction there is one state to copy: without it each write of the server would begin it anew.
    source.exec('BEGIN')
    source.prepare('SELECT count(*) FROM sqlite_schema').get()
    await source.backup(to, {
      progress: ({ totalPages, remainingPages }) => {
        say({ kind: 'progress', done: totalPages - remainingPages, total: totalPages })
        return PAGES
      },
    })
  } finally {
    source.close()
  }
}

/** What SQLite finds wrong with the copy, which becomes one file without a log beside it. */
function check(path: string): string | undefined {
  const file = new Database(path)
  try {
    file.pragma('journal_mode = DELETE')
    const found = file.pragma('quick_check(1)', { simple: true })
    return found === 'ok' ? undefined : String(found)
  } finally {
    file.close()
  }
}

function digest(path: string): { sha256: string; sizeBytes: number } {
  const fd = openSync(path, 'r+')
  try {
    fsyncSync(fd)
    const hash = createHash('sha256')
    const piece = Buffer.alloc(PIECE_BYTES)
    let sizeBytes = 0
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) {
      hash.update(piece.subarray(0, read))
      sizeBytes += read
    }
    return { sha256: hash.digest('hex'), sizeBytes }
  } finally {
    closeSync(fd)
  }
}

const order: CopyOrder = workerData
await copy(order)
const damage = check(order.to)
say(damage === undefined ? { kind: 'copied', ...digest(order.to) } : { kind: 'damaged', damage })
