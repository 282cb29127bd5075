/**
 * From an upstream index to one of ours: sorted, cut into chunks, its paths rewritten to the content-addressed pool
 * (index-kinds.ts), each chunk compressed once and kept.
 *
 * Works on what changed: a chunk whose upstream stanzas were seen before (`raw_chunk`) is taken as it is. Finished
 * chunks are written in batches while the rest is still being made, so that memory stays flat; nothing names them until
 * the suite state does, and after a crash they are found again.
 */
import { AppError, isAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { breathe, mapBounded } from '../base/mutex.ts'
import { type Sha256, sha256Stream } from '../base/sha256.ts'
import { type ByteSink, createByteSink } from '../debian/byte-sink.ts'
import { fieldLines, fieldValue } from '../debian/control.ts'
import { compareVersions } from '../debian/version.ts'
import { putRows } from '../store/blobs.ts'
import { inTransaction } from '../store/database.ts'
import { createChunkBatch, slices } from './chunk-batch.ts'
import { findChunksByRaw } from './chunk-table.ts'
import { cutByName } from './index-cut.ts'
import { publishStanza, readStanza, type StanzaFacts, versionField } from './index-kinds.ts'
import type { IndexParts } from './index-parts.ts'
import type { IndexText, StanzaBytes, StanzaFilter, StanzaList } from './index-text.ts'
import { buildTree, type Chunk } from './index-tree.ts'
import { CHUNKS_TOGETHER, type ChunkText, countLines, makeChunks } from './make-chunks.ts'
import type { Origin } from './origins.ts'
import type { IndexKind } from './suite-state.ts'

const GROUPS = 2

/** What came of reading an index. */
export interface BuiltIndex {
  readonly root: Sha256
  readonly chunks: readonly Chunk[]
  /** How many chunks had to be made. */
  readonly made: number
  /** Stanzas that could not be taken, with the reason. */
  readonly skipped: readonly SkippedStanza[]
}

export interface SkippedStanza {
  readonly package: string
  readonly reason: string
}

export interface BuildOptions {
  readonly kind: IndexKind
  readonly archiveId: number
  /** The stanzas to take, if not all. */
  readonly isTaken?: StanzaFilter | undefined
  /** Told the number of stanzas done, and of all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Stanzas in our order: by name, version and architecture. */
interface Sorted {
  readonly list: StanzaList
  /** Numbers of the stanzas in that order. */
  readonly order: Uint32Array
  /** Their names. */
  readonly names: readonly string[]
}

/**
 * Makes the index of the stanzas in `text`; its chunks and tree are in the store when it returns. `ERR_FORMAT` if the
 * text is no index at all.
 */
export async function buildIndex(
  parts: IndexParts,
  text: IndexText,
  options: BuildOptions,
): Promise<BuiltIndex> {
  const { kind } = options
  const sorted = sortStanzas(text.stanzas(options.isTaken), kind)
  const cuts = cutByName(sorted.names)
  const raws = await rawDigests(sorted, cuts, options)
  const known = await findChunksByRaw(parts.db, raws)
  const skipped: SkippedStanza[] = []
  const desk = { kind, sink: createByteSink(), places: [], weak: 0 }
  const total = sorted.names.length
  const slots = cuts.map(([from, to], at) => ({ from, to, raw: raws[at], at }))
  const chunks = slots.map(({ raw }) => (raw === undefined ? undefined : known.get(raw)))
  const open = slots.filter(({ at }) => chunks[at] === undefined)
  const batch = createChunkBatch(parts, options.archiveId, open.length)
  let done = total - open.reduce((sum, { from, to }) => sum + to - from, 0)
  // While the members of some are compressed, the next ones' stanzas are read.
  await mapBounded(slices(open, CHUNKS_TOGETHER), GROUPS, async (group) => {
    options.signal?.throwIfAborted()
    const drafts = await draftChunks(sorted, group, desk, skipped)
    const making = makeChunks(parts, drafts)
    const noting = batch.addOrigins(drafts.flatMap(({ origins }) => origins))
    const [noted] = await Promise.allSettled([noting, making])
    if (noted.status === 'rejected') throw noted.reason
    const made = await making
    const fresh = made.map((one, nth) => ({
      ...one,
      sources: drafts[nth]?.sources ?? [],
      raw: drafts[nth]?.raw,
    }))
    await batch.add(fresh)
    for (const [nth, { at, from, to }] of drafts.entries()) {
      chunks[at] = made[nth]?.chunk
      done += to - from
    }
    options.onProgress?.(done, total)
  })
  await batch.flush()
  const whole = chunks.filter((chunk) => chunk !== undefined)
  if (whole.length === 0) refuseWeak(skipped, desk)
  const tree = buildTree(whole)
  await inTransaction(parts.db, (trx) => putRows(trx, tree.blobs))
  crashPoint('refresh: index built')
  options.onProgress?.(total, total)
  return { root: tree.root, chunks: whole, made: open.length, skipped }
}

function sortStanzas(list: StanzaList, kind: IndexKind): Sorted {
  const { names } = list
  if (names.length > 0 && names.every((name) => name === '')) {
    throw new AppError('ERR_FORMAT', { message: 'the index holds no stanza of a package' })
  }
  const order = new Uint32Array(names.length).map((_, at) => at)
  const version = versionField(kind)
  const fieldsOf = (number: number): readonly [version: string, architecture: string] => {
    const { bytes, ranges } = list.read(Uint32Array.of(number))
    const field = (name: string): string =>
      fieldValue(bytes, ranges[0] ?? 0, ranges[1] ?? 0, name) ?? ''
    return [field(version), field('Architecture')]
  }
  order.sort((a, b) => {
    const left = names[a] ?? ''
    const right = names[b] ?? ''
    if (left !== right) return left < right ? -1 : 1
    const [one, other] = [fieldsOf(a), fieldsOf(b)]
    const byVersion = compareVersions(one[0], other[0])
    if (byVersion !== 0) return byVersion
    const [first, second] = [one.join(' '), other.join(' ')]
    if (first !== second) return first < second ? -1 : 1
    return a - b
  })
  return { list, order, names: Array.from(order, (at) => names[at] ?? '') }
}

/**
 * Digests of each chunk's upstream stanzas. The archive is part of them: its origins were written with the chunk; and so
 * is the kind, which says what was made of them.
 */
async function rawDigests(
  { list, order }: Sorted,
  cuts: readonly [number, number][],
  { archiveId, kind }: BuildOptions,
): Promise<Sha256[]> {
  const digests: Sha256[] = []
  const begin = Buffer.from(kind === 'Packages' ? `${archiveId}\n` : `${archiveId} ${kind}\n`)
  for (const [from, to] of cuts) {
    const hash = sha256Stream()
    hash.update(begin)
    hash.update(list.read(order.subarray(from, to)).bytes)
    digests.push(hash.digest())
    if (digests.length % 50 === 0) await breathe()
  }
  return digests
}

/** A chunk to be made: its stanzas in our order, its place among the chunks, the digest of its upstream stanzas. */
interface Slot {
  readonly from: number
  readonly to: number
  readonly at: number
  readonly raw: Sha256 | undefined
}

/** A chunk's text, and what goes with it. */
interface Draft extends ChunkText {
  readonly sources: readonly string[]
  readonly origins: readonly Omit<Origin, 'archiveId'>[]
}

/** Drafts of these; one whose stanzas all cannot be taken has none. */
async function draftChunks(
  { list, order }: Sorted,
  slots: readonly Slot[],
  desk: DraftDesk,
  skipped: SkippedStanza[],
): Promise<(Draft & Slot)[]> {
  const drafts: (Draft & Slot)[] = []
  for (const slot of slots) {
    const draft = draftChunk(desk, list.read(order.subarray(slot.from, slot.to)), skipped)
    if (draft !== undefined) drafts.push({ ...draft, ...slot })
    if (slot.at % 4 === 0) await breathe()
  }
  return drafts
}

/** What drafts are made with: a stanza's text is put here, and its fields are found once. */
interface DraftDesk {
  readonly kind: IndexKind
  readonly sink: ByteSink
  readonly places: number[]
  /** Stanzas without a SHA256, or with weaker digests alone. */
  weak: number
}

function draftChunk(
  desk: DraftDesk,
  { bytes, ranges }: StanzaBytes,
  skipped: SkippedStanza[],
): Draft | undefined {
  const { kind, sink, places } = desk
  const origins: Omit<Origin, 'archiveId'>[] = []
  const taken: StanzaFacts[] = []
  let previous: StanzaFacts | undefined
  for (let at = 0; at < ranges.length; at += 2) {
    const start = ranges[at] ?? 0
    const end = ranges[at + 1] ?? 0
    const begin = sink.used
    try {
      places.length = 0
      const place = { start, end, places: fieldLines(bytes, start, end, places) }
      const facts = readStanza(kind, bytes, place)
      // The same package twice: apt would see both; a channel's index has room for one, the first.
      if (previous !== undefined && isSame(facts, previous)) {
        const reason = secondOf(facts, previous)
        if (reason !== undefined) skipped.push({ package: facts.name, reason })
        continue
      }
      previous = facts
      publishStanza(facts, bytes, place, sink)
      sink.text('\n')
      origins.push(...facts.files)
      taken.push(facts)
    } catch (error) {
      if (!isAppError(error, 'ERR_FORMAT')) throw error
      sink.used = begin
      const { missing } = error.details ?? {}
      if (missing === 'SHA256' || missing === 'Checksums-Sha256') desk.weak += 1
      const name = fieldValue(bytes, start, end, 'Package') ?? ''
      skipped.push({ package: name, reason: error.message })
    }
  }
  const first = taken[0]?.name
  const last = taken.at(-1)?.name
  const text = sink.take()
  if (first === undefined || last === undefined) return undefined
  const lines = countLines(text)
  return { text, lines, stanzas: taken.length, first, last, sources: sourcesOf(taken), origins }
}

function isSame(a: StanzaFacts, b: StanzaFacts): boolean {
  return a.name === b.name && a.version === b.version && a.architecture === b.architecture
}

/** What there is to say of a package that stands there a second time. */
function secondOf(facts: StanzaFacts, first: StanzaFacts): string | undefined {
  if (facts.files[0]?.sha256 === first.files[0]?.sha256) return undefined
  const { name, version, architecture } = facts
  return `${name} ${version} ${architecture} stands there twice, with other bytes: the first counts`
}

/** Of an index that has no package left for want of a digest, nothing is taken: it would look as if all were gone. */
function refuseWeak(skipped: readonly SkippedStanza[], { weak }: DraftDesk): void {
  const [first] = skipped
  if (first === undefined || weak < skipped.length) return
  throw new AppError('ERR_FORMAT', {
    message: `none of its packages has a SHA256 (${first.package}, for one), and no weaker digest is taken`,
    hint: 'apt refuses such packages too: ask the vendor for SHA256 in Packages',
  })
}

/** The source packages of these stanzas, each once; Translation entries have none. */
export function sourcesOf(stanzas: readonly Pick<StanzaFacts, 'source'>[]): string[] {
  return [...new Set(stanzas.map(({ source }) => source))].filter((source) => source !== '')
}
