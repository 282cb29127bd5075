/**
 * The text of chunks, uncompressed, in one scratch file: the digest of a whole uncompressed index is then one pass over
 * a file that the page cache holds (about 40 ms for Debian main), with no decompression.
 *
 * It holds nothing that cannot be made again: it starts empty with the process and, when full, takes no more.
 */
import { type FileHandle, open, unlink } from 'node:fs/promises'
import type { Sha256 } from '../base/sha256.ts'
import type { Chunk } from './index-tree.ts'

const READ_BYTES = 1024 * 1024
const MAX_BYTES = 4 * 1024 * 1024 * 1024

export interface PlainCache {
  /** Keeps the text of a chunk. */
  put(plain: Sha256, text: Buffer): Promise<void>
  /** The texts of the chunks, one after the other; each piece is valid until the next is asked for. */
  read(chunks: readonly Chunk[], load: (chunk: Chunk) => Promise<Buffer>): AsyncIterable<Buffer>
  close(): Promise<void>
}

interface Run {
  readonly offset: number
  size: number
}

/** A cache in a new file at `path`, which disappears with the process. */
export async function openPlainCache(path: string): Promise<PlainCache> {
  const handle = await open(path, 'w+', 0o600)
  await unlink(path)
  const places = new Map<Sha256, Run>()
  let end = 0
  const put = async (plain: Sha256, text: Buffer): Promise<void> => {
    if (places.has(plain) || end + text.length > MAX_BYTES) return
    const offset = end
    end += text.length
    await handle.write(text, 0, text.length, offset)
    places.set(plain, { offset, size: text.length })
  }
  async function* read(
    chunks: readonly Chunk[],
    load: (chunk: Chunk) => Promise<Buffer>,
  ): AsyncIterable<Buffer> {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    let run: Run | undefined
    for (const chunk of chunks) {
      const place = places.get(chunk.plain)
      if (place !== undefined && run !== undefined && place.offset === run.offset + run.size) {
        run.size += place.size
        continue
      }
      if (run !== undefined) yield* readRun(handle, run, buffer)
      run = place === undefined ? undefined : { ...place }
      if (place === undefined) {
        const text = await load(chunk)
        await put(chunk.plain, text)
        yield text
      }
    }
    if (run !== undefined) yield* readRun(handle, run, buffer)
  }
  return { put, read, close: () => handle.close() }
}

async function* readRun(handle: FileHandle, run: Run, buffer: Buffer): AsyncIterable<Buffer> {
  let at = run.offset
  const end = run.offset + run.size
  while (at < end) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at)
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
