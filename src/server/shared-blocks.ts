/**
 * Blocks of files that several read: many machines fetch the same new package at the same time, and what one was just given the
 * next one gets without reading it once more. A block that nobody reads any more waits for the next for a short while.
 */
import type { Piece, Shelf, Source } from './read-buffers.ts'

export interface SharedBlocks {
  /** Whether the block with this byte is here, or being read. */
  has(source: Shared, at: number): boolean
  /** Reads what a block has of the bytes from `at` up to `end`, at least one. There is a buffer left on the shelf. */
  read(source: Shared, at: number, end: number): Promise<Piece>
}

/** A file with a known length, which is the same for all who read it. */
export type Shared = Required<Source> & { readonly file: object }

interface Block {
  readonly bytes: Buffer
  readonly index: number
  /** Those of the same file, by their index. */
  readonly all: Map<number, Block>
  /** How many bytes of the file it has. */
  readonly loaded: Promise<number>
  readers: number
  /** Its buffer may be read by nobody knows whom. */
  isLost: boolean
}

/** Blocks that wait; the oldest goes first. */
const MOST_WAITING = 8
const WAIT_MS = 2000

/** No block yet; buffers are those of the shelf. */
export function createSharedBlocks(shelf: Shelf): SharedBlocks {
  const ofFiles = new WeakMap<object, Map<number, Block>>()
  const waiting = new Map<Block, number>()
  let sweeping: NodeJS.Timeout | undefined
  const forget = (block: Block): void => {
    if (block.all.get(block.index) === block) block.all.delete(block.index)
  }
  const end = (block: Block): void => {
    waiting.delete(block)
    forget(block)
    if (block.isLost) shelf.lose()
    else shelf.put(block.bytes)
  }
  const sweep = (): void => {
    const before = performance.now() - WAIT_MS
    for (const [block, since] of waiting) if (since <= before) end(block)
    if (waiting.size > 0) return
    clearInterval(sweeping)
    sweeping = undefined
  }
  const leave = (block: Block): void => {
    block.readers -= 1
    if (block.readers > 0) return
    if (block.all.get(block.index) !== block) {
      end(block)
      return
    }
    waiting.set(block, performance.now())
    sweeping ??= setInterval(sweep, WAIT_MS).unref()
    const [oldest] = waiting.size > MOST_WAITING ? waiting.keys() : []
    if (oldest !== undefined) end(oldest)
  }
  const find = (source: Shared, index: number): Block => {
    const all = ofFiles.get(source.file) ?? new Map<number, Block>()
    ofFiles.set(source.file, all)
    const known = all.get(index)
    if (known !== undefined) return known
    const bytes = shelf.take()
    const block = {
      bytes,
      index,
      all,
      loaded: load(source, index, bytes),
      readers: 0,
      isLost: false,
    }
    all.set(index, block)
    return block
  }
  return {
    has: ({ file }, at) => ofFiles.get(file)?.has(Math.floor(at / shelf.size)) === true,
    read: async (source, at, last) => {
      const block = find(source, Math.floor(at / shelf.size))
      block.readers += 1
      waiting.delete(block)
      try {
        const begin = block.index * shelf.size
        const size = await block.loaded
        const bytes = block.bytes.subarray(at - begin, Math.min(size, last - begin))
        const giveUp = (): void => {
          block.isLost = true
          forget(block)
          leave(block)
        }
        return { bytes, giveBack: () => leave(block), giveUp }
      } catch (error) {
        forget(block)
        leave(block)
        throw error
      }
    },
  }
}

/** Reads a block of the file. */
async function load({ read, size }: Shared, index: number, into: Buffer): Promise<number> {
  const begin = index * into.length
  const length = Math.min(into.length, size - begin)
  for (let at = 0; at < length; ) {
    at += await read(into.subarray(at), begin + at, length - at)
  }
  return length
}
