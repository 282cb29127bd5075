/**
 * Files on their way in from others, in `uploads/` of the data directory: a folder for each upload, in which its files grow
 * until they are whole, over as many connections as it takes, also past a restart. Nothing here is of the store yet.
 *
 * One writes to a file at a time. What nobody has written to for a day is swept.
 */
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/abortable.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'

/** Names of a folder and of a file in it; both are plain words, checked by who makes them. */
export interface PartName {
  readonly folder: string
  readonly file: string
}

export interface Appending extends Abortable {
  /** Where the first byte belongs; the file must have just so many. 0 begins it anew. */
  readonly offset: number
  /** How long it may become; `ERR_TOO_LARGE` beyond, and the file goes. */
  readonly maxBytes: number
}

export interface PartFiles {
  /** Bytes that are here of it; 0 where there are none. */
  size(name: PartName): Promise<number>
  /** Adds bytes at the end, and says how long the file is then. What came before the source failed stays. */
  append(name: PartName, source: AsyncIterable<Uint8Array>, appending: Appending): Promise<number>
  path(name: PartName): string
  /** Calls it by another name in its folder: it is whole. */
  rename(name: PartName, file: string): Promise<void>
  read(name: PartName): AsyncIterable<Uint8Array>
  /** The files of a folder. */
  list(folder: string): Promise<string[]>
  remove(name: PartName): Promise<void>
  removeFolder(folder: string): Promise<void>
  /** Removes folders in which nothing was written since that time (epoch milliseconds); says how many. */
  sweep(before: number): Promise<number>
}

const READ_BYTES = 1024 * 1024
const plain = /^[A-Za-z0-9][A-Za-z0-9+.~_-]{0,254}$/

/** The files below this folder, which need not exist. */
export function openPartFiles(dir: string): PartFiles {
  const busy = new Set<string>()
  const path = ({ folder, file }: PartName): string => {
    if (!plain.test(folder) || !plain.test(file))
      throw new AppError('ERR_USAGE', { message: `${JSON.stringify(file)} is no name of a file` })
    return join(dir, folder, file)
  }
  const remove = async (name: PartName): Promise<void> => {
    await rm(path(name), { force: true })
    await rmdir(join(dir, name.folder)).catch(() => undefined)
  }
  return {
    path,
    size: (name) => sizeOf(path(name)),
    append: async (name, source, appending) => {
      const at = path(name)
      if (busy.has(at)) throw isBusy(name)
      busy.add(at)
      try {
        await mkdir(join(dir, name.folder), { recursive: true, mode: 0o700 })
        return await append(at, source, appending)
      } catch (error) {
        if (error instanceof AppError && error.code === 'ERR_TOO_LARGE') await remove(name)
        throw error
      } finally {
        busy.delete(at)
      }
    },
    rename: ({ folder, file }, to) => rename(path({ folder, file }), path({ folder, file: to })),
    read: (name) => createReadStream(path(name), { highWaterMark: READ_BYTES }),
    list: (folder) => namesIn(join(dir, folder)),
    remove,
    removeFolder: (folder) => rm(join(dir, folder), { recursive: true, force: true }),
    sweep: async (before) => {
      let swept = 0
      for (const folder of await namesIn(dir)) {
        const isBusyNow = [...busy].some((one) => one.startsWith(join(dir, folder)))
        if (isBusyNow || (await lastWritten(join(dir, folder))) >= before) continue
        await rm(join(dir, folder), { recursive: true, force: true })
        swept += 1
      }
      return swept
    },
  }
}

async function append(
  path: string,
  source: AsyncIterable<Uint8Array>,
  { offset, maxBytes, signal }: Appending,
): Promise<number> {
  const here = offset === 0 ? 0 : await sizeOf(path)
  if (here !== offset) {
    throw new AppError('ERR_CONFLICT', {
      message: `${offset} bytes were to be here, and there are ${here}`,
      hint: 'ask how much is here, and go on from there',
      details: { offset: here },
    })
  }
  const handle = await open(path, offset === 0 ? 'w' : 'a', 0o600)
  let size = offset
  try {
    for await (const piece of source) {
      signal?.throwIfAborted()
      size += piece.length
      if (size > maxBytes) throw tooLarge(maxBytes)
      await handle.writeFile(piece)
      crashPoint('upload: bytes written')
    }
    return size
  } finally {
    await handle.close()
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0
    throw error
  }
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

async function lastWritten(dir: string): Promise<number> {
  const times = (await namesIn(dir)).map(async (name) => (await stat(join(dir, name))).mtimeMs)
  return Math.max((await stat(dir)).mtimeMs, ...(await Promise.all(times)))
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('ERR_TOO_LARGE', {
    message: `the file is longer than ${maxBytes} bytes`,
    hint: 'split the package, or ask the administrator of this archive to raise the limit',
  })
}

function isBusy({ file }: PartName): AppError {
  return new AppError('ERR_CONFLICT', {
    message: `${file} is just being uploaded by somebody else with the same token`,
    hint: 'wait until that has ended',
  })
}
