/**
 * Upstream's text of an index, fetched, verified and unpacked into a scratch file; and the next one's while an index is
 * made of the first: unpacking is the work of another thread.
 */
import type { Abortable } from '../base/abortable.ts'
import { crashPoint, hasCrashPlan } from '../base/fault.ts'
import type { ReleaseFile } from '../debian/release.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { fetchIndex, type IndexSource } from './fetch-index.ts'
import { type IndexText, openIndexText } from './index-text.ts'
import type { WantedIndex } from './wanted-indexes.ts'

/** The text of an index, which whoever has it closes, and the files that it came in. */
export interface LoadedIndex {
  readonly text: IndexText
  readonly fetched: readonly ReleaseFile[]
}

/** How to load: when to stop, and whom to tell how many bytes of how many are here. */
export interface LoadOptions extends Abortable {
  readonly onBytes?: ((written: number, size: number) => void) | undefined
}

/** Loads an index; Translation entries can be filtered by their Description-md5, and packages by architecture, if need be. */
export async function loadIndex(
  parts: Pick<ArchiveParts, 'blobs' | 'downloads'>,
  source: IndexSource,
  { kind, paths, only }: WantedIndex,
  options: LoadOptions,
): Promise<LoadedIndex> {
  const others = only === undefined ? undefined : 'Architecture'
  const keyField = kind === 'Translation' ? 'Description-md5' : others
  const text = await openIndexText(parts.blobs.tempPath(), keyField)
  try {
    const fetched: ReleaseFile[] = []
    for (const path of paths) fetched.push(await fetchIndex(parts, source, { path, text }, options))
    crashPoint('refresh: index fetched')
    return { text, fetched }
  } catch (error) {
    await text.close()
    throw error
  }
}

/** How a job is loaded: until the signal, and whether anybody waits for it yet. */
export interface LoadHow {
  readonly signal: AbortSignal
  readonly isNow: () => boolean
}

/** Loads of a list of jobs, at most one of them ahead of its time. */
export interface Loads<Job> {
  /** What this job needs: what was loaded ahead, or loaded now. */
  take(job: Job): Promise<LoadedIndex>
  /** Begins to load for the first job behind this one that surely needs it. */
  startNext(job: Job, isSure: (job: Job) => boolean): void
  /** Ends what is loaded and was not taken. */
  close(): Promise<void>
}

/** Where crash points are counted, nothing is loaded ahead. */
export function loadAhead<Job>(
  jobs: readonly Job[],
  load: (job: Job, how: LoadHow) => Promise<LoadedIndex>,
): Loads<Job> {
  const stop = new AbortController()
  let current: Job | undefined
  let ahead: { readonly job: Job; readonly loaded: Promise<LoadedIndex> } | undefined
  const start = (job: Job): Promise<LoadedIndex> =>
    load(job, { signal: stop.signal, isNow: () => current === job })
  return {
    take: (job) => {
      current = job
      if (ahead?.job !== job) return start(job)
      const { loaded } = ahead
      ahead = undefined
      return loaded
    },
    startNext: (job, isSure) => {
      const next = jobs.slice(jobs.indexOf(job) + 1).find(isSure)
      if (next === undefined || ahead !== undefined || hasCrashPlan()) return
      ahead = { job: next, loaded: start(next) }
      // It counts when it is taken.
      ahead.loaded.catch(() => undefined)
    },
    close: async () => {
      stop.abort()
      const loaded = await ahead?.loaded.catch(() => undefined)
      await loaded?.text.close()
    },
  }
}
