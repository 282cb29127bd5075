/**
 * Files that clients asked for and upstream did not have right: what is wrong and since when, for `archive show`. Kept
 * in memory, since the next client that asks brings it up again; over when the file is in the store, or nobody asked
 * for it for a day.
 */
import type { Located } from '../archives/locate.ts'
import type { Clock } from '../base/clock.ts'
import { isAppError, toAppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { BlobStore } from '../store/blobs.ts'

export interface FileProblem {
  /** `hello_2.10-3_amd64.deb` */
  readonly file: string
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
  /** Epoch milliseconds of the first failure, and of the last. */
  readonly since: number
  readonly lastAt: number
}

export interface FileProblems {
  /** Remembers that this file could not be had. */
  note(located: Located, error: unknown): void
  /** The problems of an archive, the newest first. */
  list(archive: string): Promise<FileProblem[]>
}

interface Entry extends FileProblem {
  readonly archive: string
}

const FORGOTTEN_AFTER_MS = 24 * 3_600_000
const MAX_ENTRIES = 1000

/** No problems yet. */
export function createFileProblems(blobs: BlobStore, clock: Clock): FileProblems {
  const entries = new Map<Sha256, Entry>()
  const sweep = async (): Promise<void> => {
    const here = await blobs.present([...entries.keys()])
    const oldest = clock.now() - FORGOTTEN_AFTER_MS
    for (const [sha256, { lastAt }] of entries) {
      if (here.has(sha256) || lastAt < oldest) entries.delete(sha256)
    }
  }
  return {
    note: ({ wanted, archive }, error) => {
      if (isAppError(error, 'ERR_INTERRUPTED')) return
      const { code, message, hint } = toAppError(error)
      const lastAt = clock.now()
      const since = entries.get(wanted.sha256)?.since ?? lastAt
      entries.delete(wanted.sha256)
      entries.set(wanted.sha256, {
        archive,
        file: wanted.label,
        code,
        message,
        hint,
        since,
        lastAt,
      })
      const [first] = entries.keys()
      if (entries.size > MAX_ENTRIES && first !== undefined) entries.delete(first)
    },
    list: async (archive) => {
      await sweep()
      const own = [...entries.values()].filter((entry) => entry.archive === archive)
      return own.reverse().map(({ archive: _, ...problem }) => problem)
    },
  }
}
