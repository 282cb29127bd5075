/**
 * What code that reads and makes indexes works with, and how it gets at the text of a chunk.
 */
import type { Sha256 } from '../base/sha256.ts'
import { gunzipMember } from '../debian/compression.ts'
import { splitStanzas } from '../debian/control.ts'
import { type BlobStore, readRows } from '../store/blobs.ts'
import type { Db } from '../store/database.ts'
import type { ChunkCache, Room } from './chunk-cache.ts'
import { readStanza, type StanzaFacts } from './index-kinds.ts'
import type { Chunk, TreeReader } from './index-tree.ts'
import type { IndexKind } from './suite-state.ts'

export interface IndexParts {
  readonly db: Db
  readonly blobs: BlobStore
  readonly trees: TreeReader
  /** Texts of chunks, by the digest of the text. */
  readonly texts: ChunkCache
  /** Gzip members of chunks, by the digest of the member. */
  readonly members: ChunkCache
}

/** One stanza of an index of ours, read. */
export interface IndexEntry extends StanzaFacts {
  /** The stanza as it stands in the index, ending in a newline, without the blank line. */
  readonly text: Buffer
}

/** The text of a chunk: stanzas, each followed by a blank line; in memory from `room`, if that is told. */
export async function readChunk(
  parts: IndexParts,
  chunk: Pick<Chunk, 'plain' | 'member' | 'plainSize'>,
  room?: Room,
): Promise<Buffer> {
  const kept = await parts.texts.get(chunk.plain, room)
  if (kept !== undefined) return kept
  const [member] = await readRows(parts.db, [chunk.member])
  return member === undefined ? Buffer.alloc(0) : gunzipMember(member, chunk.plainSize)
}

/** The stanzas of a chunk of an index of this kind, in order. */
export async function readEntries(
  parts: IndexParts,
  chunk: Chunk,
  kind: IndexKind,
): Promise<IndexEntry[]> {
  const text = await readChunk(parts, chunk)
  const ranges = splitStanzas(text)
  const entries: IndexEntry[] = []
  for (let at = 0; at < ranges.length; at += 2) {
    const start = ranges[at] ?? 0
    const end = ranges[at + 1] ?? 0
    entries.push({ ...readStanza(kind, text, { start, end }), text: text.subarray(start, end) })
  }
  return entries
}

/** The chunks of the index at `root`; none where there is no such index. */
export async function chunksAt(
  parts: IndexParts,
  root: Sha256 | undefined,
): Promise<readonly Chunk[]> {
  return root === undefined ? [] : (await parts.trees.read(root)).chunks
}
