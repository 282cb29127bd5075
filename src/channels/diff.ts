/**
 * What differs between two suite states in binary and source packages: only chunks that one of them has alone are read, so
 * that the cost follows the difference. Translations go with the packages (carry-translations.ts) and are not looked at.
 *
 * Where only one of the states has an index of sources (they were just switched on, or off), what it names counts as a
 * difference only for source packages that differ anyway: the others come and go with the index itself.
 */
import { createRoom } from '../archives/chunk-cache.ts'
import { chunksOfSource } from '../archives/chunk-table.ts'
import { readStanza } from '../archives/index-kinds.ts'
import { chunksAt, type IndexEntry, type IndexParts, readChunk } from '../archives/index-parts.ts'
import type { Chunk } from '../archives/index-tree.ts'
import {
  encodeState,
  findIndex,
  type IndexKind,
  type IndexName,
  type IndexState,
  indexPath,
  type SuiteState,
} from '../archives/suite-state.ts'
import type { Sha256 } from '../base/sha256.ts'
import { fieldValue, splitStanzas } from '../debian/control.ts'
import { compareVersions } from '../debian/version.ts'
import type { SourceChange } from './generation-table.ts'
import { isAlike, type Phasing, taken } from './phasing.ts'

/** Which source packages to look at: all, or those of this set. */
export type SourceFilter = ReadonlySet<string> | 'all'

/** The stanzas that one index has alone and that the other has alone. */
export interface IndexDiff extends IndexName {
  readonly removed: readonly IndexEntry[]
  readonly added: readonly IndexEntry[]
}

/** How `to` differs from `from`, index by index; either may be absent. What is added has the phasing that is asked for. */
export async function diffStates(
  parts: IndexParts,
  from: SuiteState | undefined,
  to: SuiteState | undefined,
  sources: SourceFilter,
  phasing: Phasing = 'kept',
): Promise<IndexDiff[]> {
  const diffs: IndexDiff[] = []
  const names = indexNames(from, to)
  const diffOne = async (name: IndexName, filter: SourceFilter): Promise<void> => {
    const left = findIndex(from, name)?.root
    const right = findIndex(to, name)?.root
    if (left === right) return
    const pair = { kind: name.kind, left, right, phasing }
    const { removed, added } = await diffIndexes(parts, pair, filter)
    if (removed.length + added.length > 0) diffs.push({ ...name, removed, added })
  }
  for (const name of names.filter(({ kind }) => kind === 'Packages')) await diffOne(name, sources)
  const differing = sourcesIn(diffs)
  for (const name of names.filter(({ kind }) => kind === 'Sources')) {
    const isNew = [from, to].some((state) => lacksSources(state, name))
    await diffOne(name, isNew ? differing : sources)
  }
  return diffs
}

/** Whether there is more in `to` than in `from` besides packages: indexes of other kinds, translations, files. */
export function differsOtherwise(from: SuiteState | undefined, to: SuiteState): boolean {
  if (from === undefined) return false
  const isOther = (index: IndexState): boolean => {
    const own = findIndex(from, index)
    return own === undefined || (index.kind === 'Translation' && own.root !== index.root)
  }
  const files = ({ extras, plainForms }: SuiteState): string =>
    encodeState({ ...to, extras, plainForms }).digest
  // Contents that are made here fit the packages of each.
  const isOwn = from.ownContents === 'made' && to.ownContents === 'made'
  return to.indexes.some(isOther) || (!isOwn && files(from) !== files(to))
}

/** Whether the state has binary packages of the component, and no index of its sources. */
export function lacksSources(
  state: SuiteState | undefined,
  { component }: Pick<IndexName, 'component'>,
): boolean {
  const own = (state?.indexes ?? []).filter((index) => index.component === component)
  return own.length > 0 && own.every((index) => index.kind !== 'Sources')
}

/** The source packages that differ. */
export function sourcesIn(diffs: readonly IndexDiff[]): Set<string> {
  return new Set(diffs.flatMap(({ removed, added }) => [...removed, ...added]).map(sourceOf))
}

function sourceOf({ source }: IndexEntry): string {
  return source
}

/** The differences of a suite, told by source package, sorted by its name. */
export function changesOf(
  suite: Pick<SuiteState, 'archive' | 'suite'>,
  diffs: readonly IndexDiff[],
): SourceChange[] {
  const sources = new Map<string, { old: Set<string>; new: Set<string> }>()
  const note = (entry: IndexEntry, side: 'old' | 'new'): void => {
    const change = sources.get(entry.source) ?? { old: new Set(), new: new Set() }
    sources.set(entry.source, change)
    change[side].add(entry.sourceVersion)
  }
  for (const { removed, added } of diffs) {
    for (const entry of removed) note(entry, 'old')
    for (const entry of added) note(entry, 'new')
  }
  const sorted = (versions: Set<string>): string[] => [...versions].sort(compareVersions)
  return [...sources]
    .map(([source, change]) => ({
      archive: suite.archive,
      suite: suite.suite,
      source,
      old: sorted(change.old),
      new: sorted(change.new),
    }))
    .sort((a, b) => (a.source < b.source ? -1 : 1))
}

/** All stanzas of one source package in a state: index by index. */
export async function entriesOfSource(
  parts: IndexParts,
  state: SuiteState,
  source: string,
): Promise<{ index: IndexState; entries: IndexEntry[] }[]> {
  const candidates = await chunksOfSource(parts.db, source)
  const found: { index: IndexState; entries: IndexEntry[] }[] = []
  for (const index of state.indexes) {
    const chunks = (await chunksAt(parts, index.root)).filter((chunk) =>
      candidates.has(chunk.plain),
    )
    const entries: IndexEntry[] = []
    const room = createRoom()
    for (const chunk of chunks) {
      const text = await readChunk(parts, chunk, room)
      entries.push(...readStanzas(index.kind, stanzasWith(text, source), new Set([source])))
    }
    if (entries.length > 0) found.push({ index, entries })
  }
  return found
}

/** The stanzas in which this stands somewhere. */
function stanzasWith(text: Buffer, word: string): Buffer[] {
  const ranges = splitStanzas(text)
  const found: Buffer[] = []
  for (let at = 0; at < ranges.length; at += 2) {
    const stanza = text.subarray(ranges[at], ranges[at + 1])
    if (stanza.includes(word)) found.push(stanza)
  }
  return found
}

/** The indexes that either state has. */
export function indexNames(from: SuiteState | undefined, to: SuiteState | undefined): IndexName[] {
  const all = [...(from?.indexes ?? []), ...(to?.indexes ?? [])]
  const names = all.map(({ kind, component, architecture }) => ({ kind, component, architecture }))
  return [...new Map(names.map((name) => [indexPath(name), name])).values()]
}

async function diffIndexes(
  parts: IndexParts,
  roots: {
    readonly kind: IndexKind
    readonly left: Sha256 | undefined
    readonly right: Sha256 | undefined
    readonly phasing: Phasing
  },
  sources: SourceFilter,
): Promise<{ removed: IndexEntry[]; added: IndexEntry[] }> {
  const { kind, phasing } = roots
  const [left, right] = [await chunksAt(parts, roots.left), await chunksAt(parts, roots.right)]
  const [inLeft, inRight] = [digests(left), digests(right)]
  const isWanted = await chunkFilter(parts, sources)
  const old = left.filter((chunk) => !inRight.has(chunk.plain) && isWanted(chunk))
  const fresh = right.filter((chunk) => !inLeft.has(chunk.plain) && isWanted(chunk))
  const removed: IndexEntry[] = []
  const added: IndexEntry[] = []
  for await (const { before, after } of pairByName(parts, old, fresh)) {
    const gone = before.filter((old) => !after.some((text) => isAlike(old, text, phasing)))
    const come = after.filter((text) => !before.some((old) => isAlike(old, text, phasing)))
    removed.push(...readStanzas(kind, gone, sources))
    const texts = come.map((text) => taken(text, phasing))
    added.push(...readStanzas(kind, texts, sources))
  }
  return { removed, added }
}

/** The stanzas of one package name, as they stand in their chunks. */
interface NamedStanzas {
  readonly name: string
  readonly texts: Buffer[]
}

/** Goes through two lists of chunks side by side, name by name: texts are valid until the next name. */
async function* pairByName(
  parts: IndexParts,
  old: readonly Chunk[],
  fresh: readonly Chunk[],
): AsyncIterable<{ before: readonly Buffer[]; after: readonly Buffer[] }> {
  const [left, right] = [stanzasByName(parts, old), stanzasByName(parts, fresh)]
  let one = await left.next()
  let other = await right.next()
  while (!one.done || !other.done) {
    const first = one.done ? undefined : one.value.name
    const second = other.done ? undefined : other.value.name
    const isLeft = first !== undefined && (second === undefined || first <= second)
    const isRight = second !== undefined && (first === undefined || second <= first)
    const before = isLeft && !one.done ? one.value.texts : []
    const after = isRight && !other.done ? other.value.texts : []
    yield { before, after }
    if (isLeft) one = await left.next()
    if (isRight) other = await right.next()
  }
}

async function* stanzasByName(
  parts: IndexParts,
  chunks: readonly Chunk[],
): AsyncGenerator<NamedStanzas, undefined> {
  const room = createRoom()
  for (const chunk of chunks) {
    const text = await readChunk(parts, chunk, room)
    const ranges = splitStanzas(text)
    let open: NamedStanzas | undefined
    for (let at = 0; at < ranges.length; at += 2) {
      const [start = 0, end = 0] = ranges.subarray(at, at + 2)
      const name = fieldValue(text, start, end, 'Package') ?? ''
      if (open?.name !== name) {
        if (open !== undefined) yield open
        open = { name, texts: [] }
      }
      open.texts.push(text.subarray(start, end))
    }
    if (open !== undefined) yield open
  }
}

/** The stanzas of these sources, read; their bytes are copied, so that the chunk can go. */
function readStanzas(
  kind: IndexKind,
  stanzas: readonly Buffer[],
  sources: SourceFilter,
): IndexEntry[] {
  return stanzas
    .map((text) => ({
      ...readStanza(kind, text, { start: 0, end: text.length }),
      text: Buffer.from(text),
    }))
    .filter((entry) => sources === 'all' || sources.has(entry.source))
}

function digests(chunks: readonly Chunk[]): Set<Sha256> {
  return new Set(chunks.map((chunk) => chunk.plain))
}

/** With many sources, looking into every chunk costs less than asking where each source is. */
async function chunkFilter(
  parts: IndexParts,
  sources: SourceFilter,
): Promise<(chunk: Chunk) => boolean> {
  if (sources === 'all' || sources.size > 200) return () => true
  const wanted = new Set<Sha256>()
  for (const source of sources) {
    for (const plain of await chunksOfSource(parts.db, source)) wanted.add(plain)
  }
  return (chunk) => wanted.has(chunk.plain)
}
