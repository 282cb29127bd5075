/**
 * Follows an xz file through its parts (The .xz File Format 1.2, and the chunks of LZMA2), so that nobody's header makes
 * the decoder take more memory than we have: the decoder gives each block the dictionary that the block asks for, up to 4
 * GiB, and has no limit of its own.
 */
import { type ByteSource, toBuffer } from './byte-source.ts'
import { beyond, refused, sendAgain } from './upload-refusal.ts'

const streamMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])
const checkSizes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64]
const lzma2 = 0x21
/** Delta, and the branch filters of processors. */
const lastSimpleFilter = 0x0b
const longestHead = 1024
/** Streams and blocks: each costs the decoder a turn, and 32 bytes make one. */
const mostParts = 50_000

/** What the bytes at hand are; `between`: padding, or the next stream. */
type Part = 'stream' | 'block-size' | 'block' | 'chunk' | 'chunk-head' | 'index' | 'between'

interface Walk {
  readonly member: string
  readonly maxDictionaryBytes: number
  /** The bytes at hand: so many of those wanted. */
  readonly head: Buffer
  part: Part
  used: number
  wanted: number
  /** Bytes that need no looking at, before those at hand. */
  skip: number
  offset: number
  /** Streams and blocks so far. */
  parts: number
  checkSize: number
  /** Compressed bytes of the block, for its padding. */
  packed: number
  /** Bytes of the index, numbers still to come in it (-1: how many is not known), and the one at hand. */
  index: { size: number; left: number; value: number; shift: number }
}

/** The same pieces; refuses a block whose dictionary is larger than `maxDictionaryBytes`, and what is no xz. */
export async function* limitedXz(
  member: string,
  source: ByteSource,
  maxDictionaryBytes: number,
): AsyncGenerator<Buffer, void> {
  const walk: Walk = {
    ...{ member, maxDictionaryBytes, head: Buffer.alloc(longestHead) },
    ...{
      part: 'stream',
      used: 0,
      wanted: 12,
      skip: 0,
      offset: 0,
      parts: 0,
      checkSize: 0,
      packed: 0,
    },
    index: { size: 0, left: -1, value: 0, shift: 0 },
  }
  for await (const each of source) {
    const piece = toBuffer(each)
    follow(walk, piece)
    yield piece
  }
}

function follow(walk: Walk, piece: Buffer): void {
  const start = walk.offset
  for (let at = 0; at < piece.length; ) {
    if (walk.skip > 0) {
      const over = Math.min(walk.skip, piece.length - at)
      walk.skip -= over
      at += over
      continue
    }
    const end = Math.min(piece.length, at + walk.wanted - walk.used)
    const taken = piece.copy(walk.head, walk.used, at, end)
    walk.used += taken
    at += taken
    walk.offset = start + at
    if (walk.used === walk.wanted) steps[walk.part](walk)
  }
  walk.offset = start + piece.length
}

function enter(walk: Walk, part: Part, wanted: number, skip = 0): void {
  Object.assign(walk, { part, wanted, skip, used: 0 })
}

/** Goes on with the same bytes at hand, and more. */
function lengthen(walk: Walk, part: Part, wanted: number): void {
  Object.assign(walk, { part, wanted })
}

const steps: Readonly<Record<Part, (walk: Walk) => void>> = {
  stream: (walk) => {
    count(walk)
    if (!walk.head.subarray(0, 6).equals(streamMagic)) throw damaged(walk, 'not xz data')
    walk.checkSize = checkSizes[(walk.head[7] ?? 0) & 0x0f] ?? 0
    enter(walk, 'block-size', 1)
  },
  'block-size': (walk) => {
    const size = walk.head[0] ?? 0
    if (size > 0) return lengthen(walk, 'block', (size + 1) * 4)
    walk.index = { size: 1, left: -1, value: 0, shift: 0 }
    enter(walk, 'index', 1)
  },
  block: (walk) => {
    count(walk)
    const { member, offset, maxDictionaryBytes } = walk
    const size = dictionaryOf(walk.head.subarray(0, walk.wanted))
    if (size === undefined) throw damaged(walk, 'a block header that is none')
    if (size > maxDictionaryBytes) {
      const what = `needs a dictionary of ${size} bytes, more than ${maxDictionaryBytes}`
      throw beyond('xz-dictionary', what, { member, offset })
    }
    walk.packed = 0
    enter(walk, 'chunk', 1)
  },
  chunk: (walk) => {
    const control = walk.head[0] ?? 0
    walk.packed += 1
    const padding = (4 - (walk.packed % 4)) % 4
    if (control === 0) enter(walk, 'block-size', 1, padding + walk.checkSize)
    else if (control > 2 && control < 0x80) throw damaged(walk, 'a chunk of no known kind')
    else lengthen(walk, 'chunk-head', control < 0x80 ? 3 : 5)
  },
  'chunk-head': (walk) => {
    const control = walk.head[0] ?? 0
    const properties = Number(control >= 0xc0)
    const size = walk.head.readUInt16BE(control < 0x80 ? 1 : 3) + 1 + properties
    walk.packed += walk.wanted - 1 + size
    enter(walk, 'chunk', 1, size)
  },
  /** One byte: of the number of records first, then of two numbers for each. */
  index: (walk) => {
    const { index } = walk
    const byte = walk.head[0] ?? 0
    index.size += 1
    index.value += (byte & 0x7f) * 2 ** index.shift
    index.shift += 7
    if (index.shift > 63) throw damaged(walk, 'an index that is none')
    if (byte < 0x80) {
      index.left = index.left < 0 ? 2 * index.value : index.left - 1
      Object.assign(index, { value: 0, shift: 0 })
    }
    // What follows is padding, the index's CRC-32, and the footer.
    if (index.left !== 0 || index.shift !== 0) enter(walk, 'index', 1)
    else enter(walk, 'between', 4, ((4 - (index.size % 4)) % 4) + 4 + 12)
  },
  between: (walk) => {
    if (walk.head.readUInt32BE(0) === 0) enter(walk, 'between', 4)
    else lengthen(walk, 'stream', 12)
  },
}

function count(walk: Walk): void {
  walk.parts += 1
  if (walk.parts <= mostParts) return
  throw beyond('xz-parts', `more than ${mostParts} streams and blocks`, { member: walk.member })
}

function damaged({ member, offset }: Walk, what: string): Error {
  return refused({ reason: 'xz-damaged', what, hint: sendAgain, member, offset })
}

/** The dictionary that the block with this header needs, in bytes; undefined if it is no header. */
function dictionaryOf(header: Buffer): number | undefined {
  const flags = header[1] ?? 0
  let at = 2
  const number = (): number => {
    let value = 0
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = header[at++] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    return Number.NaN
  }
  if ((flags & 0x40) !== 0) number()
  if ((flags & 0x80) !== 0) number()
  const filters = (flags & 3) + 1
  for (let filter = 1; filter <= filters; filter += 1) {
    const id = number()
    const size = number()
    const bits = header[at] ?? 0
    at += size
    if (!(at <= header.length - 4)) return undefined
    if (filter < filters && !(id > 2 && id <= lastSimpleFilter)) return undefined
    if (filter < filters) continue
    if (id !== lzma2 || size !== 1 || bits > 40) return undefined
    return bits === 40 ? 2 ** 32 - 1 : (2 + (bits % 2)) * 2 ** (Math.floor(bits / 2) + 11)
  }
  return undefined
}
