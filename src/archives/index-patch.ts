/**
 * From one index to another as an ed script of the uncompressed text.
 *
 * Both lists of chunks are walked side by side. A stretch that begins with the same name on both sides ends where that is
 * so again; where its chunks differ they are read and compared, which gives hunks with line numbers of their own. Those are
 * remembered: of the patches from twenty older indexes to a new one all but the last change's were made before, and are
 * only put together, with other line numbers.
 */
import { crc32 } from 'node:zlib'
import { createLru } from '../base/lru.ts'
import { breathe, mapBounded } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { formatEdScript, type Hunk, isEdText } from '../debian/pdiff.ts'
import { diffStanzas } from '../debian/stanza-diff.ts'
import { slices } from './chunk-batch.ts'
import { chunksAt, type IndexParts, readChunk } from './index-parts.ts'
import type { Chunk } from './index-tree.ts'

/** Bytes of hunks that are remembered. */
const HUNK_BYTES = 4 * 1024 * 1024
/** Of one stretch, both sides together: what is larger is not worth a patch. */
const MAX_STRETCH_BYTES = 8 * 1024 * 1024
/** Chunks read for one patch, in bytes of their text. */
const MAX_READ_BYTES = 64 * 1024 * 1024
/** Chunks in the lists that are remembered, a pointer each. */
const LISTED_CHUNKS = 100_000
const TURN_MS = 3
/** Read side by side: other threads unpack them. */
const STRETCHES_TOGETHER = 4
/** What a piece of a large patch has about. */
const PIECE_BYTES = 16 * 1024

export interface IndexPatcher {
  /**
   * The ed script that makes the index at `to` out of the one at `from`, in pieces most of which are also pieces of the
   * next patch from there; none if they are the same text. Undefined if it would have more than `maxBytes`, cost too
   * much to make, or cannot be written as a script.
   */
  patch(from: Sha256, to: Sha256, maxBytes: number): Promise<Buffer[] | undefined>
}

/** Makes patches, and remembers what they are made of. */
export function createIndexPatcher(parts: IndexParts): IndexPatcher {
  const known = createLru<string, readonly Hunk[]>(HUNK_BYTES)
  // Twenty older trees for each index are more than the reader keeps; their chunks are mostly the same objects.
  const lists = createLru<Sha256, readonly Chunk[]>(LISTED_CHUNKS)
  const listOf = async (root: Sha256): Promise<readonly Chunk[]> => {
    const before = lists.get(root)
    if (before !== undefined) return before
    const chunks = await chunksAt(parts, root)
    lists.set(root, chunks, chunks.length + 1)
    return chunks
  }
  const turn = createTurn()
  const patch: IndexPatcher['patch'] = async (from, to, maxBytes) => {
    const [old, fresh] = [await listOf(from), await listOf(to)]
    if (sizeOf(fresh) - sizeOf(old) > maxBytes) return undefined
    const scripts: Script[] = []
    let bytes = 0
    let read = 0
    const hunksOf = async (stretch: Stretch): Promise<readonly Hunk[] | undefined> => {
      const key = [stretch.old, stretch.fresh].map((side) => side.map(plainOf).join()).join('>')
      const before = known.get(key)
      if (before !== undefined) return before
      const size = sizeOf(stretch.old) + sizeOf(stretch.fresh)
      read += size
      if (size > MAX_STRETCH_BYTES || read > MAX_READ_BYTES) return undefined
      const hunks = await readHunks(parts, stretch)
      if (!hunks.every((hunk) => isEdText(hunk.added))) return undefined
      known.set(key, hunks, weightOf(key, hunks))
      await turn()
      return hunks
    }
    for (const some of slices([...differences(old, fresh)], STRETCHES_TOGETHER)) {
      const made = await mapBounded(some, STRETCHES_TOGETHER, hunksOf)
      for (const [at, { old: from, fresh: into, line }] of some.entries()) {
        const hunks = made[at]
        if (hunks === undefined) return undefined
        const text = formatEdScript(hunks, line)
        bytes += text.length
        if (bytes > maxBytes) return undefined
        scripts.push({ name: into[0]?.first ?? from[0]?.first ?? '', text })
      }
    }
    await turn()
    return joinPieces(scripts, bytes)
  }
  return { patch }
}

/** Lets others run when they have waited for some milliseconds. */
function createTurn(): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < TURN_MS) return
    await breathe()
    since = performance.now()
  }
}

/** The script of one stretch, and the name that it begins with. */
interface Script {
  readonly name: string
  readonly text: string
}

/** From the end upwards. Pieces are cut by names, so that one more change leaves all but one of them as they were. */
function joinPieces(scripts: readonly Script[], bytes: number): Buffer[] {
  // A power of two, so that patches of nearly the same length are cut at the same names.
  const rarity = 2 ** Math.max(0, Math.round(Math.log2((scripts.length * PIECE_BYTES) / bytes)))
  const pieces: Buffer[] = []
  let open = ''
  for (const { name, text } of scripts.toReversed()) {
    open += text
    if (bytes < 2 * PIECE_BYTES || cutNumber(name) % rarity !== 0) continue
    pieces.push(Buffer.from(open, 'latin1'))
    open = ''
  }
  return open === '' ? pieces : [...pieces, Buffer.from(open, 'latin1')]
}

/** Evenly spread over the names that begin a chunk, of which the lower bits are all alike (index-cut.ts). */
function cutNumber(name: string): number {
  return crc32(name) >>> 16
}

async function readHunks(parts: IndexParts, { old, fresh }: Stretch): Promise<Hunk[]> {
  const [before, after] = await Promise.all([readText(parts, old), readText(parts, fresh)])
  return diffStanzas(before, after)
}

function weightOf(key: string, hunks: readonly Hunk[]): number {
  return hunks.reduce((sum, hunk) => sum + hunk.added.length + 80, key.length + 160)
}

/** Chunks of the old index and those that stand in their place. */
interface Stretch {
  /** Lines of the old index before it. */
  readonly line: number
  readonly old: readonly Chunk[]
  readonly fresh: readonly Chunk[]
}

/** The stretches that are not the same on both sides, in the order of the text. */
function* differences(old: readonly Chunk[], fresh: readonly Chunk[]): Iterable<Stretch> {
  let [left, right, line] = [0, 0, 0]
  while (left < old.length || right < fresh.length) {
    const [nextLeft, nextRight] = stretchEnd(old, fresh, left, right)
    const isOne = nextLeft === left + 1 && nextRight === right + 1
    if (!isOne || old[left]?.plain !== fresh[right]?.plain) {
      yield { line, old: old.slice(left, nextLeft), fresh: fresh.slice(right, nextRight) }
    }
    for (; left < nextLeft; left++) line += old[left]?.lines ?? 0
    right = nextRight
  }
}

/** The next places where both sides begin with the same name; the ends of both lists if there are none. */
function stretchEnd(
  old: readonly Chunk[],
  fresh: readonly Chunk[],
  left: number,
  right: number,
): [left: number, right: number] {
  const isTogether = old[left]?.first === fresh[right]?.first
  let [i, j] = isTogether ? [left + 1, right + 1] : [left, right]
  while (i < old.length && j < fresh.length) {
    const [one, other] = [old[i]?.first ?? '', fresh[j]?.first ?? '']
    if (one === other) return [i, j]
    if (one < other) i++
    else j++
  }
  return [old.length, fresh.length]
}

function plainOf(chunk: Chunk): Sha256 {
  return chunk.plain
}

function sizeOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.plainSize, 0)
}

async function readText(parts: IndexParts, chunks: readonly Chunk[]): Promise<Buffer> {
  const texts: Buffer[] = []
  for (const chunk of chunks) texts.push(await readChunk(parts, chunk))
  const [only] = texts
  return texts.length === 1 && only !== undefined ? only : Buffer.concat(texts)
}
