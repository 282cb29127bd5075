/**
 * Large patches in pieces, most of which are pieces of the next patch as well.
 *
 * Patches from twenty older indexes to one new one have nearly the same hunks. They are cut at the same hunks, whatever
 * comes before and after; a piece with the same hunks at the same lines is, for a while, the same Buffer.
 */
import { crc32 } from 'node:zlib'
import { createLru } from '../base/lru.ts'
import { formatEdScript, type Hunk } from '../debian/pdiff.ts'

/** What a piece of a large patch has about. */
const PIECE_BYTES = 16 * 1024
/** Pieces that are remembered. They are those of the patches before: more are not wanted again before the next index. */
const REMEMBERED_BYTES = 2 * 1024 * 1024
/** A larger one would drive out all others. */
const MAX_REMEMBERED_BYTES = REMEMBERED_BYTES / 4
/** The line with its command, with numbers of nine digits, and the one that ends what it puts in. */
const COMMAND_BYTES = 24

/** Hunks that always stand together. */
export interface PatchPart {
  readonly hunks: readonly Hunk[]
  /** What they take in a script, at most. */
  readonly bytes: number
  /** Whether a piece of a large patch ends here: scripts go from the end of the text upwards. */
  readonly isCut: boolean
}

/** Parts of a patch, in the order of the text. */
export interface PlacedParts {
  /** Lines of the older text before them. */
  readonly line: number
  readonly parts: readonly PatchPart[]
}

/**
 * Hunks in the order of the text as parts in the same order. `name` is of the stretch of text that they are in: where it
 * is cut goes by that and by the lines, so that many hunks that are alike are cut as well.
 */
export function partsOf(name: string, hunks: readonly Hunk[]): PatchPart[] {
  const parts: PatchPart[] = []
  let open: Hunk[] = []
  let bytes = 0
  const close = (isCut: boolean): void => {
    if (open.length > 0) parts.push({ hunks: open.toReversed(), bytes, isCut })
    open = []
    bytes = 0
  }
  for (const hunk of hunks.toReversed()) {
    const size = hunk.added.length + COMMAND_BYTES
    open.push(hunk)
    bytes += size
    // As often as there are bytes: once in PIECE_BYTES.
    if (crc32(`${hunk.at} ${name}`) < 2 ** 32 * (size / PIECE_BYTES)) close(true)
  }
  close(false)
  return parts.toReversed()
}

/** Makes the pieces of patches, and remembers some: 2 MB. */
export function createPieces(): (placed: readonly PlacedParts[]) => Buffer[] {
  const known = createLru<string, Buffer>(REMEMBERED_BYTES)
  const numbers = new WeakMap<PatchPart, number>()
  let count = 0
  const numberOf = (part: PatchPart): number => {
    const before = numbers.get(part)
    if (before !== undefined) return before
    numbers.set(part, ++count)
    return count
  }
  const pieceOf = (open: readonly OpenPart[]): Buffer => {
    const key = open.map(({ part, line }) => `${numberOf(part)}@${line}`).join()
    const before = known.get(key)
    if (before !== undefined) return before
    const piece = textOf(open)
    const weight = piece.length + key.length + 400
    if (weight <= MAX_REMEMBERED_BYTES) known.set(key, piece, weight)
    return piece
  }
  return (placed) => {
    const all = placed
      .flatMap(({ line, parts }) => parts.map((part) => ({ part, line })))
      .toReversed()
    const bytes = all.reduce((sum, { part }) => sum + part.bytes, 0)
    // The next one has other hunks.
    if (bytes < 2 * PIECE_BYTES) return bytes === 0 ? [] : [textOf(all)]
    const pieces: Buffer[] = []
    let open: OpenPart[] = []
    for (const one of all) {
      open.push(one)
      if (!one.part.isCut) continue
      pieces.push(pieceOf(open))
      open = []
    }
    return open.length === 0 ? pieces : [...pieces, pieceOf(open)]
  }
}

function textOf(open: readonly OpenPart[]): Buffer {
  const texts = open.map(({ part, line }) => formatEdScript(part.hunks, line))
  return Buffer.from(texts.join(''), 'latin1')
}

interface OpenPart {
  readonly part: PatchPart
  readonly line: number
}
