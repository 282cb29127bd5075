/**
 * What came of files whose mirrors all failed for the moment: kept for ten minutes, so that whoever asks again goes on there,
 * with the same Last-Modified, since they are the same bytes. Only a few: their temp files take room. A start of the server
 * finds none.
 */
import type { Sha256 } from '../base/sha256.ts'
import type { BlobWriter } from '../store/blob-writer.ts'
import type { Job } from './download-job.ts'

const keptMs = 600_000
const mostKept = 4
/** Less is fetched again. */
const leastBytes = 1024 * 1024

/** The beginning of a file, and where it is from. */
export interface Partial {
  readonly writer: BlobWriter
  readonly written: number
  readonly givers: ReadonlySet<string>
  readonly modifiedAt: number
  /** Clients have bytes of it. */
  readonly isRead: boolean
}

export interface Partials {
  /** Takes over what a job has that ended, if that is worth it; else removes it. */
  keep(job: Job, writer: BlobWriter, givers: ReadonlySet<string>): Promise<void>
  /** Hands it out, once. */
  take(sha256: Sha256): Partial | undefined
  /** Removes all, for the room that they take. */
  clear(): Promise<void>
  /** Removes all, and keeps no more. */
  close(): Promise<void>
}

/** None yet. */
export function createPartials(): Partials {
  const kept = new Map<Sha256, { partial: Partial; timer: NodeJS.Timeout }>()
  let isClosed = false
  const take = (sha256: Sha256): Partial | undefined => {
    const found = kept.get(sha256)
    kept.delete(sha256)
    clearTimeout(found?.timer)
    return found?.partial
  }
  const drop = async (sha256: Sha256): Promise<void> => take(sha256)?.writer.abort()
  const clear = async (): Promise<void> => {
    for (const sha256 of [...kept.keys()]) await drop(sha256)
  }
  return {
    keep: async ({ wanted: { sha256 }, written, modifiedAt, isRead }, writer, givers) => {
      if (isClosed || written < leastBytes) return writer.abort()
      const [oldest] = kept.keys()
      if (kept.size >= mostKept && oldest !== undefined) await drop(oldest)
      const timer = setTimeout(() => drop(sha256).catch(() => undefined), keptMs).unref()
      kept.set(sha256, { partial: { writer, written, givers, modifiedAt, isRead }, timer })
    },
    take,
    clear,
    close: async () => {
      isClosed = true
      await clear()
    },
  }
}
