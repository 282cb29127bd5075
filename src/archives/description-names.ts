/**
 * Which descriptions the packages of some indexes name: by the name of the package and its Description-md5. A state has
 * the Translation entries that its own packages name, and no others: upstream's file is for all architectures, and a
 * channel that holds packages back should not describe newer ones.
 */
import { breathe, mapBounded } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { fieldValue, splitStanzas } from '../debian/control.ts'
import { descriptionMd5Of } from '../debian/translation-index.ts'
import { createRoom } from './chunk-cache.ts'
import { readStanza } from './index-kinds.ts'
import { chunksAt, type IndexEntry, type IndexParts, readChunk } from './index-parts.ts'
import { type Chunk, findChunk } from './index-tree.ts'
import type { IndexKind } from './suite-state.ts'

// Found in a third of the time that strings take.
const BOUNDARY = Buffer.from('\n\n')
const MD5_LINE = Buffer.from('\nDescription-md5: ')
const MD5_DIGITS = 32
/** Chunks unpacked side by side, by other threads. */
const READ_TOGETHER = 4

/** How a description is called here. */
export function descriptionName(name: string, md5: string): string {
  return `${name} ${md5}`
}

/** The descriptions that all packages of these `Packages` indexes name. */
export async function namedDescriptions(
  parts: IndexParts,
  roots: readonly Sha256[],
): Promise<Set<string>> {
  const named = new Set<string>()
  const room = createRoom()
  let read = 0
  for (const chunk of (await chunksOf(parts, roots)).values()) {
    noteDescriptions(await readChunk(parts, chunk, room), named)
    if (++read % 50 === 0) await breathe()
  }
  return named
}

/** Whether the packages of two sets of `Packages` indexes name the same descriptions; only what differs is read. */
export async function nameSameDescriptions(
  parts: IndexParts,
  a: readonly Sha256[],
  b: readonly Sha256[],
): Promise<boolean> {
  const [left, right] = [await chunksOf(parts, a), await chunksOf(parts, b)]
  const [gone, fresh] = [new Set<string>(), new Set<string>()]
  const note = (chunks: Map<Sha256, Chunk>, others: Map<Sha256, Chunk>, into: Set<string>) =>
    mapBounded(
      [...chunks].filter(([plain]) => !others.has(plain)),
      READ_TOGETHER,
      async ([, chunk]) => noteDescriptions(await readChunk(parts, chunk), into),
    )
  await Promise.all([note(left, right, gone), note(right, left, fresh)])
  return gone.size === fresh.size && [...gone].every((one) => fresh.has(one))
}

async function chunksOf(parts: IndexParts, roots: readonly Sha256[]): Promise<Map<Sha256, Chunk>> {
  const chunks = new Map<Sha256, Chunk>()
  for (const root of roots)
    for (const chunk of await chunksAt(parts, root)) chunks.set(chunk.plain, chunk)
  return chunks
}

/** The descriptions that the packages of these names have in these `Packages` indexes. */
export async function descriptionsOf(
  parts: IndexParts,
  roots: readonly Sha256[],
  names: ReadonlySet<string>,
): Promise<Set<string>> {
  const named = new Set<string>()
  for (const root of roots) {
    for (const { name, text } of await entriesNamed(parts, { root, kind: 'Packages' }, names)) {
      const md5 = descriptionMd5Of(text, 0, text.length)
      if (md5 !== undefined) named.add(descriptionName(name, md5))
    }
  }
  return named
}

/** The stanzas of these package names in an index; what else stands in their chunks is not read. */
export async function entriesNamed(
  parts: IndexParts,
  { root, kind }: { readonly root: Sha256 | undefined; readonly kind: IndexKind },
  names: ReadonlySet<string>,
): Promise<IndexEntry[]> {
  const chunks = await chunksAt(parts, root)
  const wanted = new Set<Chunk>()
  for (const name of names) {
    const chunk = findChunk(chunks, name)
    if (chunk !== undefined) wanted.add(chunk)
  }
  const found: IndexEntry[] = []
  let read = 0
  for (const chunk of wanted) {
    const text = await readChunk(parts, chunk)
    const ranges = splitStanzas(text)
    for (let at = 0; at < ranges.length; at += 2) {
      const [start = 0, end = 0] = [ranges[at], ranges[at + 1]]
      const name = fieldValue(text, start, end, 'Package')
      if (name === undefined || !names.has(name)) continue
      // A copy, so that the chunk can go.
      const own = Buffer.from(text.subarray(start, end))
      found.push({ ...readStanza(kind, own, { start: 0, end: own.length }), text: own })
    }
    if (++read % 50 === 0) await breathe()
  }
  return found
}

/** Goes through the text of a chunk as fast as may be: an import does so with all. */
function noteDescriptions(text: Buffer, named: Set<string>): void {
  let line = text.indexOf(MD5_LINE)
  for (let start = 0; start < text.length; ) {
    const boundary = text.indexOf(BOUNDARY, start)
    const end = boundary < 0 ? text.length : boundary + 1
    if (line >= 0 && line < start) line = text.indexOf(MD5_LINE, start)
    const from = line + MD5_LINE.length
    const isTold = line >= 0 && from + MD5_DIGITS < end
    const md5 = isTold
      ? text.toString('latin1', from, from + MD5_DIGITS).toLowerCase()
      : descriptionMd5Of(text, start, end)
    const name = fieldValue(text, start, end, 'Package')
    if (name !== undefined && md5 !== undefined) named.add(descriptionName(name, md5))
    start = end + 1
  }
}
