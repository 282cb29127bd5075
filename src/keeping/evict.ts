/**
 * Eviction: which files go to keep the store below its size limit, and how.
 *
 * What can go is a file of an archive's pool (its origin is known, so that it can be had again) that nothing pins.
 * Pinned is what
 *   - a kept generation of a curated or derived channel or of a class names;
 *   - a kept generation of a following channel names and upstream lists no more: what was rescued. The rest of it is not
 *     pinned: it names the whole of its archives, which is a promise to be reachable, not to be here;
 *   - a local archive has: nobody else does;
 *   - has no origin, nor is named by what was learned: what was made here, and the indexes, which go when `gc` says so.
 * What was used least lately goes first.
 *
 * Order: chosen -> doomed (store/doomed.ts) -> whoever was at work before has ended -> looked at again, since he may have
 * published -> rows, then files of those that are still doomed. Who asks for one meanwhile spares it; who reads one goes
 * on reading. What a crash leaves doomed the next collection spares.
 */
import { membersNamed } from '../archives/chunk-removal.ts'
import { withoutOrigin } from '../archives/origins.ts'
import { type Abortable, waitFor } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256Bytes } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Books, chunksOf } from '../channels/file-ledger.ts'
import { learnedFiles } from '../proxy/learned-roots.ts'
import { listUsed, pruneUse, type UsedFile } from '../store/blob-use.ts'
import { doom, spare } from '../store/doomed.ts'
import type { Amount } from './file-counts.ts'

const PAGE = 500
const AT_ONCE = 100
/** Uses are summed up by spans of ten minutes. */
const SPAN_MS = 600_000

export interface Eviction {
  readonly evicted: Amount
  /** What could have gone, before. */
  readonly evictable: Amount
}

/** Evicts files of some `bytes`, a little more or less than that if there is not so much. */
export async function evictFiles(
  parts: ChannelParts,
  bytes: number,
  { signal }: Abortable = {},
): Promise<Eviction> {
  await parts.blobs.use.flush()
  await pruneUse(parts.db)
  const { chosen, evictable } = await parts.ledger.look((books) => choose(parts, books, bytes), {
    signal,
  })
  if (chosen.length === 0) return { evicted: { files: 0, bytes: 0 }, evictable }
  const doomedAt = parts.clock.now()
  const all = chosen.map(({ sha256 }) => sha256)
  await doom(parts.db, 'blob', all, doomedAt)
  crashPoint('evict: doomed')
  try {
    await waitFor(parts.leases.othersEnded(), signal)
    const free = await parts.ledger.look((books) => stillFree(parts, books, all), { signal })
    return { evicted: await remove(parts, free, doomedAt, signal), evictable }
  } finally {
    await spare(parts.db, 'blob', all)
  }
}

/** How much could go now. */
export async function countEvictable(
  parts: Pick<ChannelParts, 'db' | 'blobs' | 'clock' | 'ledger'>,
  { signal }: Abortable = {},
): Promise<Amount> {
  const { evictable } = await parts.ledger.look((books) => choose(parts, books, 0), { signal })
  return evictable
}

interface Choice {
  readonly chosen: readonly UsedFile[]
  readonly evictable: Amount
}

/** Goes through the files twice: for the time before which enough was used last, then for those that were. */
async function choose(parts: EvictParts, books: Books, bytes: number): Promise<Choice> {
  const candidates = await candidatesOf(parts, books)
  const bytesAt = new Map<number, number>()
  const evictable = { files: 0, bytes: 0 }
  for await (const page of candidates()) {
    for (const { usedAt, size } of page) {
      const span = Math.floor(usedAt / SPAN_MS)
      bytesAt.set(span, (bytesAt.get(span) ?? 0) + size)
      evictable.files += 1
      evictable.bytes += size
    }
  }
  let left = bytes
  let last = Number.NEGATIVE_INFINITY
  for (const [span, size] of [...bytesAt].sort(([a], [b]) => a - b)) {
    if (left <= 0) break
    left -= size
    last = span
  }
  const chosen: UsedFile[] = []
  if (left === bytes) return { chosen, evictable }
  for await (const page of candidates()) {
    chosen.push(...page.filter(({ usedAt }) => Math.floor(usedAt / SPAN_MS) <= last))
  }
  // Of those of the last span no more than are needed.
  chosen.sort((a, b) => a.usedAt - b.usedAt)
  left = bytes
  const enough = chosen.findIndex(({ size }) => {
    left -= size
    return left <= 0
  })
  return { chosen: enough < 0 ? chosen : chosen.slice(0, enough + 1), evictable }
}

type EvictParts = Pick<ChannelParts, 'db' | 'blobs' | 'clock'>

/** Walks through what can go, page by page, as often as it is called. */
async function candidatesOf(
  parts: EvictParts,
  books: Books,
): Promise<() => AsyncGenerator<readonly UsedFile[]>> {
  const { db, blobs, clock } = parts
  const isPinned = pinnedBy(books)
  const learned = await learnedFiles(parts)
  const now = clock.now()
  // One that was used in the future was so by a clock that was set back since: from now on that counts as now.
  const dated = (file: UsedFile): UsedFile => {
    if (file.usedAt <= now) return file
    blobs.use.touch(file.sha256)
    return { ...file, usedAt: now }
  }
  return async function* pages() {
    for (let after: Sha256 | undefined; ; ) {
      const page = await listUsed(db, after, PAGE)
      const free = page.filter(({ sha256 }) => !isPinned(sha256))
      const digests = free.map(({ sha256 }) => sha256)
      const made = await withoutOrigin(db, digests)
      yield free.filter(({ sha256 }) => !made.has(sha256) || learned.has(sha256)).map(dated)
      after = page.at(-1)?.sha256
      if (page.length < PAGE) return
      await breathe()
    }
  }
}

/** The rule of the head, origins apart. */
function pinnedBy(books: Books): (sha256: Sha256) => boolean {
  if (!books.isWhole) {
    throw new AppError('ERR_STORE', {
      message: 'nothing is evicted from a store that is damaged',
      hint: 'sluice verify tells all that is wrong',
    })
  }
  const pinned = new Uint8Array(books.files.count)
  const suitesOf = (isFollowing: boolean) =>
    books.generations
      .filter(({ channel }) => (channel.kind === 'following') === isFollowing)
      .flatMap(({ suites }) => suites)
  const local = books.archives.filter(({ settings }) => settings.kind === 'local')
  const isOurs = new Set(local.map(({ name }) => name))
  const own = books.current.filter(({ archive }) => isOurs.has(archive))
  for (const { files } of chunksOf([...suitesOf(false), ...own]))
    for (const file of files) pinned[file] = 1
  for (const { files } of chunksOf(suitesOf(true))) {
    for (const file of files) if (!books.isListed(file)) pinned[file] = 1
  }
  return (sha256) => {
    const file = books.files.find(sha256Bytes(sha256), 0)
    return file >= 0 && pinned[file] === 1
  }
}

async function stillFree(
  parts: EvictParts,
  books: Books,
  all: readonly Sha256[],
): Promise<Sha256[]> {
  const isPinned = pinnedBy(books)
  const free = all.filter((sha256) => !isPinned(sha256))
  // One that came by a promotion from another server may have lost its origin meanwhile.
  const made = await withoutOrigin(parts.db, free)
  const learned = await learnedFiles(parts)
  return free.filter((sha256) => !made.has(sha256) || learned.has(sha256))
}

async function remove(
  parts: ChannelParts,
  free: readonly Sha256[],
  doomedAt: number,
  signal: AbortSignal | undefined,
): Promise<Amount> {
  const gone = { files: 0, bytes: 0 }
  for (let at = 0; at < free.length; at += AT_ONCE) {
    signal?.throwIfAborted()
    const some = free.slice(at, at + AT_ONCE)
    await parts.leases.deleting(() =>
      parts.blobs.removeDoomed(some, {
        before: doomedAt + 1,
        named: membersNamed,
        note: async (_trx, removed) => {
          gone.files += removed.length
          gone.bytes += removed.reduce((sum, { size }) => sum + size, 0)
        },
      }),
    )
    crashPoint('evict: files gone')
    await breathe()
  }
  return gone
}
