/**
 * Chunks out of texts: those that are known, or new ones with their gzip members. Many are made together: what the
 * database is asked, and what is written to scratch files, is once for all.
 */
import { mapBounded } from '../base/mutex.ts'
import { sha256Of } from '../base/sha256.ts'
import { gzipMember } from '../debian/compression.ts'
import { findChunksByPlain, type NewChunk } from './chunk-table.ts'
import type { IndexParts } from './index-parts.ts'
import type { Chunk } from './index-tree.ts'

/** So many chunks are best made together. */
export const CHUNKS_TOGETHER = 24
const COMPRESSORS = 4

/** A chunk's text before it is compressed, and what is known of it. */
export interface ChunkText extends Pick<Chunk, 'lines' | 'stanzas' | 'first' | 'last'> {
  readonly text: Buffer
}

/** A chunk, and its member if the store does not have it. */
export type MadeChunk = Pick<NewChunk, 'chunk' | 'member'>

/** The chunks of these texts, in order; nothing is written to the database yet. */
export async function makeChunks(
  parts: IndexParts,
  texts: readonly ChunkText[],
): Promise<MadeChunk[]> {
  const drafts = texts.map((one) => ({ ...one, plain: sha256Of(one.text) }))
  await parts.texts.put(drafts.map(({ plain, text }) => [plain, text]))
  const known = await findChunksByPlain(
    parts.db,
    drafts.map(({ plain }) => plain),
  )
  const made = await mapBounded(drafts, COMPRESSORS, async (draft): Promise<MadeChunk> => {
    const { plain, text, lines, stanzas, first, last } = draft
    const old = known.get(plain)
    if (old !== undefined) return { chunk: old }
    const member = await gzipMember(text)
    const sizes = { plainSize: text.length, memberSize: member.length }
    return {
      chunk: { plain, member: sha256Of(member), ...sizes, lines, stanzas, first, last },
      member,
    }
  })
  await parts.members.put(
    made.flatMap(({ chunk, member }) => (member === undefined ? [] : [[chunk.member, member]])),
  )
  return made
}

/** Newlines in a text. */
export function countLines(text: Buffer): number {
  let lines = 0
  for (let at = text.indexOf(10); at !== -1; at = text.indexOf(10, at + 1)) lines++
  return lines
}
