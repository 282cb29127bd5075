/**
 * Files that clients asked for and upstream did not have right: what is wrong and since when, for `archive show`. Kept
 * in memory, since the next client that asks brings it up again; over when the file is in the store, or nobody asked
 * for it for a day.
 *
 * It is the memory of refusals, too: who asks for the same file right after is told the same, and upstream is not asked
 * again. That it has no such file holds for a minute, or until its archive was refreshed; trouble for three seconds, which
 * is less than apt's tries take. Wrong bytes are not remembered: another try of apt mends them.
 */
import { isGone } from '../archives/download.ts'
import type { Located } from '../archives/locate.ts'
import type { Clock } from '../base/clock.ts'
import { type AppError, toAppError } from '../base/errors.ts'
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
  /** Why this file could not be had from the same URLs a moment ago; undefined lets upstream be asked. */
  recall(located: Located): AppError | undefined
  /** Upstream may have it by now. */
  forgive(archive: string): void
  /** The problems of an archive, the newest first. */
  list(archive: string): Promise<FileProblem[]>
}

interface Entry extends FileProblem {
  readonly archive: string
  readonly error: AppError
  /** Where it was asked for. */
  readonly urls: string
  /** For how long it is told to others. */
  readonly holdsMs: number
}

const GONE_MS = 60_000
const TROUBLE_MS = 3_000
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
    note: (located, thrown) => {
      const { wanted, archive } = located
      const error = toAppError(thrown)
      if (error.code === 'ERR_INTERRUPTED' || error.code === 'ERR_OFFLINE') return
      const { code, message, hint } = error
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
        error,
        urls: urlsOf(located),
        holdsMs: holdsFor(error),
      })
      const [first] = entries.keys()
      if (entries.size > MAX_ENTRIES && first !== undefined) entries.delete(first)
    },
    recall: (located) => {
      const entry = entries.get(located.wanted.sha256)
      if (entry === undefined || entry.urls !== urlsOf(located)) return undefined
      const ageMs = clock.now() - entry.lastAt
      // One of the future was noted before the clock was set back.
      return ageMs >= 0 && ageMs < entry.holdsMs ? entry.error : undefined
    },
    forgive: (archive) => {
      for (const [sha256, entry] of entries) {
        if (entry.archive === archive) entries.set(sha256, { ...entry, holdsMs: 0 })
      }
    },
    list: async (archive) => {
      await sweep()
      const own = [...entries.values()].filter((entry) => entry.archive === archive)
      return own
        .reverse()
        .map(({ archive: _, error: _error, urls: _urls, holdsMs: _holdsMs, ...problem }) => problem)
    },
  }
}

function urlsOf({ source }: Located): string {
  return [...source.urls, ...(source.fallbacks ?? [])].join(' ')
}

function holdsFor(error: AppError): number {
  if (error.code === 'ERR_DIGEST_MISMATCH' || error.code === 'ERR_SIZE_MISMATCH') return 0
  if (isGone(error)) return GONE_MS
  const isTrouble = error.code.startsWith('ERR_UPSTREAM') && error.details?.isUnderWay !== true
  return isTrouble ? TROUBLE_MS : 0
}
