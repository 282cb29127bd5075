/**
 * One attempt to bring one file: its temp file, how far it is, and how it ends. The life of the temp file is the life
 * of the attempt: a broken transfer resumes within it, with Range, from the same or another URL. Bytes that turn out
 * wrong end it for all its readers; as long as nobody has read any, it begins again with another temp file instead.
 *
 * What a reader may have: everything but the last 64 KiB while it arrives, those only after the digest matched, so
 * that no client ever holds a complete wrong file (design.md, invariant 3). A smaller file is given only when verified.
 */
import type { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { BlobStore } from '../store/blobs.ts'
import { type Bell, createBell } from './bell.ts'
import type { Partial } from './download-partials.ts'
import type { Upstream } from './upstream.ts'

/** Bytes at the end of a file that are given out only when it is verified. */
export const HOLD_BACK = 64 * 1024

/** The latest bytes are kept in memory for the readers that keep up, so much of them and in so many pieces. */
const recentBytes = 256 * 1024
const recentPieces = 32

/** What a client wants: a file that a verified index names. */
export interface Wanted {
  readonly sha256: Sha256
  readonly size: number
  /** For messages: `hello 2.10-3 amd64`. */
  readonly label: string
}

/** What downloads write to their log; pino's loggers fit. */
export interface DownloadLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** What every download needs. */
export interface DownloadParts {
  readonly blobs: BlobStore
  readonly upstream: Upstream
  /** A URL that is silent for so long gets the next one as a rival; 3 s. */
  readonly rivalAfterMs?: number | undefined
  /** For how long a large file is tried again that broke off; 20 s, less than apt waits for more. */
  readonly breakPatienceMs?: number | undefined
  /** Connections at once for one large file; one, unless told. */
  readonly parallelRanges?: number | undefined
  readonly log?: DownloadLog | undefined
}

/** An attempt as its readers see it. */
export interface Job {
  readonly wanted: Wanted
  /** Epoch seconds. */
  readonly modifiedAt: number
  /** Rings at every change of what follows. */
  readonly bell: Bell
  recent: Recent
  /** URLs that were asked. */
  readonly tried: Set<string>
  /** Nothing is given out before all is verified: the last attempt was wrong. */
  readonly isCautious: boolean
  /** Somebody waits for it, not only for what comes before it. */
  isUrgent: boolean
  /** Somebody has bytes of it: it cannot begin again. */
  isRead: boolean
  /** The temp file, once there is one. */
  path: string | undefined
  written: number
  /** What an earlier job brought is given out when there is more: who asks for the rest may be told that there is none. */
  begunAt: number
  /** The digest is right: readers may have all of it, though it may not be in the store yet. */
  isRight: boolean
  /** All bytes are in the store. */
  isVerified: boolean
  error: AppError | undefined
}

/** How a job starts otherwise. */
export interface JobOptions {
  /** All its bytes, where they are in memory already. */
  readonly whole?: Buffer | undefined
  readonly isCautious?: boolean | undefined
  /** What an earlier job has brought. */
  readonly begun?: Partial | undefined
}

/** A job at its start. */
export function createJob(
  wanted: Wanted,
  modifiedAt: number,
  { whole, isCautious = false, begun }: JobOptions = {},
): Job {
  return {
    wanted,
    modifiedAt,
    bell: createBell(),
    recent:
      whole === undefined ? createRecent() : { add: () => {}, take: whole.subarray.bind(whole) },
    tried: new Set(),
    isCautious,
    isUrgent: false,
    // Clients that have its bytes must not come upon others of the same Last-Modified.
    isRead: begun?.isRead ?? false,
    path: begun?.writer.path,
    written: begun?.written ?? 0,
    begunAt: begun?.written ?? 0,
    isRight: false,
    isVerified: false,
    error: undefined,
  }
}

/** Forgets the bytes that came, which nobody has read. */
export function startOver(job: Job): void {
  job.path = undefined
  job.written = 0
  job.begunAt = 0
  job.recent = createRecent()
  job.bell.ring()
}

/** How many bytes readers may have now. */
export function releasedBytes(job: Job): number {
  if (job.isRight) return job.wanted.size
  if (job.isCautious || job.written === job.begunAt) return 0
  return Math.max(0, Math.min(job.written, job.wanted.size - HOLD_BACK))
}

/** Whether the job has ended, well or not. */
export function isSettled(job: Job): boolean {
  return job.isVerified || job.error !== undefined
}

/** The latest bytes of a file that grows. */
export interface Recent {
  add(start: number, data: Buffer): void
  /** Bytes from `at`, at most to `end`; undefined if they are not here (any more). */
  take(at: number, end: number): Buffer | undefined
}

function createRecent(): Recent {
  const pieces: { start: number; data: Buffer }[] = []
  let total = 0
  return {
    add: (start, data) => {
      pieces.push({ start, data })
      total += data.length
      while (total > recentBytes || pieces.length > recentPieces) {
        total -= pieces.shift()?.data.length ?? total
      }
    },
    take: (at, end) => {
      const piece = pieces.find(({ start, data }) => start <= at && at < start + data.length)
      return piece?.data.subarray(at - piece.start, end - piece.start)
    },
  }
}
