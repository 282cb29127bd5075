/**
 * From numbers of files to what they are: the packages whose stanzas name them, and the generations that have these.
 */
import { findChunksByPlain } from '../archives/chunk-table.ts'
import { type IndexParts, readEntries } from '../archives/index-parts.ts'
import type { Sha256 } from '../base/sha256.ts'
import { type Books, chunksOf, type GenerationFiles } from '../channels/file-ledger.ts'
import type { ChunkFiles, LeafFiles } from '../channels/named-files.ts'

export interface FoundFile {
  readonly file: number
  readonly sha256: Sha256
  readonly size: number
  readonly package: string
  readonly version: string
  /** `source` for a file of a source package. */
  readonly architecture: string
  /** Serials of the generations that name it. */
  readonly generations: readonly number[]
}

export interface FileSearch {
  /** Of one channel. */
  readonly generations: readonly GenerationFiles[]
  readonly isWanted: (file: number) => boolean
  readonly limit: number
}

/** The wanted files that these generations name, by package; at most `limit` of them. */
export async function findFiles(
  parts: IndexParts,
  books: Books,
  { generations, isWanted, limit }: FileSearch,
): Promise<FoundFile[]> {
  const found = new Map<number, FoundFile>()
  for (const [chunk, serials] of chunksWith(isWanted, generations)) {
    if (found.size >= limit) break
    const numbers = new Map([...chunk.files].map((file) => [books.files.sha256Of(file), file]))
    for (const { name, version, architecture, files } of await entriesOf(parts, chunk)) {
      for (const { sha256, size } of files) {
        const file = numbers.get(sha256)
        if (file === undefined || !isWanted(file)) continue
        const all = new Set([...(found.get(file)?.generations ?? []), ...serials])
        const what = { file, sha256, size, package: name, version, architecture }
        found.set(file, { ...what, generations: [...all].sort((a, b) => a - b) })
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.package < b.package ? -1 : 1)).slice(0, limit)
}

/** The chunks that name such a file, with the serials of the generations that have them. */
function chunksWith(
  isWanted: (file: number) => boolean,
  generations: readonly GenerationFiles[],
): Map<ChunkFiles, number[]> {
  const found = new Map<ChunkFiles, number[]>()
  for (const chunk of chunksOf(generations.flatMap(({ suites }) => suites))) {
    if (chunk.files.some(isWanted)) found.set(chunk, [])
  }
  const inLeaf = new Map<LeafFiles, readonly ChunkFiles[]>()
  for (const { serial, suites } of generations) {
    for (const leaf of suites.flatMap(({ indexes }) => indexes.flatMap(({ leaves }) => leaves))) {
      const wanted = inLeaf.get(leaf) ?? leaf.filter((chunk) => found.has(chunk))
      inLeaf.set(leaf, wanted)
      for (const chunk of wanted) found.get(chunk)?.push(serial)
    }
  }
  return found
}

async function entriesOf(
  parts: IndexParts,
  { plain, kind }: ChunkFiles,
): ReturnType<typeof readEntries> {
  const chunk = (await findChunksByPlain(parts.db, [plain])).get(plain)
  return chunk === undefined ? [] : readEntries(parts, chunk, kind)
}
