/**
 * Where what is revoked stands: in the indexes of a suite state, or in all chunks there are, of any age. Only chunks in which
 * a name that is revoked can stand are read.
 */
import { isAppError } from '../base/errors.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { fieldValue, splitStanzas } from '../debian/control.ts'
import { chunksAbout, chunksOfSource } from './chunk-table.ts'
import { readNames, readStanza } from './index-kinds.ts'
import { chunksAt, type IndexEntry, type IndexParts, readChunk } from './index-parts.ts'
import { type Chunk, findChunk } from './index-tree.ts'
import type { Revocations, RevokedStanza, RevokedVersion } from './revocations.ts'
import type { IndexKind, IndexState, SuiteState } from './suite-state.ts'

export type RevokedParts = IndexParts & { readonly revocations: Revocations }

/** What of an index is revoked. */
export interface RevokedEntries {
  readonly index: IndexState
  readonly entries: readonly IndexEntry[]
}

/** What is revoked of this state, index by index. */
export async function findRevoked(
  parts: RevokedParts,
  state: SuiteState,
): Promise<RevokedEntries[]> {
  const names = new Set(parts.revocations.list().map(({ name }) => name))
  if (names.size === 0) return []
  const ofSources = new Set<Sha256>()
  for (const name of names)
    for (const plain of await chunksOfSource(parts.db, name)) ofSources.add(plain)
  const found: RevokedEntries[] = []
  for (const index of state.indexes) {
    if (index.kind === 'Translation') continue
    const entries: IndexEntry[] = []
    for (const chunk of await chunksWith(parts, index.root, { names, ofSources })) {
      entries.push(...(await revokedIn(parts, chunk, index.kind, names)))
      await breathe()
    }
    if (entries.length > 0) found.push({ index, entries })
  }
  return found
}

/** Withdraws the files of what is revoked of this state, before it is seen anywhere. */
export async function withdrawRevoked(parts: RevokedParts, state: SuiteState): Promise<void> {
  const found = await findRevoked(parts, state)
  await parts.revocations.noteFiles(found.flatMap(({ entries }) => entries))
}

/** Withdraws the files of this version in all indexes of any age that are kept; how many were not known. */
export async function withdrawEverywhere(
  parts: RevokedParts,
  { name }: RevokedVersion,
): Promise<number> {
  let fresh = 0
  const names = new Set([name])
  for (const chunk of await chunksAbout(parts.db, name)) {
    fresh += await parts.revocations.noteFiles(await anyRevokedIn(parts, chunk, names))
    await breathe()
  }
  return fresh
}

async function chunksWith(
  parts: IndexParts,
  root: Sha256,
  {
    names,
    ofSources,
  }: { readonly names: ReadonlySet<string>; readonly ofSources: ReadonlySet<Sha256> },
): Promise<Set<Chunk>> {
  const chunks = await chunksAt(parts, root)
  const wanted = new Set(chunks.filter(({ plain }) => ofSources.has(plain)))
  for (const name of names) {
    const chunk = findChunk(chunks, name)
    if (chunk !== undefined) wanted.add(chunk)
  }
  return wanted
}

async function revokedIn(
  parts: RevokedParts,
  chunk: Chunk,
  kind: IndexKind,
  names: ReadonlySet<string>,
): Promise<IndexEntry[]> {
  const text = await readChunk(parts, chunk)
  const found: IndexEntry[] = []
  for (const place of placesIn(text)) {
    const { name, source } = readNames(kind, text, place)
    if (!names.has(name) && !names.has(source)) continue
    const facts = readStanza(kind, text, place)
    // The bytes are copied, so that the chunk can go.
    const own = Buffer.from(text.subarray(place.start, place.end))
    if (parts.revocations.of(facts) !== undefined) found.push({ ...facts, text: own })
  }
  return found
}

/** The same for a chunk of whatever kind; nothing of one that was deleted meanwhile. */
async function anyRevokedIn(
  parts: RevokedParts,
  chunk: Chunk,
  names: ReadonlySet<string>,
): Promise<RevokedStanza[]> {
  try {
    const text = await readChunk(parts, chunk)
    const [first] = placesIn(text)
    if (first === undefined) return []
    const has = (field: string): boolean =>
      fieldValue(text, first.start, first.end, field) !== undefined
    if (!has('Filename') && !has('Directory')) return []
    return await revokedIn(parts, chunk, has('Filename') ? 'Packages' : 'Sources', names)
  } catch (error) {
    if (isAppError(error, 'ERR_BLOB_MISSING')) return []
    throw error
  }
}

function placesIn(text: Buffer): { readonly start: number; readonly end: number }[] {
  const ranges = splitStanzas(text)
  const places: { start: number; end: number }[] = []
  for (let at = 0; at < ranges.length; at += 2)
    places.push({ start: ranges[at] ?? 0, end: ranges[at + 1] ?? 0 })
  return places
}
