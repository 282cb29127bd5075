/**
 * What changelogs say of source packages, out of those of their packages that are here: each is read once, and kept by its
 * digest (read-changelogs.ts). Nothing is fetched: of a source none of whose packages is here, that is told.
 *
 * Who asks waits for packages that were not read before for a few seconds; the reading goes on when he is gone, a few
 * packages at a time, and what is not read by then is told as that.
 */
import { setTimeout } from 'node:timers/promises'
import type { Abortable } from '../base/abortable.ts'
import { createMutex } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { Db } from '../store/database.ts'
import {
  type KnownChangelog,
  lookUp,
  readSource,
  type SourceDeb,
  settledBy,
} from './read-changelogs.ts'

export type { KnownChangelog }

export interface ChangelogReader {
  /** What is known of each source, told as its packages, in their order; who asks waits for `patienceMs`. */
  know(
    sources: readonly (readonly SourceDeb[])[],
    waiting?: Abortable & { readonly patienceMs?: number | undefined },
  ): Promise<KnownChangelog[]>
  /** Ends what is under way, and waits for its end. */
  close(): Promise<void>
}

const LANES = 2
/** Being read, or about to be. */
const MAX_WAITING = 5000
const PATIENCE_MS = 10_000

/** Nothing is under way yet. */
export function createChangelogReader({
  db,
  blobs,
}: {
  readonly db: Db
  readonly blobs: BlobStore
}): ChangelogReader {
  const lanes = Array.from({ length: LANES }, () => createMutex())
  const running = new Map<Sha256, Promise<KnownChangelog>>()
  const stop = new AbortController()
  const open = ({ sha256 }: SourceDeb) => blobs.openFile(sha256)
  const reading = { db, open, canFetch: false, signal: stop.signal }
  let turn = 0
  const start = (debs: readonly SourceDeb[], first: SourceDeb): Promise<KnownChangelog> => {
    const lane = lanes[turn++ % LANES] ?? createMutex()
    const work = lane(() => readSource(reading, debs))
      // Its reader goes on with the others; whoever asks next tries again.
      .catch((): KnownChangelog => 'unread')
      .finally(() => running.delete(first.sha256))
    running.set(first.sha256, work)
    return work
  }
  return {
    know: async (sources, { signal, patienceMs = PATIENCE_MS } = {}) => {
      const facts = await lookUp(db, sources.flat())
      const late = new AbortController()
      const patience = setTimeout(patienceMs, 'unread' as const, { signal: late.signal })
      patience.catch(() => undefined)
      try {
        return await Promise.all(
          sources.map((debs): KnownChangelog | Promise<KnownChangelog> => {
            const settled = settledBy(debs, facts)
            if (settled !== 'unread') return settled
            const here = debs.filter(
              ({ sha256 }) => !facts.known.has(sha256) && !facts.absent.has(sha256),
            )
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
