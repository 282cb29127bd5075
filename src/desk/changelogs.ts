/**
 * What changelogs say of source packages, out of those of their packages that are here: each is read once, and kept by its
 * digest (changelog-table.ts). Nothing is fetched: of a source none of whose packages is here, that is told.
 *
 * Who asks waits for packages that were not read before for a few seconds; the reading goes on when he is gone, a few
 * packages at a time, and what is not read by then is told as that.
 */
import { setTimeout } from 'node:timers/promises'
import { beginningOf, type DebPackage, findChangelog } from '../archives/deb-changelog.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, isAppError } from '../base/errors.ts'
import { createMutex } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { absentBlobs } from '../store/blob-removal.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { Db } from '../store/database.ts'
import { type ChangelogDigest, digestChangelog } from './changelog-digest.ts'
import { findChangelogs, putChangelog } from './changelog-table.ts'

/** A binary package of a source package, by its file. */
export interface SourceDeb extends DebPackage {
  readonly sha256: Sha256
  /** Bytes. */
  readonly size: number
}

/**
 * `none`: its packages have no changelog; `not here`: those that may have one are not; `unread`: they are, and were not read
 * in time.
 */
export type KnownChangelog = ChangelogDigest | 'none' | 'not here' | 'unread'

export interface ChangelogReader {
  /** What is known of each source, told as its packages, in their order. */
  know(sources: readonly (readonly SourceDeb[])[], abortable?: Abortable): Promise<KnownChangelog[]>
  /** Ends what is under way, and waits for its end. */
  close(): Promise<void>
}

const LANES = 2
/** Packages without a changelog that are looked into before it is given up. */
const MAX_TRIES = 4
/** Of a text, what may hold the newest entries. */
const READ_BYTES = 256 * 1024
/** Being read, or about to be. */
const MAX_WAITING = 5000
const PATIENCE_MS = 10_000

/** Nothing is under way yet; `patienceMs` is how long who asks waits. */
export function createChangelogReader(
  { db, blobs }: { readonly db: Db; readonly blobs: BlobStore },
  patienceMs = PATIENCE_MS,
): ChangelogReader {
  const lanes = Array.from({ length: LANES }, () => createMutex())
  const running = new Map<Sha256, Promise<KnownChangelog>>()
  const stop = new AbortController()
  let turn = 0
  const start = (debs: readonly SourceDeb[], first: SourceDeb): Promise<KnownChangelog> => {
    const lane = lanes[turn++ % LANES] ?? createMutex()
    const work = lane(() => readFirst({ db, blobs }, debs, stop))
      // Its reader goes on with the others; whoever asks next tries again.
      .catch((): KnownChangelog => 'unread')
      .finally(() => running.delete(first.sha256))
    running.set(first.sha256, work)
    return work
  }
  return {
    know: async (sources, { signal } = {}) => {
      const digests = sources.flatMap((debs) => debs.map((deb) => deb.sha256))
      const known = await findChangelogs(db, digests)
      const unknown = digests.filter((one) => !known.has(one))
      const absent = new Set(await absentOf(db, unknown))
      const late = new AbortController()
      const patience = setTimeout(patienceMs, 'unread' as const, { signal: late.signal })
      patience.catch(() => undefined)
      try {
        return await Promise.all(
          sources.map((debs): KnownChangelog | Promise<KnownChangelog> => {
            const settled = settledBy(debs, known, absent)
            if (settled !== 'unread') return settled
            const here = debs.filter(({ sha256 }) => !known.has(sha256) && !absent.has(sha256))
            const [first] = here.sort((a, b) => a.size - b.size)
            if (first === undefined || signal?.aborted === true) return 'unread'
            const under = running.get(first.sha256)
            if (under === undefined && running.size >= MAX_WAITING) return 'unread'
            return Promise.race([under ?? start(debs, first), patience])
          }),
        )
      } finally {
        late.abort()
      }
    },
    close: async () => {
      stop.abort()
      await Promise.all(running.values())
    },
  }
}

/** What rows tell, without reading anything; `unread` if something is to be read. */
function settledBy(
  debs: readonly SourceDeb[],
  known: ReadonlyMap<Sha256, ChangelogDigest | 'none'>,
  absent: ReadonlySet<Sha256>,
): KnownChangelog {
  let without = 0
  let isHere = false
  for (const { sha256 } of debs) {
    const one = known.get(sha256)
    if (one === 'none') without += 1
    else if (one !== undefined) return one
    else if (!absent.has(sha256)) isHere = true
  }
  if (without === debs.length || without >= MAX_TRIES) return 'none'
  return isHere ? 'unread' : 'not here'
}

/** Reads packages that are here, small ones first, until one has a changelog, and writes down what each says. */
async function readFirst(
  { db, blobs }: { readonly db: Db; readonly blobs: BlobStore },
  debs: readonly SourceDeb[],
  { signal }: { readonly signal: AbortSignal },
): Promise<KnownChangelog> {
  const known = await findChangelogs(
    db,
    debs.map((deb) => deb.sha256),
  )
  const absent = new Set(
    await absentOf(
      db,
      [...debs].map((deb) => deb.sha256),
    ),
  )
  const open = ({ sha256 }: SourceDeb) => blobs.openFile(sha256)
  for (const deb of [...debs].sort((a, b) => a.size - b.size)) {
    signal.throwIfAborted()
    const settled = settledBy(debs, known, absent)
    if (settled !== 'unread') return settled
    if (known.has(deb.sha256) || absent.has(deb.sha256)) continue
    const read = await readOne({ debs, open, signal }, deb)
    if (read === 'not here') {
      absent.add(deb.sha256)
      continue
    }
    known.set(deb.sha256, read)
    await putChangelog(db, deb.sha256, read)
  }
  return settledBy(debs, known, absent)
}

/** A package that cannot be read has no changelog that could be told; it cannot be installed either. */
async function readOne(
  search: Parameters<typeof findChangelog<SourceDeb>>[0],
  deb: SourceDeb,
): Promise<ChangelogDigest | 'none' | 'not here'> {
  try {
    const found = await findChangelog(search, deb)
    if (found === 'none' || found === 'not here') return found
    return digestChangelog((await beginningOf(found, READ_BYTES, search)).toString())
  } catch (error) {
    const isItsOwn =
      error instanceof AppError &&
      (isAppError(error, 'ERR_FORMAT') || isAppError(error, 'ERR_TOO_LARGE'))
    if (isItsOwn) return 'none'
    throw error
  }
}

async function absentOf(db: Db, digests: readonly Sha256[]): Promise<Sha256[]> {
  const absent: Sha256[] = []
  for (let at = 0; at < digests.length; at += 1000)
    absent.push(...(await absentBlobs(db, digests.slice(at, at + 1000))))
  return absent
}
