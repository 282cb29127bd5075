/**
 * Collections by the server: with its settings, by hand and by itself once a day, at a quiet time; what the log and the
 * metrics tell of them.
 *
 * A night is quiet for most machines: between 2 and 6 o'clock, server's time, unless files are being fetched just then. A
 * server that is off at night, or never quiet, collects anyway when the last collection was a day and a half ago.
 */
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Reason } from '../channels/channel-parts.ts'
import { pruneChangelogs } from '../desk/changelog-table.ts'
import { collectGarbage, type GcInput, type GcReport } from '../keeping/gc.ts'
import { lastRun } from '../keeping/gc-runs.ts'
import type { Retention } from '../keeping/retention.ts'
import type { ServerParts } from './parts.ts'
import type { Job } from './schedule.ts'

const HOUR_MS = 3600_000
/** Between two looks whether it is time; with a schedule's jitter this spreads servers over the first hour of the night. */
const LOOK_MS = HOUR_MS / 2
const REST_MS = 20 * HOUR_MS
const LATEST_MS = 36 * HOUR_MS
/** A server that was just started has other things to do. */
const SETTLED_MS = HOUR_MS
const NIGHT = { from: 2, to: 6 }

/** Collects with the settings of this server. */
export async function collect(
  parts: ServerParts,
  input: Reason & Pick<GcInput, 'dryRun' | 'force' | 'onProgress'>,
  abortable: Abortable = {},
): Promise<GcReport> {
  const retention = retentionSettings(parts)
  const report = await collectGarbage(parts, { ...input, retention }, abortable)
  if (input.dryRun !== true) await pruneChangelogs(parts.db)
  return report
}

/** What channels keep that say nothing else. */
export function retentionSettings({ config }: ServerParts): Retention {
  return { generations: config.retainGenerations, days: config.retainDays }
}

/** When a collection is due, of a server that started at `startedAt` (epoch milliseconds, as all here). */
export interface GcTime {
  readonly now: number
  readonly startedAt: number
  /** When the last one ended, if there ever was one. */
  readonly lastAt: number | undefined
  readonly isQuiet: boolean
}

/** Whether it is time. */
export function isGcDue({ now, startedAt, lastAt = startedAt, isQuiet }: GcTime): boolean {
  const rested = now - lastAt
  if (rested >= LATEST_MS) return now - startedAt >= SETTLED_MS
  const hour = new Date(now).getHours()
  return isQuiet && rested >= REST_MS && hour >= NIGHT.from && hour < NIGHT.to
}

/** The job that collects by itself. */
export function gcJob(parts: ServerParts, log: Log): Job {
  const startedAt = parts.clock.now()
  return {
    name: 'gc',
    firstInMs: LOOK_MS,
    everyMs: LOOK_MS,
    retryMs: LOOK_MS,
    work: async (signal) => {
      const last = await lastRun(parts.db)
      const isQuiet = parts.downloads.active === 0
      const now = parts.clock.now()
      if (isGcDue({ now, startedAt, lastAt: last?.endedAt, isQuiet })) {
        await collectByItself(parts, log, signal)
      }
      return true
    },
  }
}

async function collectByItself(parts: ServerParts, log: Log, signal: AbortSignal): Promise<void> {
  try {
    const { deleted, durationMs } = await collect(
      parts,
      { who: 'system', why: 'once a day' },
      { signal },
    )
    log.info({ ...deleted, durationMs }, 'collected')
  } catch (error) {
    if (!isAppError(error, 'ERR_REFUSED')) throw error
    log.warn({ problem: error.message, hint: error.hint }, 'nothing was collected')
  }
}

/** Adds to the metrics what the last collection did, and whether it was kept from it. */
export function addGcMetrics(parts: ServerParts): void {
  parts.metrics.addGauge({
    name: 'gc_last_run',
    help: 'The last collection: braked (1 if it would have deleted too much), what it deleted, when it ended (seconds)',
    label: 'what',
    read: async () => {
      const run = await lastRun(parts.db)
      if (run === undefined) return []
      const figures = { ...(await gcFigures(parts)), ended_at: Math.floor(run.endedAt / 1000) }
      return Object.entries(figures)
    },
  })
}

/** The last collection in figures: of none, if there was none. */
export async function gcFigures({ db }: ServerParts): Promise<Record<string, number>> {
  const run = await lastRun(db)
  if (run === undefined) return {}
  const { generations, chunks, rowBytes, fileBytes } = run.figures
  return {
    braked: run.brake === undefined ? 0 : 1,
    failed: run.problem === undefined ? 0 : 1,
    generations,
    chunks,
    bytes: rowBytes + fileBytes,
  }
}
