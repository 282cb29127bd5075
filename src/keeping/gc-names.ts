/**
 * Which files chunks name.
 */
import type { ChunkRecord } from '../archives/chunk-removal.ts'
import { readChunk } from '../archives/index-parts.ts'
import { createDigestSet, type DigestSet } from '../base/digest-set.ts'
import { type Sha256, sha256In } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'

/** What chunks name that stay; a digest here is text that somebody wrote. */
export interface ChunkNames {
  /** The chunks whose names are among these, by their texts. */
  readonly chunks: DigestSet
  has(digest: Sha256): boolean
  add(digest: Sha256): void
}

/** Names besides those that are kept anyway. */
export function createNames(kept: DigestSet): ChunkNames {
  const others = createDigestSet()
  return {
    chunks: createDigestSet(),
    has: (digest) => kept.has(digest) || others.has(digest),
    add: (digest) => {
      others.add(digest)
    },
  }
}

/** The files that the stanzas of a chunk name, whatever kind of index it is of. */
export async function filesOf(parts: ChannelParts, chunk: ChunkRecord): Promise<Sha256[]> {
  return sha256In(await readChunk(parts, chunk))
}
