/**
 * From one index to another as an ed script of the uncompressed text.
 *
 * Both lists of chunks are walked side by side. A stretch that begins with the same name on both sides ends where that is
 * so again; where its chunks differ they are read and compared, which gives hunks with line numbers of their own. Those are
 * remembered: of the patches from twenty older indexes to a new one all but the last change's were made before, and are
 * only put together (patch-pieces.ts).
 */
import { createLru } from '../base/lru.ts'
import { breathe, mapBounded } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { type Hunk, isEdText } from '../debian/pdiff.ts'
import { diffStanzas } from '../debian/stanza-diff.ts'
import { slices } from './chunk-batch.ts'
import { chunksAt, type IndexParts, readChunk } from './index-parts.ts'
import type { Chunk } from './index-tree.ts'
import { createPieces, type PatchPart, type PlacedParts, partsOf } from './patch-pieces.ts'

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

export interface IndexPatcher {
  /**
   * The ed script that makes the index at `to` out of the one at `from`, in pieces: those that a patch shares with the
   * ones before it are mostly the same Buffers. None if both are the same text. Undefined if it might have more than
   * `maxBytes`, would cost too much to make, or cannot be written as a script.
   */
  patch(from: Sha256, to: Sha256, maxBytes: number): Promise<readonly Buffer[] | undefined>
}

/** Makes patches, and remembers what they are made of. */
export function createIndexPatcher(parts: IndexParts): IndexPatcher {
  const known = createLru<string, readonly PatchPart[]>(HUNK_BYTES)
  const piecesOf = createPieces()
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
    const placed: PlacedParts[] = []
    let bytes = 0
    let read = 0
    const partsBetween = async (stretch: Stretch): Promise<readonly PatchPart[] | undefined> => {
      const key = [stretch.old, stretch.fresh].map((side) => side.map(plainOf).join()).join('>')
      const before = known.get(key)
      if (before !== undefined) return before
      const size = sizeOf(stretch.old) + sizeOf(stretch.fresh)
      read += size
      if (size > MAX_STRETCH_BYTES || read > MAX_READ_BYTES) return undefined
      const hunks = await readHunks(parts, stretch)
      if (!hunks.every((hunk) => isEdText(hunk.added))) return undefined
      const made = partsOf(nameOf(stretch), hunks)
      known.set(key, made, weightOf(key, hunks))
      await turn()
      return made
    }
    for (const some of slices([...differences(old, fresh)], STRETCHES_TOGETHER)) {
      const made = await mapBounded(some, STRETCHES_TOGETHER, partsBetween)
      for (const [at, { line }] of some.entries()) {
        const parts = made[at]
        if (parts === undefined) return undefined
        bytes += parts.reduce((sum, part) => sum + part.bytes, 0)
        if (bytes > maxBytes) return undefined
        placed.push({ line, parts })
      }
    }
    await turn()
    return piecesOf(placed)
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

async function readHunks(parts: IndexParts, { old, fresh }: Stretch): Promise<Hunk[]> {
  const [before, after] = await Promise.all([readText(parts, old), readText(parts, fresh)])
  return diffStanzas(before, after)
}

/** The name that it begins with. */
function nameOf({ old, fresh }: Stretch): string {
  return fresh[0]?.first ?? old[0]?.first ?? ''
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
