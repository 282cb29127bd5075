/**
 * Files on their way in from others, in `uploads/` of the data directory: folders in which files grow until they are whole, over
 * as many connections as it takes, also past a restart. Nothing here is of the store yet.
 *
 * One writes to a file at a time, and nobody while one reads what he wrote. Files that nobody has written to for a day are swept.
 */
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Abortable } from '../base/abortable.ts'
import { AppError, isAppError, systemCode } from '../base/errors.ts'
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
  /** Asked now and then whether more of it may come, with how long it is; what it throws ends it. */
  readonly mayGrow?: ((size: number) => Promise<void>) | undefined
}

/**
 * Adds bytes at the end of a file, and says how long it is then. What came before the source failed stays; a source that did not
 * fail is left open, with what was not taken of it.
 */
export type Append = (source: ByteStream, appending: Appending) => Promise<number>

/** A stream of bytes, or what else gives them piece by piece. */
export type ByteStream = AsyncIterable<Uint8Array> | Readable

export interface PartFiles {
  /** Bytes that are here of it; 0 where there are none. */
  size(name: PartName): Promise<number>
  /**
   * Has the file for itself while it works: `ERR_CONFLICT` if somebody sends it just now. Who has it whole already is waited for.
   */
  hold<T>(name: PartName, work: (append: Append) => Promise<T>): Promise<T>
  path(name: PartName): string
  /** Calls it by another name in its folder: it is whole. */
  rename(name: PartName, file: string): Promise<void>
  read(name: PartName): AsyncIterable<Uint8Array>
  /** The files of a folder. */
  list(folder: string): Promise<string[]>
  /** The folders whose names begin so. */
  folders(prefix: string): Promise<string[]>
  remove(name: PartName): Promise<void>
  removeFolder(folder: string): Promise<void>
  /** Removes files to which nothing was written since that time (epoch milliseconds); says how many. */
  sweep(before: number): Promise<number>
}

/** Larger pieces lie about until the next collection: some 70 MB more with one large file. */
const READ_BYTES = 64 * 1024
const MOST_TRIES = 100
/** So much comes before it is asked again whether more may. */
const ASK_BYTES = 32 * 1024 * 1024
const plain = /^[A-Za-z0-9][A-Za-z0-9+.~_-]{0,254}$/

interface Holder {
  /** It has come to its end, and is read. */
  isWhole: boolean
  readonly ended: Promise<void>
}

/** The files below this folder, which need not exist. */
export function openPartFiles(dir: string): PartFiles {
  const busy = new Map<string, Holder>()
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
    hold: async (name, work) => {
      const at = path(name)
      for (let other = busy.get(at); other !== undefined; other = busy.get(at)) {
        if (!other.isWhole) throw isBusy(name)
        await other.ended
      }
      const end = Promise.withResolvers<void>()
      const holder: Holder = { isWhole: false, ended: end.promise }
      busy.set(at, holder)
      try {
        return await work(async (source, appending) => {
          const size = await append(at, source, appending)
          holder.isWhole = true
          return size
        })
      } catch (error) {
        if (isAppError(error, 'ERR_TOO_LARGE')) await remove(name)
        throw error
      } finally {
        busy.delete(at)
        end.resolve()
      }
    },
    rename: ({ folder, file }, to) => rename(path({ folder, file }), path({ folder, file: to })),
    read: (name) => createReadStream(path(name), { highWaterMark: READ_BYTES }),
    list: (folder) => namesIn(join(dir, folder)),
    folders: async (prefix) => (await namesIn(dir)).filter((name) => name.startsWith(prefix)),
    remove,
    removeFolder: (folder) => rm(join(dir, folder), { recursive: true, force: true }),
    sweep: async (before) => {
      let swept = 0
      for (const folder of await namesIn(dir)) {
        for (const file of await namesIn(join(dir, folder))) {
          const at = join(dir, folder, file)
          if (busy.has(at) || (await lastWritten(at)) >= before) continue
          await rm(at, { recursive: true, force: true })
          swept += 1
        }
        await rmdir(join(dir, folder)).catch(() => undefined)
      }
      return swept
    },
  }
}

async function append(
  path: string,
  source: ByteStream,
  { offset, maxBytes, mayGrow, signal }: Appending,
): Promise<number> {
  const here = offset === 0 ? 0 : await sizeOf(path)
  if (here !== offset) {
    throw new AppError('ERR_CONFLICT', {
      message: `${offset} bytes were to be here, and there are ${here}`,
      hint: 'ask how much is here, and go on from there',
      details: { offset: here },
    })
  }
  const handle = await openIn(path, offset === 0 ? 'w' : 'a')
  let size = offset
  let asked = offset
  try {
    // One that is not read to its end is not destroyed with that: who sends it is to hear why.
    for await (const piece of isStream(source)
      ? source.iterator({ destroyOnReturn: false })
      : source) {
      signal?.throwIfAborted()
      size += piece.length
      if (size > maxBytes) throw tooLarge(maxBytes)
      if (size - asked > ASK_BYTES) {
        await mayGrow?.(size)
        asked = size
      }
      await handle.writeFile(piece)
      crashPoint('upload: bytes written')
    }
    return size
  } finally {
    await handle.close()
  }
}

/** Opens it in its folder, which somebody else may remove the moment it is empty. */
async function openIn(path: string, flags: 'w' | 'a'): Promise<FileHandle> {
  for (let tries = 1; ; tries += 1) {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      return await open(path, flags, 0o600)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || tries === MOST_TRIES) throw error
    }
  }
}

function isStream(source: ByteStream): source is Readable {
  return 'iterator' in source
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

/** Epoch milliseconds; for ever where it is gone by now. */
async function lastWritten(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return Number.POSITIVE_INFINITY
    throw error
  }
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
