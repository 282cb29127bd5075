/**
 * The scrub: all blobs are read and hashed again in the background, once in so many days, a little each minute, so slowly
 * that nobody notices. A damaged file is put aside and fetched again (mend.ts); a damaged row of the database is told.
 *
 * What a client makes suspicious (it asked for the very same file again at once) is looked at before the others.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Bell, createBell } from '../archives/bell.ts'
import { withTimeout } from '../base/abortable.ts'
import { isAppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Log } from '../base/log.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { blobTotals } from '../store/blob-lists.ts'
import { absentBlobs, type BlobRow, listBlobs } from '../store/blob-removal.ts'
import { readRows } from '../store/blobs.ts'
import { mendFiles } from './mend.ts'
import { readPass, type ScrubPass, savePass } from './scrub-table.ts'
import { hashFile } from './verify-blobs.ts'

const DAY_MS = 24 * 3600_000
const SLICE_MS = 60_000
/** At the least in each slice, and at the most in a second. */
const SLICE_BYTES = 4 * 1024 * 1024
const BYTES_PER_S = 20 * 1024 * 1024
/** A pass is done some days before the next one begins. */
const IN_TIME = 0.8
const PAGE = 50
const MOST_SUSPECTS = 100
const AGAIN_MS = 3600_000
/** So many times as long as it took to look at a suspect, none is looked at. */
const REST = 9
/** Suspects that were looked at, and are remembered. */
const MOST_CLEARED = 20_000
/** For so long a damaged file can be looked at. */
const ASIDE_MS = 30 * DAY_MS

export interface ScrubOptions {
  /** From one pass to the next; 0 is never. */
  readonly days: number
  readonly sliceMs?: number | undefined
}

export interface ScrubStatus extends Partial<ScrubPass> {
  readonly days: number
}

export interface Scrub {
  start(): void
  status(): Promise<ScrubStatus>
  /** Resolves when all that is suspicious was looked at. */
  settle(): Promise<void>
  stop(): Promise<void>
}

interface State {
  readonly parts: ChannelParts
  readonly log: Log
  readonly days: number
  readonly sliceMs: number
  readonly stopping: AbortController
  /** Rings when there is a suspect, and when none is left. */
  readonly news: Bell
  readonly suspects: Set<Sha256>
  /** When a suspect was looked at: `performance.now()`. */
  readonly cleared: Lru<Sha256, number>
}

/** A scrub that has not begun. */
export function createScrub(
  parts: ChannelParts,
  log: Log,
  { days, sliceMs = SLICE_MS }: ScrubOptions,
): Scrub {
  const state: State = {
    ...{ parts, log, days, sliceMs },
    stopping: new AbortController(),
    news: createBell(),
    suspects: new Set(),
    cleared: createLru(MOST_CLEARED),
  }
  let running: Promise<void> | undefined
  return {
    start: () => {
      if (running !== undefined) return
      running = run(state).catch(() => undefined)
      parts.blobs.news.listen({ suspected: (sha256) => suspect(state, sha256) })
    },
    status: async () => ({ days, ...(await readPass(parts.db)) }),
    settle: async () => {
      while (state.suspects.size > 0) await state.news.wait(state.stopping.signal)
    },
    stop: async () => {
      state.stopping.abort()
      await running
    },
  }
}

function suspect({ suspects, cleared, news }: State, sha256: Sha256): void {
  if (suspects.size >= MOST_SUSPECTS || suspects.has(sha256)) return
  const lookedAt = cleared.get(sha256) ?? Number.NEGATIVE_INFINITY
  if (performance.now() - lookedAt < AGAIN_MS) return
  suspects.add(sha256)
  news.ring()
}

async function run(state: State): Promise<void> {
  const { stopping, news, suspects, cleared, log, sliceMs } = state
  const { signal } = stopping
  let nextAt = performance.now() + sliceMs
  while (!signal.aborted) {
    const left = nextAt - performance.now()
    if (left > 0 && suspects.size === 0) await news.wait(withTimeout(signal, Math.ceil(left)))
    try {
      for (const sha256 of suspects) {
        const before = performance.now()
        await examine(state, sha256).finally(() => suspects.delete(sha256))
        const now = performance.now()
        cleared.set(sha256, now)
        news.ring()
        // A client that asks for many files again and again has the rest of our time.
        await pause(REST * (now - before), undefined, { signal })
        if (performance.now() > nextAt) break
      }
      if (performance.now() < nextAt) continue
      nextAt = performance.now() + sliceMs
      if (state.days > 0) await scrubSlice(state)
    } catch (error) {
      if (signal.aborted) return
      const { code, message } = toAppError(error)
      log.error({ code, problem: message }, 'scrub failed')
    }
  }
}

async function scrubSlice(state: State): Promise<void> {
  const { parts, days, sliceMs, stopping } = state
  const now = parts.clock.now()
  const last = await readPass(parts.db)
  // One that began in the future did so by a clock that was set back since.
  const isRecent = last !== undefined && last.beganAt <= now && now < last.beganAt + days * DAY_MS
  if (last?.endedAt !== undefined && isRecent) return
  const isNew = last === undefined || last.endedAt !== undefined
  let pass: ScrubPass = isNew ? { beganAt: now, blobs: 0, bytes: 0, damaged: 0, lost: 0 } : last
  if (isNew) await parts.blobs.clearQuarantine(Date.now() - ASIDE_MS)
  const { rowBytes, fileBytes } = await blobTotals(parts.db)
  const part = sliceMs / (IN_TIME * days * DAY_MS)
  const until = pass.bytes + Math.max(SLICE_BYTES, (rowBytes + fileBytes) * part)
  while (pass.bytes < until && pass.endedAt === undefined) {
    stopping.signal.throwIfAborted()
    const page = await listBlobs(parts.db, pass.after, PAGE)
    pass = await scrubPage(state, pass, page, until)
    if (page.length === 0) pass = { ...pass, endedAt: parts.clock.now(), after: undefined }
    await savePass(parts.db, pass)
    crashPoint('scrub: a page done')
  }
}

/** As many of these as are due. */
async function scrubPage(
  state: State,
  before: ScrubPass,
  page: readonly BlobRow[],
  until: number,
): Promise<ScrubPass> {
  let { blobs, bytes, damaged, lost, after } = before
  for (const blob of page) {
    if (bytes >= until) break
    const found = blob.isFile ? await examine(state, blob.sha256) : await examineRow(state, blob)
    blobs++
    bytes += blob.size
    after = blob.sha256
    if (found !== 'whole') damaged++
    if (found === 'lost') lost++
  }
  return { ...before, blobs, bytes, damaged, lost, after }
}

/** Hashes a file; one that is damaged is put aside, and fetched again if it can be. */
async function examine(state: State, sha256: Sha256): Promise<'whole' | 'mended' | 'lost'> {
  const { parts, log, stopping } = state
  const { signal } = stopping
  const pace = (bytes: number): Promise<void> =>
    pause((bytes / BYTES_PER_S) * 1000, undefined, { signal })
  if ((await hashFile(parts, sha256, pace)) === sha256) return 'whole'
  const isDamaged = await parts.leases.deleting(async () => {
    // It may have been deleted, or come again, meanwhile.
    if ((await absentBlobs(parts.db, [sha256])).length > 0) return false
    if ((await hashFile(parts, sha256)) === sha256) return false
    await parts.blobs.forget(sha256)
    return true
  })
  if (!isDamaged) return 'whole'
  const [mended] = await mendFiles(parts, [sha256], { signal })
  const { outcome = 'lost', label, message } = mended ?? {}
  log.error({ sha256, file: label, outcome, problem: message }, 'a damaged file was put aside')
  return outcome === 'lost' ? 'lost' : 'mended'
}

async function examineRow({ parts, log }: State, { sha256 }: BlobRow): Promise<'whole' | 'lost'> {
  try {
    const [data = Buffer.alloc(0)] = await readRows(parts.db, [sha256])
    if (sha256Of(data) === sha256) return 'whole'
  } catch (error) {
    // Deleted meanwhile.
    if (isAppError(error, 'ERR_BLOB_MISSING')) return 'whole'
    throw error
  }
  log.error({ sha256, hint: 'sluice verify' }, 'bytes in the database are not what their name says')
  return 'lost'
}
