/**
 * From one index to another as an ed script of the uncompressed text.
 *
 * Both lists of chunks are walked side by side. A stretch that begins with the same name on both sides ends where that is
 * so again; where its chunks differ they are read and compared, which gives hunks with line numbers of their own. Those are
 * remembered: of the patches from twenty older indexes to a new one all but the last change's were made before, and are
 * only put together, with other line numbers.
 */
import { createLru } from '../base/lru.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { formatEdScript, type Hunk, isEdText } from '../debian/pdiff.ts'
import { diffStanzas } from '../debian/stanza-diff.ts'
import { chunksAt, type IndexParts, readChunk } from './index-parts.ts'
import type { Chunk } from './index-tree.ts'

/** Bytes of hunks that are remembered. */
const HUNK_BYTES = 8 * 1024 * 1024
/** A remembered stretch takes so much besides its text. */
const STRETCH_BYTES = 400
/** Of one stretch, both sides together: what is larger is not worth a patch. */
const MAX_STRETCH_BYTES = 8 * 1024 * 1024
/** Chunks read for one patch, in bytes of their text. */
const MAX_READ_BYTES = 64 * 1024 * 1024

export interface IndexPatcher {
  /**
   * The ed script (latin1) that makes the index at `to` out of the one at `from`; empty if they are the same text.
   * Undefined if it would have more than `maxBytes`, cost too much to make, or cannot be written as one.
   */
  patch(from: Sha256, to: Sha256, maxBytes: number): Promise<string | undefined>
}

/** Makes patches, and remembers what they are made of. */
export function createIndexPatcher(parts: IndexParts): IndexPatcher {
  const known = createLru<string, readonly Hunk[]>(HUNK_BYTES)
  const hunksOf = async (stretch: Stretch): Promise<readonly Hunk[] | undefined> => {
    const key = [stretch.old, stretch.fresh].map((side) => side.map(plainOf).join()).join('>')
    const before = known.get(key)
    if (before !== undefined) return before
    const hunks = diffStanzas(
      await readText(parts, stretch.old),
      await readText(parts, stretch.fresh),
    )
    if (!hunks.every((hunk) => isEdText(hunk.added))) return undefined
    const bytes = hunks.reduce((sum, hunk) => sum + hunk.added.length + 100, STRETCH_BYTES)
    known.set(key, hunks, bytes)
    await breathe()
    return hunks
  }
  const patch: IndexPatcher['patch'] = async (from, to, maxBytes) => {
    const [old, fresh] = [await chunksAt(parts, from), await chunksAt(parts, to)]
    if (sizeOf(fresh) - sizeOf(old) > maxBytes) return undefined
    const scripts: string[] = []
    let bytes = 0
    let read = 0
    for (const stretch of differences(old, fresh)) {
      const size = sizeOf(stretch.old) + sizeOf(stretch.fresh)
      read += size
      if (size > MAX_STRETCH_BYTES || read > MAX_READ_BYTES) return undefined
      const hunks = await hunksOf(stretch)
      if (hunks === undefined) return undefined
      const script = formatEdScript(hunks, stretch.line)
      bytes += script.length
      if (bytes > maxBytes) return undefined
      scripts.push(script)
    }
    return scripts.reverse().join('')
  }
  return { patch }
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
