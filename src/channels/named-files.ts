/**
 * Which files suite states name: by index, leaf and chunk, each read once however many states share it. What a state that
 * differs in one package from a known one costs is one leaf and one chunk.
 */
import { eachFile } from '../archives/chunk-files.ts'
import type { IndexParts } from '../archives/index-parts.ts'
import { type Chunk, readLeaves, readRoot } from '../archives/index-tree.ts'
import { type IndexKind, type IndexName, readState } from '../archives/suite-state.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { gunzipMember } from '../debian/compression.ts'
import { readRows } from '../store/blobs.ts'
import { createFileSet, type FileSet } from './file-set.ts'

/** The files that the stanzas of one chunk name, by number: with repetitions. */
export interface ChunkFiles {
  /** Digest of the chunk's text. */
  readonly plain: Sha256
  readonly kind: IndexKind
  readonly files: Int32Array
}

/** A run of chunks that states share as a whole: one and the same object wherever it stands. */
export type LeafFiles = readonly ChunkFiles[]

/** One index of a state. */
export interface IndexFiles extends IndexName {
  readonly stanzas: number
  readonly leaves: readonly LeafFiles[]
}

export interface NamedFiles {
  readonly files: FileSet
  /** The indexes of this state that name files; `ERR_BLOB_MISSING` if it is not here any more. */
  read(state: Sha256, signal: AbortSignal | undefined): Promise<readonly IndexFiles[]>
  /** Forgets what none of these states has; the numbers of files stay. */
  keep(states: ReadonlySet<Sha256>): void
}

interface Known {
  readonly files: FileSet
  readonly states: Map<Sha256, readonly IndexFiles[]>
  readonly roots: Map<Sha256, readonly LeafFiles[]>
  readonly leaves: Map<Sha256, LeafFiles>
  readonly chunks: Map<Sha256, ChunkFiles>
}

/** Nothing read yet. */
export function createNamedFiles(parts: IndexParts): NamedFiles {
  const known: Known = {
    files: createFileSet(),
    states: new Map(),
    roots: new Map(),
    leaves: new Map(),
    chunks: new Map(),
  }
  return {
    files: known.files,
    read: async (state, signal) => {
      const before = known.states.get(state)
      if (before !== undefined) return before
      const made: IndexFiles[] = []
      for (const index of (await readState(parts.blobs, state)).indexes) {
        const { kind, component, architecture, root, stanzas } = index
        if (kind === 'Translation') continue
        const leaves = await readIndex(parts, known, { root, kind }, signal)
        made.push({ kind, component, architecture, stanzas, leaves })
      }
      known.states.set(state, made)
      return made
    },
    keep: (states) => keep(known, states),
  }
}

async function readIndex(
  parts: IndexParts,
  known: Known,
  { root, kind }: { readonly root: Sha256; readonly kind: IndexKind },
  signal: AbortSignal | undefined,
): Promise<readonly LeafFiles[]> {
  const before = known.roots.get(root)
  if (before !== undefined) return before
  const made: LeafFiles[] = []
  for (const leaf of await readRoot(parts.db, root)) {
    signal?.throwIfAborted()
    made.push(known.leaves.get(leaf) ?? (await readLeaf(parts, known, leaf, kind)))
  }
  known.roots.set(root, made)
  return made
}

async function readLeaf(
  parts: IndexParts,
  known: Known,
  leaf: Sha256,
  kind: IndexKind,
): Promise<LeafFiles> {
  const listed = (await readLeaves(parts.db, [leaf])).get(leaf) ?? []
  const fresh = listed.filter((chunk) => !known.chunks.has(chunk.plain))
  for await (const { chunk, text } of readTexts(parts, fresh)) {
    const numbers: number[] = []
    eachFile(kind, chunk, text, (sha256, size) => numbers.push(known.files.add(sha256, size)))
    known.chunks.set(chunk.plain, { plain: chunk.plain, kind, files: Int32Array.from(numbers) })
    await breathe()
  }
  const made = listed.flatMap((chunk) => known.chunks.get(chunk.plain) ?? [])
  known.leaves.set(leaf, made)
  return made
}

/** The texts of these chunks; what is not in the scratch file comes with one query for all. */
async function* readTexts(
  parts: IndexParts,
  chunks: readonly Chunk[],
): AsyncIterable<{ chunk: Chunk; text: Buffer }> {
  const unpacked: Chunk[] = []
  for (const chunk of chunks) {
    const text = await parts.texts.get(chunk.plain)
    if (text === undefined) unpacked.push(chunk)
    else yield { chunk, text }
  }
  if (unpacked.length === 0) return
  const members = await readRows(
    parts.db,
    unpacked.map((chunk) => chunk.member),
  )
  for (const [at, chunk] of unpacked.entries()) {
    const member = members[at]
    if (member !== undefined) yield { chunk, text: await gunzipMember(member, chunk.plainSize) }
  }
}

function keep(known: Known, wanted: ReadonlySet<Sha256>): void {
  const dropped = [...known.states.keys()].filter((state) => !wanted.has(state))
  if (dropped.length === 0) return
  for (const state of dropped) known.states.delete(state)
  const indexes = new Set([...known.states.values()].flat().map((index) => index.leaves))
  dropOthers(known.roots, indexes)
  const leaves = new Set<LeafFiles>()
  for (const index of indexes) for (const leaf of index) leaves.add(leaf)
  dropOthers(known.leaves, leaves)
  const chunks = new Set<ChunkFiles>()
  for (const leaf of leaves) for (const chunk of leaf) chunks.add(chunk)
  dropOthers(known.chunks, chunks)
}

function dropOthers<K, V>(map: Map<K, V>, kept: ReadonlySet<V>): void {
  for (const [key, value] of map) if (!kept.has(value)) map.delete(key)
}
