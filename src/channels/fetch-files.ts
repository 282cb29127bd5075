/**
 * Fetching many files that are not here, a few at once; each is tried, whatever becomes of the others, unless whoever asks
 * says that it is enough.
 */
import { isGone } from '../archives/download.ts'
import { locate } from '../archives/locate.ts'
import type { Abortable } from '../base/abortable.ts'
import { type AppError, isAppError, toAppError } from '../base/errors.ts'
import { mapBounded } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from './channel-parts.ts'

const FETCHES_AT_ONCE = 6
const TELL_EVERY_MS = 200

export interface NeededFile {
  readonly sha256: Sha256
  readonly size: number
}

export interface FetchProgress {
  readonly done: number
  readonly total: number
  /** Those of files on their way are counted. */
  readonly doneBytes: number
  readonly totalBytes: number
}

/** A file that could not be fetched. */
export interface FetchFailure<File> {
  readonly file: File
  readonly error: AppError
  /** No URL has it, nor will in a moment; or no archive here knows of it. */
  readonly isGone: boolean
}

export interface FetchOptions<File> {
  readonly onFile?: ((progress: FetchProgress) => void) | undefined
  /** Whether to go on with the next file. */
  readonly goOn: (failure: FetchFailure<File>) => boolean
}

/**
 * Fetches these files into the store; resolves with those that failed, at once when it is not to go on. Files that were not
 * begun are not among them.
 */
export async function fetchFiles<File extends NeededFile>(
  parts: ChannelParts,
  files: readonly File[],
  { onFile, goOn }: FetchOptions<File>,
  { signal }: Abortable,
): Promise<FetchFailure<File>[]> {
  const tell = createTeller(files, onFile)
  const failures: FetchFailure<File>[] = []
  const enough = Promise.withResolvers<void>()
  let isOver = false
  const all = mapBounded(files, FETCHES_AT_ONCE, async (file) => {
    if (isOver) return
    signal?.throwIfAborted()
    try {
      const { wanted, source } = await locate(parts.db, file.sha256)
      const onBytes = (written: number): void => tell.written(file, written)
      await parts.downloads.fetch(wanted, source, { signal, onBytes })
      tell.done(file)
    } catch (error) {
      if (signal?.aborted) throw error
      const failure = { file, error: toAppError(error), isGone: isLost(error) }
      failures.push(failure)
      tell.failed(file)
      if (goOn(failure)) return
      isOver = true
      enough.resolve()
    }
  })
  await Promise.race([all, enough.promise])
  return failures
}

function isLost(error: unknown): boolean {
  return isGone(error) || isAppError(error, 'ERR_NOT_FOUND')
}

interface Teller<File> {
  written(file: File, bytes: number): void
  done(file: File): void
  failed(file: File): void
}

/** Adds up how far all files are; tells each that is done, and bytes five times a second. */
function createTeller<File extends NeededFile>(
  files: readonly File[],
  onFile: ((progress: FetchProgress) => void) | undefined,
): Teller<File> {
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0)
  const onTheirWay = new Map<File, number>()
  let done = 0
  let doneBytes = 0
  let toldAt = 0
  const tell = (): void => {
    toldAt = performance.now()
    const partly = [...onTheirWay.values()].reduce((sum, bytes) => sum + bytes, 0)
    onFile?.({ done, total: files.length, doneBytes: doneBytes + partly, totalBytes })
  }
  return {
    written: (file, bytes) => {
      onTheirWay.set(file, bytes)
      if (performance.now() - toldAt > TELL_EVERY_MS) tell()
    },
    done: (file) => {
      onTheirWay.delete(file)
      done += 1
      doneBytes += file.size
      tell()
    },
    failed: (file) => {
      onTheirWay.delete(file)
    },
  }
}
