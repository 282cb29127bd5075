/**
 * A file's way to the server: what is there already is not sent again, and what breaks off goes on where it was.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Transform } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Abortable } from '../base/abortable.ts'
import { AppError, isAppError, systemCode } from '../base/errors.ts'
import type { PackageAnswer, PartAnswer, TakenDeb } from './api-upload-types.ts'
import type { Client } from './client.ts'

export interface Sending extends Abortable {
  readonly archive: string
  readonly suite?: string | undefined
  readonly component?: string | undefined
  readonly reason?: string | undefined
  readonly onProgress: (done: number, total: number) => void
}

const TRIES = 4
const PAUSE_MS = 500
const READ_BYTES = 1024 * 1024

/** Sends a .deb and says what came of it; one that is published there already is not sent. */
export async function sendDeb(client: Client, path: string, sending: Sending): Promise<TakenDeb> {
  const { size, sha256 } = await digestOf(path)
  const { archive, suite, component, reason } = sending
  const url = `/archives/${encodeURIComponent(archive)}/packages/${encodeURIComponent(basename(path))}`
  const query = new URLSearchParams({ sha256 })
  for (const [name, value] of Object.entries({ suite, component, reason }))
    if (value !== undefined) query.set(name, value)
  return goingOn(sending, async () => {
    const known = await client.call<PackageAnswer>('GET', `${url}?${query}`)
    const [there] = known.published
    if (there !== undefined) return { published: { ...there, outcome: 'unchanged' }, warnings: [] }
    const offset = known.offset < size ? known.offset : 0
    const bytes = counted(path, offset, (done) => sending.onProgress(done, size))
    return client.put<TakenDeb>(`${url}?${query}&offset=${offset}`, bytes, size - offset)
  })
}

/** Sends a file to an upload of several, whose URL this is; one that is there already is not sent. */
export async function sendPart(
  client: Client,
  url: string,
  path: string,
  sending: Pick<Sending, 'onProgress' | 'signal'>,
): Promise<void> {
  const { size } = await digestOf(path)
  const at = `${url}/${encodeURIComponent(basename(path))}`
  await goingOn(sending, async () => {
    const known = await client.call<PartAnswer>('GET', at)
    if (known.isWhole && known.size === size) return
    const offset = known.offset < size ? known.offset : 0
    const bytes = counted(path, offset, (done) => sending.onProgress(done, size))
    await client.put(`${at}?offset=${offset}`, bytes, size - offset)
  })
}

/** Tries again where the server went away: what it has is not sent again. */
async function goingOn<T>({ signal }: Abortable, send: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send()
    } catch (error) {
      signal?.throwIfAborted()
      if (!isAppError(error, 'ERR_NO_SERVER') || tries === TRIES) throw error
      await pause(PAUSE_MS * 2 ** tries, undefined, { signal })
    }
  }
}

function counted(path: string, offset: number, onProgress: (done: number) => void): Transform {
  let done = offset
  const counter = new Transform({
    transform: (piece: Buffer, _encoding, next) => {
      done += piece.length
      onProgress(done)
      next(null, piece)
    },
  })
  const file = createReadStream(path, { start: offset, highWaterMark: READ_BYTES })
  file.once('error', (error) => counter.destroy(error))
  counter.once('close', () => file.destroy())
  return file.pipe(counter)
}

/** Size and SHA-256 of a file; `ERR_USAGE` for one that cannot be read. */
export async function digestOf(path: string): Promise<{ size: number; sha256: string }> {
  try {
    const { size } = await stat(path)
    const hash = createHash('sha256')
    for await (const piece of createReadStream(path, { highWaterMark: READ_BYTES }))
      hash.update(piece as Buffer)
    return { size, sha256: hash.digest('hex') }
  } catch (error) {
    throw new AppError('ERR_USAGE', {
      message: `${path} cannot be read: ${systemCode(error) ?? 'no such file'}`,
      cause: error,
    })
  }
}
