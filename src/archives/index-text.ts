/**
 * The text of upstream indexes while an index of ours is made of it: a scratch file, and where in it each stanza stands.
 *
 * An index of 50 MB is read in pieces, never held whole; only names and positions of its 63,000 stanzas are in memory.
 * The file was just written, so that it is read from the page cache.
 */
import { readSync } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256Stream } from '../base/sha256.ts'
import { fieldValue, splitStanzas } from '../debian/control.ts'

const BLOCK_BYTES = 2 * 1024 * 1024
const BOUNDARY = '\n\n'

/** Some stanzas' bytes: one after the other, each with a blank line behind it. */
export interface StanzaBytes {
  readonly bytes: Buffer
  /** Start and end of each stanza in `bytes`. */
  readonly ranges: Uint32Array
}

/** All stanzas of a text, in the order in which they stand there. */
export interface StanzaList {
  /** Value of `Package`; empty where there is none. */
  readonly names: readonly string[]
  /** The stanzas with these numbers. */
  read(numbers: Uint32Array): StanzaBytes
}

export interface IndexText {
  /** Adds a text behind those that are there; it is as if it had not been, if the pieces end in an error. */
  append(pieces: AsyncIterable<Buffer>): Promise<{ readonly size: number; readonly sha256: Sha256 }>
  scan(): Promise<StanzaList>
  close(): Promise<void>
}

/** An empty text, in a file at `path` that disappears with it. */
export async function openIndexText(path: string): Promise<IndexText> {
  const handle = await open(path, 'wx+', 0o600)
  await unlink(path)
  /** Where each text ends. */
  const ends: number[] = []
  const append: IndexText['append'] = async (pieces) => {
    const hash = sha256Stream()
    const start = ends.at(-1) ?? 0
    let end = start
    for await (const piece of pieces) {
      hash.update(piece)
      await handle.write(piece, 0, piece.length, end)
      end += piece.length
    }
    ends.push(end)
    return { size: end - start, sha256: hash.digest() }
  }
  return { append, scan: () => scan(handle, ends), close: () => handle.close() }
}

async function scan(handle: FileHandle, ends: readonly number[]): Promise<StanzaList> {
  const names: string[] = []
  const starts: number[] = []
  const stops: number[] = []
  let from = 0
  for (const end of ends) {
    for await (const { block, at, ranges } of blocks(handle, from, end)) {
      for (let nth = 0; nth < ranges.length; nth += 2) {
        const start = ranges[nth] ?? 0
        const stop = ranges[nth + 1] ?? 0
        names.push(fieldValue(block, start, stop, 'Package') ?? '')
        starts.push(at + start)
        stops.push(at + stop)
      }
      await breathe()
    }
    from = end
  }
  const places = { starts: Uint32Array.from(starts), stops: Uint32Array.from(stops) }
  return { names, read: (numbers) => read(handle, places, numbers) }
}

/** Blocks of whole stanzas from `from` up to `end`; a block is valid until the next is asked for. */
async function* blocks(
  handle: FileHandle,
  from: number,
  end: number,
): AsyncIterable<{ block: Buffer; at: number; ranges: Uint32Array }> {
  let buffer = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, Math.max(1, end - from)))
  let at = from
  while (at < end) {
    const size = Math.min(buffer.length, end - at)
    readFully(handle, buffer.subarray(0, size), at)
    const isLast = at + size === end
    const cut = isLast ? size : buffer.lastIndexOf(BOUNDARY, size - 1) + BOUNDARY.length
    if (cut < BOUNDARY.length || (!isLast && cut > size)) {
      // One stanza larger than the block, or no boundary of that form: look further.
      buffer = Buffer.allocUnsafe(Math.min(buffer.length * 2, end - at))
      continue
    }
    const block = buffer.subarray(0, cut)
    yield { block, at, ranges: splitStanzas(block) }
    at += cut
  }
}

function read(
  handle: FileHandle,
  { starts, stops }: { readonly starts: Uint32Array; readonly stops: Uint32Array },
  numbers: Uint32Array,
): StanzaBytes {
  let size = 0
  for (const number of numbers) size += (stops[number] ?? 0) - (starts[number] ?? 0) + 1
  const bytes = Buffer.allocUnsafe(size)
  const ranges = new Uint32Array(numbers.length * 2)
  let at = 0
  for (let nth = 0; nth < numbers.length; ) {
    // Neighbors in the file are read together: an upstream index is nearly in our order.
    let last = nth
    while (stops[numbers[last] ?? 0] === (starts[numbers[last + 1] ?? -1] ?? 0) - 1) last++
    const fileStart = starts[numbers[nth] ?? 0] ?? 0
    const fileStop = stops[numbers[last] ?? 0] ?? 0
    readFully(handle, bytes.subarray(at, at + fileStop - fileStart), fileStart)
    for (; nth <= last; nth++) {
      const number = numbers[nth] ?? 0
      ranges[nth * 2] = at + (starts[number] ?? 0) - fileStart
      ranges[nth * 2 + 1] = at + (stops[number] ?? 0) - fileStart
    }
    at += fileStop - fileStart
    bytes[at] = 0x0a
    at++
  }
  return { bytes, ranges }
}

function readFully(handle: FileHandle, into: Buffer, position: number): void {
  let at = 0
  while (at < into.length) {
    const count = readSync(handle.fd, into, at, into.length - at, position + at)
    if (count === 0) break
    at += count
  }
}
