/**
 * Reads a byte source by exact sizes: the next so many bytes, or over them. Knows how far it is, so that errors can tell.
 * Nothing but the piece at hand is in memory.
 */
import { type ByteSource, toBuffer } from './byte-source.ts'

export interface PieceReader {
  /** Bytes read or passed over so far. */
  readonly offset: number
  /** The next `size` bytes, fewer at the end of the source; valid until the next call. For small sizes. */
  read(size: number): Promise<Buffer>
  /** The next bytes there are, at most `max`; undefined at the end of the source, or if `max` is 0. */
  some(max: number): Promise<Buffer | undefined>
  /** Passes over `size` bytes; false if the source ends before. */
  skip(size: number): Promise<boolean>
  /** Ends the source. */
  close(): Promise<void>
}

/** A reader from the source's first byte on. */
export function createPieceReader(source: ByteSource): PieceReader {
  const pieces = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  let offset = 0

  const some = async (max: number): Promise<Buffer | undefined> => {
    if (max === 0) return undefined
    while (rest.length === 0) {
      const next = await pieces.next()
      if (next.done === true) return undefined
      rest = toBuffer(next.value)
    }
    const taken = rest.subarray(0, max)
    rest = rest.subarray(taken.length)
    offset += taken.length
    return taken
  }
  return {
    get offset() {
      return offset
    },
    some,
    read: async (size) => {
      const first = await some(size)
      if (first === undefined || first.length === size) return first ?? Buffer.alloc(0)
      const whole = Buffer.alloc(size)
      let used = first.copy(whole)
      while (used < size) {
        const piece = await some(size - used)
        if (piece === undefined) break
        used += piece.copy(whole, used)
      }
      return whole.subarray(0, used)
    },
    skip: async (size) => {
      let left = size
      while (left > 0) {
        const piece = await some(left)
        if (piece === undefined) return false
        left -= piece.length
      }
      return true
    },
    close: async () => {
      await pieces.return?.()
    },
  }
}
