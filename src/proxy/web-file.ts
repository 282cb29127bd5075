/**
 * Files of the cache by HTTP rules while they arrive and when they are whole: written once, at the place where they stay,
 * and read by any number of clients meanwhile. What a crash leaves half written has no row, and is swept at the start.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Bell } from '../archives/bell.ts'
import { createBell } from '../archives/bell.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, systemCode, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'

const READ_BYTES = 256 * 1024

/**
 * A file that arrives. Its end (the last byte, where its size is known) is given out when it is kept: who has it whole
 * leaves it for the next one, whatever happens then.
 */
export interface GrowingFile {
  readonly name: string
  readonly size: number | undefined
  readonly bell: Bell
  written: number
  /** All is here; kept or not. */
  isSettled: boolean
  error: AppError | undefined
}

/** A new name, and nothing arrived yet. */
export function createGrowing(size: number | undefined): GrowingFile {
  const name = randomBytes(12).toString('hex')
  return { name, size, bell: createBell(), written: 0, isSettled: false, error: undefined }
}

/** Where the file of this name is. */
export function webPath(dir: string, name: string): string {
  return join(dir, name.slice(0, 2), name.slice(2))
}

/** The file for reading; undefined if it is gone. The caller closes it. */
export async function openWebFile(dir: string, name: string): Promise<FileHandle | undefined> {
  try {
    return await open(webPath(dir, name), 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Makes the file; what arrives is written by `fillFile`. */
export async function makeWebFile(dir: string, { name }: GrowingFile): Promise<FileHandle> {
  const path = webPath(dir, name)
  await mkdir(dirname(path), { recursive: true })
  return open(path, 'wx', 0o600)
}

/** Writes what arrives, and makes it durable; closes the handle. An error is the file's too, which is removed then. */
export async function fillFile(
  dir: string,
  file: GrowingFile,
  handle: FileHandle,
  body: AsyncIterable<Buffer>,
): Promise<void> {
  try {
    for await (const piece of body) {
      for (let at = 0; at < piece.length; ) {
        const { bytesWritten } = await handle.write(piece, at, piece.length - at, file.written + at)
        at += bytesWritten
      }
      file.written += piece.length
      file.bell.ring()
      crashPoint('web: bytes written')
    }
    await handle.datasync()
    await syncDirectory(dirname(webPath(dir, file.name)))
    crashPoint('web: file durable, no row')
  } catch (error) {
    file.error ??= toAppError(error)
    file.bell.ring()
    await removeWebFile(dir, file.name)
    throw file.error
  } finally {
    await handle.close()
  }
}

/** The bytes from `start` to `end` (all, unless told) of a file, as they arrive if it is `growing`. */
export async function* readWebFile(
  handle: FileHandle,
  growing: GrowingFile | undefined,
  {
    start,
    end = Number.POSITIVE_INFINITY,
  }: { readonly start: number; readonly end?: number | undefined },
  { signal }: Abortable,
): AsyncGenerator<Buffer, undefined> {
  for (let at = start; at < end; ) {
    signal?.throwIfAborted()
    if (growing?.error !== undefined) throw growing.error
    const here = Math.min(end, growing === undefined ? end : released(growing))
    if (at >= here) {
      if (growing?.isSettled) return
      await growing?.bell.wait(signal)
      continue
    }
    const buffer = Buffer.allocUnsafeSlow(Math.min(here - at, READ_BYTES))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) throw new AppError('ERR_STORE', { message: 'a kept file became shorter' })
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

function released({ isSettled, written, size }: GrowingFile): number {
  return isSettled ? written : Math.min(written, (size ?? Number.POSITIVE_INFINITY) - 1)
}

/** Removes the file, if it is there; who reads it goes on. */
export async function removeWebFile(dir: string, name: string): Promise<void> {
  await rm(webPath(dir, name), { force: true })
}

/** Removes all files but those to keep (name -> size); tells which of these are not there, or of another size. */
export async function sweepWebFiles(
  dir: string,
  keep: ReadonlyMap<string, number>,
): Promise<Set<string>> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const lost = new Set(keep.keys())
  for (const prefix of await readdir(dir)) {
    for (const rest of await readdir(join(dir, prefix))) {
      const name = `${prefix}${rest}`
      const { size } = await stat(webPath(dir, name))
      if (keep.get(name) === size) lost.delete(name)
      else await removeWebFile(dir, name)
    }
  }
  return lost
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
