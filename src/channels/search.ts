/**
 * Where a package is: which channels hold which versions of it, by the name of a binary or a source package.
 */
import { chunksOfSource } from '../archives/chunk-table.ts'
import { chunksAt, type IndexEntry, type IndexParts, readEntries } from '../archives/index-parts.ts'
import { type Chunk, findChunk } from '../archives/index-tree.ts'
import { type IndexKind, readState } from '../archives/suite-state.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { GenerationView } from './views.ts'

export interface FoundPackage {
  readonly channel: string
  readonly serial: number
  readonly archive: string
  readonly suite: string
  readonly component: string
  readonly package: string
  readonly version: string
  readonly architecture: string
  readonly source: string
  readonly sourceVersion: string
}

/** The packages of these generations whose name, or whose source's, is `name`; source packages with `source` as architecture. */
export async function searchPackages(
  parts: IndexParts,
  views: readonly GenerationView[],
  name: string,
): Promise<FoundPackage[]> {
  const ofSource = await chunksOfSource(parts.db, name)
  const read = new Map<Sha256, IndexEntry[]>()
  const entriesOf = async (chunk: Chunk, kind: IndexKind): Promise<IndexEntry[]> => {
    const known = read.get(chunk.plain)
    if (known !== undefined) return known
    const entries = (await readEntries(parts, chunk, kind)).filter(
      (entry) => entry.name === name || entry.source === name,
    )
    read.set(chunk.plain, entries)
    return entries
  }
  const found = new Map<string, FoundPackage>()
  for (const { channel, serial, suites } of views) {
    for (const { archive, suite, state } of suites) {
      for (const { kind, component, root } of (await readState(parts.blobs, state)).indexes) {
        if (kind === 'Translation') continue
        const chunks = await chunksAt(parts, root)
        const byName = findChunk(chunks, name)
        const wanted = chunks.filter((chunk) => chunk === byName || ofSource.has(chunk.plain))
        const entries = await Promise.all(wanted.map((chunk) => entriesOf(chunk, kind)))
        for (const entry of entries.flat()) {
          const { name: binary, version, architecture, source, sourceVersion } = entry
          const where = { channel, serial, archive, suite, component }
          const one = { ...where, package: binary, version, architecture, source, sourceVersion }
          found.set(Object.values(one).join(' '), one)
        }
      }
    }
  }
  return [...found.values()]
}
