/**
 * A copy of the database as it is at one moment, made while it is being written to.
 *
 * In a thread of its own, with a connection of its own: reading and writing half a gigabyte, and above all the wait for the
 * disk at the end, would keep every request waiting. Writers are not kept waiting; the log (WAL) grows meanwhile.
 */
import { extname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'

/** What the thread is told. */
export interface CopyOrder {
  readonly from: string
  /** Must not exist. */
  readonly to: string
}

/** What the thread says. */
export type CopyMessage =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'copied'; readonly sha256: string; readonly sizeBytes: number }
  | { readonly kind: 'damaged'; readonly damage: string }

export interface CopiedDatabase {
  readonly sha256: Sha256
  readonly sizeBytes: number
}

/** As the module that this is: `.ts` in a checkout, `.js` in what `npm pack` makes of it. */
const entry = join(import.meta.dirname, `copy-worker${extname(import.meta.filename)}`)

/**
 * Copies the database at `from` to the new file `to`, durable when it returns; `onProgress` is told pages. `ERR_STORE` if
 * SQLite finds the copy damaged.
 */
export async function copyDatabase(
  order: CopyOrder,
  onProgress: (done: number, total: number) => void,
  { signal }: Abortable = {},
): Promise<CopiedDatabase> {
  signal?.throwIfAborted()
  const worker = new Worker(entry, { workerData: order, env: process.env })
  const done = Promise.withResolvers<CopiedDatabase>()
  worker.on('message', (message: CopyMessage) => {
    if (message.kind === 'progress') onProgress(message.done, message.total)
    else if (message.kind === 'damaged') done.reject(damaged(order.from, message.damage))
    else done.resolve(toCopied(message))
  })
  worker.once('error', done.reject)
  worker.once('exit', () =>
    done.reject(new AppError('ERR_STORE', { message: `${order.from} could not be copied` })),
  )
  const stop = (): void => done.reject(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await done.promise
  } finally {
    signal?.removeEventListener('abort', stop)
    await worker.terminate()
  }
}

function toCopied({ sha256, sizeBytes }: CopyMessage & { kind: 'copied' }): CopiedDatabase {
  const digest = parseSha256(sha256)
  if (digest === undefined) throw new AppError('ERR_STORE', { message: 'the copy has no digest' })
  return { sha256: digest, sizeBytes }
}

function damaged(path: string, damage: string): AppError {
  return new AppError('ERR_STORE', {
    message: `the database ${path} is damaged: ${damage}`,
    hint: 'sluice verify; what was backed up earlier is kept',
  })
}
