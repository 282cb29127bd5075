/**
 * Where an index is cut into chunks, and a list of chunks into leaves.
 *
 * The cut depends on package names alone: before a name whose CRC-32 is divisible by 62, so that two states which
 * differ in one package share all chunks but one. About 1,000 chunks for the 63,000 names of Debian main; a run of
 * 256 names without such a name is cut by force. One name's stanzas are never parted. The numbers are part of the
 * format: other ones make other chunks of the same content.
 */
import { crc32 } from 'node:zlib'

const CHUNK_NAMES = 62
const MAX_CHUNK_NAMES = 256
const LEAF_CHUNKS = 16

/** Whether a chunk begins before this name, wherever it stands. */
export function startsChunk(name: string): boolean {
  return crc32(name) % CHUNK_NAMES === 0
}

/** Whether a leaf of the chunk list begins with the chunk whose first name this is. */
export function startsLeaf(firstName: string): boolean {
  const hash = crc32(firstName)
  return hash % CHUNK_NAMES === 0 && Math.floor(hash / CHUNK_NAMES) % LEAF_CHUNKS === 0
}

/** The chunks of stanzas whose names are given in order: pairs of the first stanza and the one after the last. */
export function cutByName(names: readonly string[]): [from: number, to: number][] {
  const cuts: [number, number][] = []
  let from = 0
  let distinct = 0
  for (let at = 0; at < names.length; at++) {
    const name = names[at]
    if (name === undefined || name === names[at - 1]) continue
    if (at > from && (distinct === MAX_CHUNK_NAMES || startsChunk(name))) {
      cuts.push([from, at])
      from = at
      distinct = 0
    }
    distinct++
  }
  if (names.length > from) cuts.push([from, names.length])
  return cuts
}
