/**
 * Cuts a zstd stream where its frames end (RFC 8878, 3.1), so that each frame begins in a piece of its own.
 *
 * Node's decoder starts anew with each piece, but silently drops what follows a frame inside one. Cut like this it
 * reads several frames in a row, and what is no frame, or ends within one, is an error.
 */
import { Transform } from 'node:stream'

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50
const magicSize = 4
const longestHeader = 18
const contentSizes = [0, 2, 4, 8]
const dictionarySizes = [0, 1, 2, 4]

/** The parts of a frame in their order; `start` is the magic number and the byte after it. */
type Part = 'start' | 'header' | 'skippable-size' | 'block-header' | 'body' | 'checksum'

/** A stream of the same bytes in which no piece goes past the end of a frame. */
export function zstdFrames(): Transform {
  const walk = createFrameWalk()
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      try {
        for (let from = 0; from < piece.length; ) {
          const end = walk.toFrameEnd(piece, from)
          this.push(piece.subarray(from, end))
          from = end
        }
        done()
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)))
      }
    },
    flush(done) {
      done(walk.isBetweenFrames() ? null : new Error('unexpected end of data'))
    },
  })
}

/** Follows the parts of frames through pieces of any size. */
export function createFrameWalk(): {
  /** The end of the frame that `piece` is in at `from`, or of the piece if that comes first. */
  toFrameEnd(piece: Buffer, from: number): number
  isBetweenFrames(): boolean
} {
  const head = Buffer.alloc(longestHeader)
  let part: Part = 'start'
  let left = magicSize + 1
  let headUsed = 0
  let isLastBlock = false
  let hasChecksum = false

  const enter = (next: Part, size: number): void => {
    part = next
    left = size
  }
  const endFrame = (): true => {
    headUsed = 0
    enter('start', magicSize + 1)
    return true
  }
  const enterHeader = (): void => {
    const magic = head.readUInt32LE(0)
    isLastBlock = (magic & 0xfffffff0) === skippableMagic
    hasChecksum = false
    if (isLastBlock) {
      enter('skippable-size', 3)
      return
    }
    if (magic !== frameMagic) throw new Error('not a zstd frame')
    const descriptor = head[magicSize] ?? 0
    const isSingleSegment = (descriptor & 0x20) !== 0
    hasChecksum = (descriptor & 0x04) !== 0
    const contentSize = contentSizes[descriptor >> 6] ?? 0
    const window = isSingleSegment ? Number(contentSize === 0) : 1
    enter('header', window + (dictionarySizes[descriptor & 3] ?? 0) + contentSize)
  }
  const enterBlock = (): void => {
    const block = head.readUIntLE(0, 3)
    const type = (block >> 1) & 3
    if (type === 3) throw new Error('reserved block type')
    isLastBlock = (block & 1) !== 0
    enter('body', type === 1 ? 1 : block >> 3)
  }
  /** Goes on from a part that is complete; whether the frame ends here. */
  const advance = (): boolean => {
    if (part === 'start') enterHeader()
    else if (part === 'skippable-size') enter('body', head.readUInt32LE(magicSize))
    else if (part === 'block-header') enterBlock()
    else if (part === 'checksum') return endFrame()
    else if (part === 'body' && isLastBlock) {
      if (!hasChecksum) return endFrame()
      enter('checksum', 4)
    } else {
      headUsed = 0
      enter('block-header', 3)
    }
    return false
  }
  return {
    toFrameEnd: (piece, from) => {
      let at = from
      while (at < piece.length) {
        const take = Math.min(left, piece.length - at)
        if (part !== 'body' && part !== 'checksum') {
          headUsed += piece.copy(head, headUsed, at, at + take)
        }
        at += take
        left -= take
        while (left === 0) if (advance()) return at
      }
      return at
    },
    isBetweenFrames: () => part === 'start' && headUsed === 0,
  }
}
