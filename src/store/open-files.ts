/**
 * Files of blobs held open while somebody reads them, and for a moment longer: many who ask for the same file open it
 * once. At rest none is open. One that left (its blob is gone, or there are too many) is closed with its last reader; who
 * asks then opens it anew.
 */
import { close, fstatSync, open, read } from 'node:fs'
import { AppError, systemCode } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'

/** A part in reading a file. */
export interface HeldFile {
  /** Undefined where there is none. */
  readonly opened: Promise<OpenFile | undefined>
  /** The same of all who take part. */
  readonly shared: SharedFile
  /** Whether it is not given to others any more. */
  isGone(): boolean
  /** Nobody else is given it. */
  leave(): void
  /** The reader has finished; once. */
  release(): void
}

/** What all who read a file have together. */
export interface SharedFile {
  loaded?: Promise<Buffer>
  /** How many they are. */
  readers: number
  /** Bytes that were read, all together. */
  bytesRead: number
}

export interface OpenFile {
  readonly fd: number
  readonly size: number
  /** Epoch seconds. */
  readonly modifiedAt: number
}

export interface OpenFiles {
  /** Takes part in reading the file of this blob, which is opened if it is not. */
  hold(sha256: Sha256): HeldFile
  /** Who asks from now on opens it anew. */
  drop(sha256: Sha256): void
  /** How many are given to whoever asks. */
  count(): number
}

interface Entry {
  readonly sha256: Sha256
  readonly opened: Promise<OpenFile | undefined>
  readonly shared: SharedFile
  isGone: boolean
  idleSince: number
}

/** A file that nobody read for so long is closed. */
const IDLE_MS = 1000

/** Keeps at most `most` files beside those that are read; `pathOf` says where the file of a blob is. */
export function createOpenFiles(pathOf: (sha256: Sha256) => string, most: number): OpenFiles {
  const entries = new Map<Sha256, Entry>()
  let isSweeping = false
  const leave = (entry: Entry): void => {
    if (entry.isGone) return
    entry.isGone = true
    entries.delete(entry.sha256)
    if (entry.shared.readers === 0) shut(entry)
  }
  const sweep = (): void => {
    const before = performance.now() - IDLE_MS
    for (const entry of entries.values()) {
      if (entry.shared.readers === 0 && entry.idleSince <= before) leave(entry)
    }
    isSweeping = false
    if (entries.size > 0) sweepSoon()
  }
  const sweepSoon = (): void => {
    if (!isSweeping) setTimeout(sweep, IDLE_MS).unref()
    isSweeping = true
  }
  const release = (entry: Entry): void => {
    entry.shared.readers -= 1
    entry.idleSince = performance.now()
    if (entry.shared.readers > 0) return
    if (entry.isGone) shut(entry)
    else if (entries.size > most) leave(entry)
    else sweepSoon()
  }
  return {
    hold: (sha256) => {
      const entry = entries.get(sha256) ?? begin(sha256, pathOf(sha256))
      entries.set(sha256, entry)
      entry.shared.readers += 1
      return {
        opened: entry.opened,
        shared: entry.shared,
        isGone: () => entry.isGone,
        leave: () => leave(entry),
        release: () => release(entry),
      }
    },
    drop: (sha256) => {
      const entry = entries.get(sha256)
      if (entry !== undefined) leave(entry)
    },
    count: () => entries.size,
  }
}

/** Reads up to `length` bytes from `at` to the begin of the buffer: at least one, else `ERR_STORE`. */
export function readFrom(
  { fd }: OpenFile,
  buffer: Buffer,
  at: number,
  length: number,
): Promise<number> {
  // The callbacks of node:fs cost half of what its promises do.
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, length, at, (error, count) => {
      if (error !== null) reject(error)
      else if (count > 0) resolve(count)
      else {
        const message = 'a blob became shorter'
        reject(new AppError('ERR_STORE', { message, hint: 'sluice verify' }))
      }
    })
  })
}

function begin(sha256: Sha256, path: string): Entry {
  const opened = openFile(path)
  // Whoever takes part is told.
  opened.catch(() => undefined)
  return { sha256, opened, shared: { readers: 0, bytesRead: 0 }, isGone: false, idleSince: 0 }
}

function shut({ opened }: Entry): void {
  opened.then((file) => file && close(file.fd)).catch(() => undefined)
}

function openFile(path: string): Promise<OpenFile | undefined> {
  return new Promise((resolve, reject) => {
    open(path, 'r', (error, fd) => {
      if (error === null) {
        // The facts of a file that is open are in the kernel's memory.
        const { size, mtimeMs } = fstatSync(fd)
        resolve({ fd, size, modifiedAt: Math.floor(mtimeMs / 1000) })
      } else if (systemCode(error) === 'ENOENT') resolve(undefined)
      else reject(error)
    })
  })
}
