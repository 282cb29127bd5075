/**
 * What a collection would do, found out without changing anything: which generations expired, what nothing names without
 * them, and what of that was doomed long enough to be deleted now.
 *
 * Chunks come before blobs, since they name files. Each is read once. A file is kept while a chunk that is kept names it;
 * where it can be had (its origin) is known while any chunk at all names it, because a chunk that nothing names may be
 * used again until it is deleted.
 */
import { type ChunkRecord, listChunks } from '../archives/chunk-removal.ts'
import type { EarlierState } from '../archives/earlier-states.ts'
import { STATE_BEGIN } from '../archives/suite-state.ts'
import { createDigestSet, type DigestSet } from '../base/digest-set.ts'
import { breathe, mapBounded } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { markLearned } from '../proxy/learned-roots.ts'
import { listReleaseIds } from '../signing/publication-table.ts'
import { type BlobRow, blobsBeginning, listBlobs } from '../store/blob-removal.ts'
import { doomedSince } from '../store/doomed.ts'
import { type GcFigures, noFigures, type StoreFigures } from './gc-figures.ts'
import { type Marked, mark } from './gc-mark.ts'
import { type ChunkNames, createNames, filesOf } from './gc-names.ts'
import { countOrphans } from './gc-origins.ts'
import { type ExpiredGenerations, gatherRoots } from './gc-roots.ts'
import type { Retention } from './retention.ts'

/** What nothing names is deleted when that is known for so long. */
const GRACE_MS = 24 * 3600_000
const CHUNKS_AT_ONCE = 64
const READERS = 4
const BLOBS_AT_ONCE = 200

/** Told while it works: how much of what is done. */
export type OnProgress = (what: string, done: number, total: number) => void

export interface PlanInput {
  readonly retention: Retention
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface GcPlan {
  /** Epoch milliseconds: what nothing names is doomed since now. */
  readonly now: number
  /** What was doomed before this time goes. */
  readonly before: number
  readonly expired: readonly ExpiredGenerations[]
  readonly over: readonly EarlierState[]
  /** What goes now. */
  readonly due: GcFigures
  /** What nothing names either, and goes when it was so for a day. */
  readonly waiting: StoreFigures
  /** All that is in the store. */
  readonly totals: StoreFigures
  readonly dueStates: ReadonlySet<Sha256>
  /** What is doomed from now on. */
  readonly doom: Listed
  /** What was doomed and is named again. */
  readonly spare: Listed
  readonly names: ChunkNames
}

/** Digests of blobs, and of chunks' texts. */
export interface Listed {
  readonly blob: readonly Sha256[]
  readonly chunk: readonly Sha256[]
}

/** Makes the plan; the clock's time now is when it is for. */
export async function planCollection(parts: ChannelParts, input: PlanInput): Promise<GcPlan> {
  const now = parts.clock.now()
  const before = Math.min(now - GRACE_MS + 1, parts.leases.oldest() ?? now)
  const { roots, expired, over, generations } = await gatherRoots(parts, input.retention, now)
  const marked = await mark(parts, roots, input.signal)
  await markLearned(parts, marked.blobs)
  const chunks = await walkChunks(parts, marked, before, input)
  const blobs = await walkBlobs(parts, { marked, chunks, before }, input)
  const dueStates = await statesAmong(parts, blobs.dueRows)
  const named = new Set(roots.releases)
  const releases = (await listReleaseIds(parts.db)).filter((id) => !named.has(id)).length
  const dropped = expired.reduce((sum, { serials }) => sum + serials.length, 0)
  return {
    now,
    before,
    expired,
    over,
    due: {
      ...noFigures,
      generations: dropped,
      releases,
      states: dueStates.size,
      chunks: chunks.due,
      ...blobs.due,
      origins: await countOrphans(parts, chunks.names, input.signal),
    },
    waiting: { generations: 0, chunks: chunks.waiting, ...blobs.waiting },
    totals: { generations, chunks: chunks.total, ...blobs.totals },
    dueStates,
    doom: { blob: blobs.doom, chunk: chunks.doom },
    spare: { blob: blobs.spare, chunk: chunks.spare },
    names: chunks.names,
  }
}

interface ChunkWalk {
  readonly names: ChunkNames
  readonly doom: Sha256[]
  readonly spare: Sha256[]
  /** Members of chunks that nothing names: of those that go now, and of those that wait. */
  readonly dueMembers: DigestSet
  readonly waitingMembers: DigestSet
  due: number
  waiting: number
  total: number
}

async function walkChunks(
  parts: ChannelParts,
  marked: Marked,
  before: number,
  { onProgress, signal }: PlanInput,
): Promise<ChunkWalk> {
  const walk: ChunkWalk = {
    names: createNames(marked.blobs),
    doom: [],
    spare: [],
    dueMembers: createDigestSet(),
    waitingMembers: createDigestSet(),
    due: 0,
    waiting: 0,
    total: 0,
  }
  for (let after = 0; ; ) {
    signal?.throwIfAborted()
    const page = await listChunks(parts.db, after, CHUNKS_AT_ONCE)
    const plains = page.map((chunk) => chunk.plain)
    const since = await doomedSince(parts.db, 'chunk', plains)
    const staying: ChunkRecord[] = []
    for (const chunk of page) {
      const isLive = marked.chunks.has(chunk.plain)
      const doomedAt = since.get(chunk.plain)
      if (isLive && doomedAt !== undefined) walk.spare.push(chunk.plain)
      if (!isLive && doomedAt === undefined) walk.doom.push(chunk.plain)
      const isDue = !isLive && doomedAt !== undefined && doomedAt < before
      if (isDue) walk.due++
      if (!isDue && !isLive) walk.waiting++
      if (!isLive) (isDue ? walk.dueMembers : walk.waitingMembers).add(chunk.member)
      if (!isDue) staying.push(chunk)
    }
    await mapBounded(staying, READERS, async (chunk) => {
      const keep = marked.chunks.has(chunk.plain) ? marked.blobs.add : walk.names.add
      for (const digest of await filesOf(parts, chunk)) keep(digest)
      walk.names.chunks.add(chunk.plain)
    })
    walk.total += page.length
    onProgress?.('chunks', walk.total, Math.max(walk.total, marked.chunks.size))
    after = page.at(-1)?.id ?? after
    if (page.length < CHUNKS_AT_ONCE) return walk
    await breathe()
  }
}

type Bytes = Omit<StoreFigures, 'generations' | 'chunks'>

interface BlobWalk {
  readonly doom: Sha256[]
  readonly spare: Sha256[]
  /** Small blobs that go now, members of chunks apart. */
  readonly dueRows: Sha256[]
  readonly due: Bytes
  readonly waiting: Bytes
  readonly totals: Bytes
}

async function walkBlobs(
  parts: ChannelParts,
  known: { readonly marked: Marked; readonly chunks: ChunkWalk; readonly before: number },
  { onProgress, signal }: PlanInput,
): Promise<BlobWalk> {
  const { marked, chunks } = known
  const [due, waiting, totals] = [counter(), counter(), counter()]
  const walk = { doom: [] as Sha256[], spare: [] as Sha256[], dueRows: [] as Sha256[] }
  for (let after: Sha256 | undefined; ; ) {
    signal?.throwIfAborted()
    const page = await listBlobs(parts.db, after, BLOBS_AT_ONCE)
    const digests = page.map((blob) => blob.sha256)
    const since = await doomedSince(parts.db, 'blob', digests)
    for (const blob of page) {
      const { sha256 } = blob
      totals.add(blob)
      const doomedAt = since.get(sha256)
      if (marked.blobs.has(sha256)) {
        if (doomedAt !== undefined) walk.spare.push(sha256)
        continue
      }
      if (doomedAt === undefined) walk.doom.push(sha256)
      const isOver = doomedAt !== undefined && doomedAt < known.before
      const isDue = isOver && !chunks.waitingMembers.has(sha256)
      const figures = isDue ? due : waiting
      figures.add(blob)
      if (isDue && !blob.isFile && !chunks.dueMembers.has(sha256)) walk.dueRows.push(sha256)
    }
    onProgress?.('blobs', totals.rows + totals.files, totals.rows + totals.files)
    after = page.at(-1)?.sha256 ?? after
    if (page.length < BLOBS_AT_ONCE)
      return { ...walk, due: due.sum(), waiting: waiting.sum(), totals: totals.sum() }
    await breathe()
  }
}

function counter(): Bytes & { add(blob: BlobRow): void; sum(): Bytes } {
  const sums = { rows: 0, rowBytes: 0, files: 0, fileBytes: 0 }
  return Object.assign(sums, {
    add: ({ size, isFile }: BlobRow) => {
      sums[isFile ? 'files' : 'rows'] += 1
      sums[isFile ? 'fileBytes' : 'rowBytes'] += size
    },
    sum: () => {
      const { rows, rowBytes, files, fileBytes } = sums
      return { rows, rowBytes, files, fileBytes }
    },
  })
}

async function statesAmong(parts: ChannelParts, digests: readonly Sha256[]): Promise<Set<Sha256>> {
  const states = new Set<Sha256>()
  for (let at = 0; at < digests.length; at += 200) {
    const some = digests.slice(at, at + 200)
    for (const state of await blobsBeginning(parts.db, some, STATE_BEGIN)) states.add(state)
    await breathe()
  }
  return states
}
