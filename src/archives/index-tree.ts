/**
 * The list of chunks of one index, as a tree of two levels, so that one changed chunk costs one leaf.
 *
 *   root: the 32-byte digests of its leaves, one after the other (empty for an empty index)
 *   leaf: JSON, an array of [plain, member, plainSize, memberSize, lines, stanzas, first, last]
 *
 * Root and leaves are blobs kept as rows. `plain` is the digest of the chunk's text, `member` that of its gzip member.
 */

import { AppError } from '../base/errors.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { parseSha256, type Sha256, sha256Bytes, sha256FromBytes, sha256Of } from '../base/sha256.ts'
import { readRows } from '../store/blobs.ts'
import type { Db } from '../store/database.ts'
import { startsLeaf } from './index-cut.ts'

/** A run of consecutive stanzas of an index. */
export interface Chunk {
  /** Digest of the text: stanzas, each followed by a blank line. */
  readonly plain: Sha256
  /** Digest of the gzip member, a blob. */
  readonly member: Sha256
  readonly plainSize: number
  readonly memberSize: number
  readonly lines: number
  readonly stanzas: number
  /** First and last package name. */
  readonly first: string
  readonly last: string
}

/** An index's chunks in order, with the leaves they are kept in. */
export interface IndexTree {
  readonly root: Sha256
  readonly chunks: readonly Chunk[]
}

/** Reads trees, and remembers those used lately; a root names the same tree for ever. */
export interface TreeReader {
  read(root: Sha256): Promise<IndexTree>
}

/** A reader that keeps some 200,000 chunk records (about 60 MB) at the most. */
export function createTreeReader(db: Db): TreeReader {
  const trees = createLru<Sha256, IndexTree>(40_000)
  const leaves = createLru<Sha256, readonly Chunk[]>(8_000)
  return {
    read: async (root) => {
      const known = trees.get(root)
      if (known !== undefined) return known
      const tree = await readTree(db, root, leaves)
      trees.set(root, tree, tree.chunks.length + 1)
      return tree
    },
  }
}

/** The tree over these chunks, and the blobs that it consists of: to be put as rows before anything names the root. */
export function buildTree(chunks: readonly Chunk[]): { root: Sha256; blobs: Buffer[] } {
  const leaves: Buffer[] = []
  let from = 0
  for (let at = 1; at <= chunks.length; at++) {
    const chunk = chunks[at]
    if (chunk !== undefined && !startsLeaf(chunk.first)) continue
    leaves.push(encodeLeaf(chunks.slice(from, at)))
    from = at
  }
  const root = Buffer.concat(leaves.map((leaf) => sha256Bytes(sha256Of(leaf))))
  return { root: sha256Of(root), blobs: [...leaves, root] }
}

/** Sums over the chunks of an index. */
export function measure(chunks: readonly Chunk[]): {
  stanzas: number
  plainSize: number
  memberSize: number
} {
  let stanzas = 0
  let plainSize = 0
  let memberSize = 0
  for (const chunk of chunks) {
    stanzas += chunk.stanzas
    plainSize += chunk.plainSize
    memberSize += chunk.memberSize
  }
  return { stanzas, plainSize, memberSize }
}

/** The chunk in which a package of this name stands, if one does. */
export function findChunk(chunks: readonly Chunk[], name: string): Chunk | undefined {
  let low = 0
  let high = chunks.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const chunk = chunks[middle]
    if (chunk === undefined) return undefined
    if (name < chunk.first) high = middle - 1
    else if (name > chunk.last) low = middle + 1
    else return chunk
  }
  return undefined
}

async function readTree(
  db: Db,
  root: Sha256,
  cache: Lru<Sha256, readonly Chunk[]>,
): Promise<IndexTree> {
  const digests = await readRoot(db, root)
  const unknown = digests.filter((digest) => cache.get(digest) === undefined)
  const read = new Map<Sha256, readonly Chunk[]>()
  for (let at = 0; at < unknown.length; at += 64) {
    for (const [digest, leaf] of await readLeaves(db, unknown.slice(at, at + 64))) {
      read.set(digest, leaf)
      cache.set(digest, leaf)
    }
  }
  const chunks = digests.flatMap((digest) => read.get(digest) ?? cache.get(digest) ?? [])
  return { root, chunks }
}

/** The leaves that a root names, read from the store; `ERR_BLOB_MISSING` if it is not here. */
export async function readRoot(db: Db, root: Sha256): Promise<Sha256[]> {
  const [list = Buffer.alloc(0)] = await readRows(db, [root])
  return Array.from({ length: list.length / 32 }, (_, at) =>
    sha256FromBytes(list.subarray(at * 32, at * 32 + 32)),
  )
}

/** The chunks that each of these leaves lists, read from the store; `ERR_BLOB_MISSING` if one is not here. */
export async function readLeaves(
  db: Db,
  leaves: readonly Sha256[],
): Promise<Map<Sha256, readonly Chunk[]>> {
  const blobs = await readRows(db, leaves)
  return new Map(leaves.map((leaf, at) => [leaf, decodeLeaf(blobs[at] ?? Buffer.alloc(0), leaf)]))
}

type LeafRow = readonly [string, string, number, number, number, number, string, string]

function encodeLeaf(chunks: readonly Chunk[]): Buffer {
  const rows = chunks.map(
    (c): LeafRow => [
      c.plain,
      c.member,
      c.plainSize,
      c.memberSize,
      c.lines,
      c.stanzas,
      c.first,
      c.last,
    ],
  )
  return Buffer.from(JSON.stringify(rows))
}

function decodeLeaf(blob: Buffer, digest: Sha256): Chunk[] {
  const rows: readonly LeafRow[] = JSON.parse(blob.toString())
  return rows.map(([plainText, memberText, plainSize, memberSize, lines, stanzas, first, last]) => {
    const plain = parseSha256(plainText)
    const member = parseSha256(memberText)
    if (plain === undefined || member === undefined) {
      throw new AppError('ERR_STORE', {
        message: `leaf ${digest} of a chunk list is damaged`,
        hint: 'sluice verify',
      })
    }
    return { plain, member, plainSize, memberSize, lines, stanzas, first, last }
  })
}
