/**
 * Bytes of chunks in scratch files: texts in one, gzip members in another. The digests of a whole index are then one
 * pass over files that the page cache holds (about 40 ms for Debian main): nothing is unpacked, no row is read. Another
 * process can make that pass, which has the file from us (`runs`).
 *
 * They hold nothing that cannot be made again: they start empty with the process and, when full, take no more.
 */
import { readSync } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { AppError } from '../base/errors.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'

const READ_BYTES = 512 * 1024
const MAX_BYTES = 4 * 1024 * 1024 * 1024

/** Gives memory of this size to read into; what it gave before is over then. */
export type Room = (size: number) => Buffer

export interface ChunkCache {
  /** Keeps bytes with their digests. */
  put(items: readonly (readonly [digest: Sha256, bytes: Buffer])[]): Promise<void>
  /** The bytes with this digest, if they are kept; in memory from `room`, if that is told. */
  get(digest: Sha256, room?: Room): Promise<Buffer | undefined>
  /** The bytes of all, one after the other; each piece is valid until the next is asked for. */
  read(
    digests: readonly Sha256[],
    load: (digest: Sha256, at: number) => Promise<Buffer>,
  ): AsyncIterable<Buffer>
  /** Where the bytes of all lie in the file: offset and size, in turn. Undefined where not all of them are kept. */
  runs(
    digests: readonly Sha256[],
    load: (digest: Sha256, at: number) => Promise<Buffer>,
  ): Promise<Float64Array | undefined>
  /** The file's descriptor, for processes that we start. */
  readonly fd: number
  close(): Promise<void>
}

/** Memory that is used again and again, and grows with what is asked for: it leaves no garbage. */
export function createRoom(): Room {
  let memory = Buffer.alloc(0)
  return (size) => {
    if (memory.length < size) memory = Buffer.allocUnsafeSlow(2 * size)
    return memory.subarray(0, size)
  }
}

interface Run {
  readonly offset: number
  size: number
}

/** A cache in a new file at `path`, which disappears with the process. */
export async function openChunkCache(path: string): Promise<ChunkCache> {
  const handle = await open(path, 'wx+', 0o600)
  await unlink(path)
  const places = new Map<Sha256, Run>()
  let end = 0
  const put: ChunkCache['put'] = async (items) => {
    const fresh = new Map(items.filter(([digest]) => !places.has(digest)))
    const bytes = [...fresh.values()]
    const size = bytes.reduce((sum, one) => sum + one.length, 0)
    if (size === 0 || end + size > MAX_BYTES) return
    let offset = end
    end += size
    const { bytesWritten } = await handle.writev(bytes, offset)
    if (bytesWritten < size) return
    for (const [digest, { length }] of fresh) {
      places.set(digest, { offset, size: length })
      offset += length
    }
  }
  const get: ChunkCache['get'] = async (digest, room = Buffer.allocUnsafeSlow) => {
    const place = places.get(digest)
    if (place === undefined) return undefined
    const bytes = room(place.size)
    // The page cache has it: to hand it to a thread and back costs more than to copy it.
    const bytesRead = readSync(handle.fd, bytes, 0, place.size, place.offset)
    return bytesRead === place.size ? bytes : undefined
  }
  /** A buffer that is not in use: what is read for each publication should not wait for the garbage collector. */
  const idle: Buffer[] = []
  const read: ChunkCache['read'] = async function* (digests, load) {
    const buffer = idle.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES)
    try {
      yield* readAll(digests, load, buffer)
    } finally {
      idle.push(buffer)
    }
  }
  async function* readAll(
    digests: readonly Sha256[],
    load: (digest: Sha256, at: number) => Promise<Buffer>,
    buffer: Buffer,
  ): AsyncIterable<Buffer> {
    let run: Run | undefined
    for (const [at, digest] of digests.entries()) {
      const place = places.get(digest)
      if (place !== undefined && run !== undefined && place.offset === run.offset + run.size) {
        run.size += place.size
        continue
      }
      if (run !== undefined) yield* readRun(handle, run, buffer)
      run = place === undefined ? undefined : { ...place }
      if (place !== undefined) continue
      const bytes = await load(digest, at)
      await put([[digest, bytes]])
      yield bytes
    }
    if (run !== undefined) yield* readRun(handle, run, buffer)
  }
  const runs: ChunkCache['runs'] = async (digests, load) => {
    const found: Run[] = []
    for (const [at, digest] of digests.entries()) {
      if (!places.has(digest)) await put([[digest, await load(digest, at)]])
      const place = places.get(digest)
      if (place === undefined) return undefined
      const last = found.at(-1)
      if (last !== undefined && place.offset === last.offset + last.size) last.size += place.size
      else found.push({ ...place })
    }
    return Float64Array.from(found.flatMap(({ offset, size }) => [offset, size]))
  }
  return { put, get, read, runs, fd: handle.fd, close: () => handle.close() }
}

/**
 * Reads without a thread in between: the page cache has the file, and handing a megabyte over costs more than copying
 * it. Others get their turn every few milliseconds.
 */
async function* readRun({ fd }: FileHandle, run: Run, buffer: Buffer): AsyncIterable<Buffer> {
  let at = run.offset
  const end = run.offset + run.size
  for (let turn = 1; at < end; turn++) {
    const bytesRead = readSync(fd, buffer, 0, Math.min(buffer.length, end - at), at)
    if (bytesRead === 0)
      throw new AppError('ERR_STORE', { message: 'a scratch file became shorter' })
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
    if (turn % 4 === 0) await breathe()
  }
}
