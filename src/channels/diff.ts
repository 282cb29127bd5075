/**
 * What differs between two suite states: only chunks that one of them has alone are read, so that the cost follows the
 * difference.
 */
import { chunksOfSource } from '../archives/chunk-table.ts'
import { entryKey } from '../archives/index-edit.ts'
import { chunksAt, type IndexEntry, type IndexParts, readEntries } from '../archives/index-parts.ts'
import type { Chunk } from '../archives/index-tree.ts'
import { findIndex, type IndexState, type SuiteState } from '../archives/suite-state.ts'
import type { Sha256 } from '../base/sha256.ts'
import { compareVersions } from '../debian/version.ts'
import type { SourceChange } from './channel-table.ts'

/** Which source packages to look at: all, or those of this set. */
export type SourceFilter = ReadonlySet<string> | 'all'

/** The stanzas that one index has alone and that the other has alone. */
export interface IndexDiff {
  readonly component: string
  readonly architecture: string
  readonly removed: readonly IndexEntry[]
  readonly added: readonly IndexEntry[]
}

/** How `to` differs from `from`, index by index; either may be absent. */
export async function diffStates(
  parts: IndexParts,
  from: SuiteState | undefined,
  to: SuiteState | undefined,
  sources: SourceFilter,
): Promise<IndexDiff[]> {
  const diffs: IndexDiff[] = []
  for (const { component, architecture } of allIndexes(from, to)) {
    const left = findIndex(from, { component, architecture })?.root
    const right = findIndex(to, { component, architecture })?.root
    if (left === right) continue
    const { removed, added } = await diffIndexes(parts, left, right, sources)
    if (removed.length + added.length > 0) diffs.push({ component, architecture, removed, added })
  }
  return diffs
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
    for (const chunk of chunks) {
      entries.push(...(await readEntries(parts, chunk)).filter((entry) => entry.source === source))
    }
    if (entries.length > 0) found.push({ index, entries })
  }
  return found
}

function allIndexes(
  from: SuiteState | undefined,
  to: SuiteState | undefined,
): Pick<IndexState, 'component' | 'architecture'>[] {
  const all = [...(from?.indexes ?? []), ...(to?.indexes ?? [])]
  const byName = new Map(all.map((index) => [`${index.component} ${index.architecture}`, index]))
  return [...byName.values()]
}

async function diffIndexes(
  parts: IndexParts,
  from: Sha256 | undefined,
  to: Sha256 | undefined,
  sources: SourceFilter,
): Promise<{ removed: IndexEntry[]; added: IndexEntry[] }> {
  const [left, right] = [await chunksAt(parts, from), await chunksAt(parts, to)]
  const [inLeft, inRight] = [digests(left), digests(right)]
  const isWanted = await chunkFilter(parts, sources)
  const old = await entriesOf(
    parts,
    left.filter((c) => !inRight.has(c.plain) && isWanted(c)),
    sources,
  )
  const fresh = await entriesOf(
    parts,
    right.filter((c) => !inLeft.has(c.plain) && isWanted(c)),
    sources,
  )
  const removed = [...old].filter(
    ([key, entry]) => fresh.get(key)?.sha256 !== entry.sha256 || !isSameText(fresh.get(key), entry),
  )
  const added = [...fresh].filter(
    ([key, entry]) => old.get(key)?.sha256 !== entry.sha256 || !isSameText(old.get(key), entry),
  )
  return { removed: removed.map(([, entry]) => entry), added: added.map(([, entry]) => entry) }
}

function isSameText(a: IndexEntry | undefined, b: IndexEntry): boolean {
  return a?.text.equals(b.text) === true
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

async function entriesOf(
  parts: IndexParts,
  chunks: readonly Chunk[],
  sources: SourceFilter,
): Promise<Map<string, IndexEntry>> {
  const entries = new Map<string, IndexEntry>()
  for (const chunk of chunks) {
    for (const entry of await readEntries(parts, chunk)) {
      if (sources === 'all' || sources.has(entry.source)) entries.set(entryKey(entry), entry)
    }
  }
  return entries
}
