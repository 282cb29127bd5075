/**
 * A new index out of an old one: some stanzas taken out, some put in. Only the chunks that they touch are made anew.
 *
 * The result is the same, byte for byte, as if the index had been cut from its stanzas afresh. A boundary before a name
 * that starts a chunk anywhere is fixed; a forced one (index-cut.ts) moves with what is before it. So the list falls
 * into runs, from one fixed boundary to the next, and a run that is touched is cut again as a whole.
 */
import { crashPoint } from '../base/fault.ts'
import type { Sha256 } from '../base/sha256.ts'
import { splitStanzas } from '../debian/control.ts'
import { compareVersions } from '../debian/version.ts'
import { putRows } from '../store/blobs.ts'
import { inTransaction } from '../store/database.ts'
import { addChunks, type NewChunk } from './chunk-table.ts'
import { sourcesOf } from './index-build.ts'
import { cutByName, startsChunk } from './index-cut.ts'
import { readNames, readStanza } from './index-kinds.ts'
import { chunksAt, type IndexEntry, type IndexParts, readChunk } from './index-parts.ts'
import { buildTree, type Chunk } from './index-tree.ts'
import { CHUNKS_TOGETHER, type ChunkText, countLines, makeChunks } from './make-chunks.ts'
import type { IndexKind } from './suite-state.ts'

const BLANK = Buffer.from('\n')

/**
 * What to change, all of one kind: stanzas are known by name, version and architecture; one that is put in replaces its
 * like.
 */
export interface IndexEdit {
  readonly remove: readonly IndexEntry[]
  readonly add: readonly IndexEntry[]
}

/** A stanza whose name no edit has. */
type Bystander = Pick<IndexEntry, 'name' | 'source' | 'text'>

/** A run of chunks from one fixed boundary to the next. */
interface Run {
  chunks: Chunk[]
  isTouched: boolean
}

/** The index at `root` (undefined: an empty one) after the edit; its chunks and tree are in the store on return. */
export async function editIndex(
  parts: IndexParts,
  root: Sha256 | undefined,
  edit: IndexEdit,
): Promise<Sha256> {
  const old = await chunksAt(parts, root)
  const runs = touchedRuns(splitRuns(old), edit)
  // Without an edit no run is touched, and none is read.
  const kind = (edit.add[0] ?? edit.remove[0])?.kind ?? 'Packages'
  const names = new Set([...edit.remove, ...edit.add].map(({ name }) => name))
  const fresh: NewChunk[] = []
  const chunks: Chunk[] = []
  let open: (IndexEntry | Bystander)[] = []
  for (const [at, run] of runs.entries()) {
    if (!run.isTouched) {
      chunks.push(...run.chunks)
      continue
    }
    for (const chunk of run.chunks) open.push(...(await readSome(parts, chunk, { kind, names })))
    if (runs[at + 1]?.isTouched) continue
    chunks.push(...(await recut(parts, applyEdit(open, edit, spanOf(runs, at)), fresh)))
    open = []
  }
  const tree = buildTree(chunks)
  await inTransaction(parts.db, async (trx) => {
    await addChunks(trx, fresh)
    await putRows(trx, tree.blobs)
    crashPoint('edit: before the commit')
  })
  crashPoint('edit: index written')
  return tree.root
}

function splitRuns(chunks: readonly Chunk[]): Run[] {
  const runs: Run[] = []
  for (const chunk of chunks) {
    const run = runs.at(-1)
    if (run === undefined || startsChunk(chunk.first))
      runs.push({ chunks: [chunk], isTouched: false })
    else run.chunks.push(chunk)
  }
  return runs.length > 0 ? runs : [{ chunks: [], isTouched: false }]
}

/** Marks the runs that hold an edited name; and the run before one whose first name may go: they may become one. */
function touchedRuns(runs: Run[], edit: IndexEdit): Run[] {
  const gone = new Set(edit.remove.map((entry) => entry.name))
  for (const name of new Set([...edit.remove, ...edit.add].map((entry) => entry.name))) {
    const at = runIndexOf(runs, name)
    const run = runs[at]
    if (run === undefined) continue
    run.isTouched = true
    const before = runs[at - 1]
    const mayJoin = gone.has(name) && run.chunks[0]?.first === name
    if (before !== undefined && mayJoin) before.isTouched = true
  }
  return runs
}

/** The last run that begins at or before the name; the first one for names before all. */
function runIndexOf(runs: readonly Run[], name: string): number {
  let low = 0
  let high = runs.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((runs[middle]?.chunks[0]?.first ?? '') <= name) low = middle
    else high = middle - 1
  }
  return low
}

/** The names that stretch of touched runs ending with run `last` answers for: from its first name up to the next run's. */
function spanOf(
  runs: readonly Run[],
  last: number,
): { from: string | undefined; to: string | undefined } {
  let first = last
  while (first > 0 && runs[first - 1]?.isTouched) first--
  return {
    from: first === 0 ? undefined : runs[first]?.chunks[0]?.first,
    to: runs[last + 1]?.chunks[0]?.first,
  }
}

/** The stanzas of a chunk: those of these names are read, of the others no more than where they stand. */
async function readSome(
  parts: IndexParts,
  chunk: Chunk,
  { kind, names }: { readonly kind: IndexKind; readonly names: ReadonlySet<string> },
): Promise<(IndexEntry | Bystander)[]> {
  const buf = await readChunk(parts, chunk)
  const ranges = splitStanzas(buf)
  const entries: (IndexEntry | Bystander)[] = []
  for (let at = 0; at < ranges.length; at += 2) {
    const place = { start: ranges[at] ?? 0, end: ranges[at + 1] ?? 0 }
    const text = buf.subarray(place.start, place.end)
    const known = readNames(kind, buf, place)
    const facts = names.has(known.name) ? readStanza(kind, buf, place) : known
    entries.push({ ...facts, text })
  }
  return entries
}

function applyEdit(
  entries: readonly (IndexEntry | Bystander)[],
  edit: IndexEdit,
  span: { from: string | undefined; to: string | undefined },
): (IndexEntry | Bystander)[] {
  const isHere = ({ name }: IndexEntry): boolean =>
    (span.from === undefined || name >= span.from) && (span.to === undefined || name < span.to)
  const added = edit.add.filter(isHere)
  const dropped = new Set([...edit.remove, ...added].map(entryKey))
  const kept = entries.filter((entry) => !('version' in entry && dropped.has(entryKey(entry))))
  return [...kept, ...added].sort(compareEntries)
}

/** What makes two stanzas of an index the same package: name, version and architecture. */
export function entryKey(entry: Pick<IndexEntry, 'name' | 'version' | 'architecture'>): string {
  return `${entry.name} ${entry.version} ${entry.architecture}`
}

/** Bystanders of one name stay as they stand. */
function compareEntries(a: IndexEntry | Bystander, b: IndexEntry | Bystander): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1
  if (!('version' in a && 'version' in b)) return 0
  const byVersion = compareVersions(a.version, b.version)
  if (byVersion !== 0) return byVersion
  const [left, right] = [entryKey(a), entryKey(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

async function recut(
  parts: IndexParts,
  entries: readonly Bystander[],
  fresh: NewChunk[],
): Promise<Chunk[]> {
  const cuts = cutByName(entries.map((entry) => entry.name))
  const chunks: Chunk[] = []
  for (let at = 0; at < cuts.length; at += CHUNKS_TOGETHER) {
    const runs = cuts.slice(at, at + CHUNKS_TOGETHER).map(([from, to]) => entries.slice(from, to))
    const made = await makeChunks(parts, runs.map(textOf))
    for (const [nth, one] of made.entries()) {
      chunks.push(one.chunk)
      fresh.push({ ...one, sources: sourcesOf(runs[nth] ?? []) })
    }
  }
  return chunks
}

function textOf(stanzas: readonly Bystander[]): ChunkText {
  const text = Buffer.concat(stanzas.flatMap((entry) => [entry.text, BLANK]))
  return {
    text,
    lines: countLines(text),
    stanzas: stanzas.length,
    first: stanzas[0]?.name ?? '',
    last: stanzas.at(-1)?.name ?? '',
  }
}
