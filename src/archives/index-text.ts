/**
 * The text of upstream indexes while an index of ours is made of it: a scratch file, and where in it each stanza stands.
 *
 * An index of 50 MB is read in pieces, never held whole; only names and positions of its 63,000 stanzas are in memory.
 * The file was just written, so that it is read from the page cache.
 */
import { readSync } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { fieldValue, splitStanzas } from '../debian/control.ts'
import { createRoom, type Room } from './chunk-cache.ts'

const BLOCK_BYTES = 2 * 1024 * 1024
/** What ends a stanza, with the line ends of two worlds. */
const BOUNDARIES = ['\n\n', '\n\r\n'].map((text) => Buffer.from(text))

/** Some stanzas' bytes: one after the other, each with a blank line behind it. */
export interface StanzaBytes {
  readonly bytes: Buffer
  /** Start and end of each stanza in `bytes`. */
  readonly ranges: Uint32Array
}

/** Whether to take the stanza of this name, and of this value of the text's key field. */
export type StanzaFilter = (name: string, key: string) => boolean

/** All stanzas of a text, in the order in which they stand there. */
export interface StanzaList {
  /** Value of `Package`; empty where there is none. */
  readonly names: readonly string[]
  /** The stanzas with these numbers; their bytes are valid until the next are read. */
  read(numbers: Uint32Array): StanzaBytes
}

export interface IndexText {
  /**
   * Adds a text behind those that are there; it is as if it had not been, if the pieces end in an error. A piece is of no use
   * any more when the next one is asked for.
   */
  append(pieces: AsyncIterable<Buffer>): Promise<void>
  /** The stanzas of all texts; only those to take, if a filter is told. */
  stanzas(isTaken?: StanzaFilter): StanzaList
  close(): Promise<void>
}

/** An empty text, in a file at `path` that disappears with it. `keyField` is a field by which stanzas are to be filtered. */
export async function openIndexText(path: string, keyField?: string): Promise<IndexText> {
  const handle = await open(path, 'wx+', 0o600)
  await unlink(path)
  let end = 0
  const found: Found = { names: [], keys: [], starts: [], stops: [] }
  const append: IndexText['append'] = async (pieces) => {
    const scanner = createScanner(end, keyField)
    let at = end
    // One block is being written while the next is filled.
    let writing: Promise<void> = Promise.resolve()
    const write = async (block: Buffer): Promise<void> => {
      await writing
      writing = writeFully(handle, block, at)
      writing.catch(() => undefined)
      at += block.length
    }
    try {
      for await (const piece of pieces) {
        if (scanner.push(piece)) continue
        await writing
        const block = scanner.turn(piece.length)
        if (block !== undefined) await write(block)
        scanner.push(piece)
      }
      await write(scanner.end())
    } finally {
      await writing
    }
    const { names, keys, starts, stops } = scanner.found
    for (const name of names) found.names.push(name)
    for (const key of keys) found.keys.push(key)
    for (const start of starts) found.starts.push(start)
    for (const stop of stops) found.stops.push(stop)
    end = at
  }
  const stanzas: IndexText['stanzas'] = (isTaken) => {
    const { names, starts, stops } = isTaken === undefined ? found : filtered(found, isTaken)
    const places = { starts: Uint32Array.from(starts), stops: Uint32Array.from(stops) }
    const room = createRoom()
    return { names, read: (numbers) => read(handle, places, numbers, room) }
  }
  return { append, stanzas, close: () => handle.close() }
}

/** Names and places of stanzas: one entry in each for a stanza; and in `keys`, where there is a key field. */
interface Found {
  readonly names: string[]
  readonly keys: string[]
  readonly starts: number[]
  readonly stops: number[]
}

/** Two blocks: one is filled with the text while the other is being written. */
interface Scanner {
  readonly found: Found
  /** Whether there was room for the piece; if so it is taken. */
  push(piece: Buffer): boolean
  /**
   * Makes room for so many bytes: the whole stanzas of the block, which are to be written. They stay as they are until the
   * next turn. Undefined if the block has none; it has grown then.
   */
  turn(bytes: number): Buffer | undefined
  /** The text is over: what is still to be written. */
  end(): Buffer
}

function filtered({ names, keys, starts, stops }: Found, isTaken: StanzaFilter): Found {
  const taken: Found = { names: [], keys: [], starts: [], stops: [] }
  for (const [at, name] of names.entries()) {
    if (!isTaken(name, keys[at] ?? '')) continue
    taken.names.push(name)
    taken.starts.push(starts[at] ?? 0)
    taken.stops.push(stops[at] ?? 0)
  }
  return taken
}

/** Finds the stanzas of a text that comes in pieces and begins at `from` in the file. */
function createScanner(from: number, keyField: string | undefined): Scanner {
  const found: Found = { names: [], keys: [], starts: [], stops: [] }
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  let other = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  let filled = 0
  let at = from
  const look = (size: number): Buffer => {
    const text = block.subarray(0, size)
    const ranges = splitStanzas(text)
    for (let nth = 0; nth < ranges.length; nth += 2) {
      const start = ranges[nth] ?? 0
      const stop = ranges[nth + 1] ?? 0
      found.names.push(fieldValue(text, start, stop, 'Package') ?? '')
      if (keyField !== undefined)
        found.keys.push(fieldValue(text, start, stop, keyField)?.toLowerCase() ?? '')
      found.starts.push(at + start)
      found.stops.push(at + stop)
    }
    at += size
    return text
  }
  const push: Scanner['push'] = (piece) => {
    if (filled + piece.length > block.length) return false
    piece.copy(block, filled)
    filled += piece.length
    return true
  }
  const turn: Scanner['turn'] = (bytes) => {
    // Whole stanzas only: what is behind the last blank line waits for its end.
    const boundary = lastBoundary(block.subarray(0, filled))
    const rest = block.subarray(boundary, filled)
    const needed = rest.length + bytes
    const next = needed > other.length ? Buffer.allocUnsafeSlow(2 * needed) : other
    rest.copy(next)
    const text = boundary > 0 ? look(boundary) : undefined
    other = block
    block = next
    filled = rest.length
    return text
  }
  return { found, push, turn, end: () => look(filled) }
}

async function writeFully(handle: FileHandle, block: Buffer, position: number): Promise<void> {
  for (let at = 0; at < block.length; ) {
    at += (await handle.write(block, at, block.length - at, position + at)).bytesWritten
  }
}

/** Where what follows the last whole stanza begins; 0 if there is none. */
function lastBoundary(bytes: Buffer): number {
  const ends = BOUNDARIES.map((boundary) => {
    const at = bytes.lastIndexOf(boundary)
    return at < 0 ? 0 : at + boundary.length
  })
  return Math.max(...ends)
}

function read(
  handle: FileHandle,
  { starts, stops }: { readonly starts: Uint32Array; readonly stops: Uint32Array },
  numbers: Uint32Array,
  room: Room,
): StanzaBytes {
  let size = 0
  for (const number of numbers) size += (stops[number] ?? 0) - (starts[number] ?? 0) + 1
  const bytes = room(size)
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
