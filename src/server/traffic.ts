/**
 * Counts what clients are sent, by archive, for `/metrics` and `sluice stats`: plain numbers in memory, which cost a
 * request nothing, and every half minute into the database what came since.
 *
 * A kill loses that half minute, nobody's bytes. Saved is what clients were sent and upstream did not have to send.
 */
import type { UpstreamHealth } from '../archives/upstream-health.ts'
import type { Clock } from '../base/clock.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createMutex } from '../base/mutex.ts'
import type { Db } from '../store/database.ts'
import {
  type Amounts,
  type ArchiveAmounts,
  addTraffic,
  noAmounts,
  sumTraffic,
} from './traffic-table.ts'

/** A file came from the store, was fetched for it, or was handed through. */
export type FileOutcome = 'hit' | 'miss' | 'pass'

export interface Traffic {
  /** Counts a file of which so many bytes are sent; no archive for what is in none. */
  count(outcome: FileOutcome, sentBytes: number, archive?: string): void
  /** Since the server was started, by archive. */
  lanes(): ReadonlyMap<string, Readonly<Amounts>>
  /** All of them together. */
  totals(): Amounts
  /** Of today, of the last 7 days, and of all time, by archive. */
  report(): Promise<TrafficReport>
  /** Writes what was counted so far; if that fails it is logged, and tried again. */
  flush(): Promise<void>
  close(): Promise<void>
}

export interface TrafficReport {
  readonly today: readonly ArchiveAmounts[]
  readonly week: readonly ArchiveAmounts[]
  readonly ever: readonly ArchiveAmounts[]
}

export interface TrafficParts {
  readonly db: Db
  readonly clock: Clock
  readonly health: Pick<UpstreamHealth, 'bytesOf'>
  readonly log: Log
}

const FLUSH_MS = 30_000
const DAY_MS = 24 * 3600_000
const KEPT_DAYS = 35
/** Archives that are told apart; they are an administrator's, or learned from machines. */
const MAX_ARCHIVES = 500

/** Begins to count. */
export function createTraffic({ db, clock, health, log }: TrafficParts): Traffic {
  const lanes = new Map<string, Amounts>()
  /** What of them is in the database. */
  const written = new Map<string, Amounts>()
  const oneAtATime = createMutex()
  const laneOf = (archive: string): Amounts => {
    const known = lanes.get(archive)
    if (known !== undefined) return known
    const name = lanes.size < MAX_ARCHIVES ? archive : ''
    const lane = lanes.get(name) ?? noAmounts()
    lanes.set(name, lane)
    return lane
  }
  const takeFetched = (): void => {
    const sums = new Map<Amounts, number>()
    for (const [archive, bytes] of health.bytesOf) {
      const lane = laneOf(archive)
      sums.set(lane, (sums.get(lane) ?? 0) + bytes)
    }
    for (const [lane, bytes] of sums) lane.fetchedBytes = bytes
  }
  const write = (): Promise<void> =>
    oneAtATime(async () => {
      takeFetched()
      const now = new Map([...lanes].map(([archive, lane]) => [archive, { ...lane }]))
      const news: ArchiveAmounts[] = []
      for (const [archive, amounts] of now) {
        const more = minus(amounts, written.get(archive) ?? noAmounts())
        if (Object.values(more).some((one) => one > 0)) news.push({ archive, ...more })
      }
      if (news.length === 0) return
      const at = clock.now()
      await addTraffic(db, dayOf(at), dayOf(at - KEPT_DAYS * DAY_MS), news)
      for (const [archive, amounts] of now) written.set(archive, amounts)
    })
  const flush = (): Promise<void> =>
    write().catch((error: unknown) => {
      const { code, message } = toAppError(error)
      log.warn({ code, problem: message }, 'traffic not noted')
    })
  const timer = setInterval(flush, FLUSH_MS)
  timer.unref()
  return {
    count: (outcome, sentBytes, archive = '') => countIn(laneOf(archive), outcome, sentBytes),
    lanes: () => {
      takeFetched()
      return lanes
    },
    totals: () => {
      takeFetched()
      return addUp([...lanes.values()])
    },
    report: async () => {
      await flush()
      const at = clock.now()
      return {
        today: await sumTraffic(db, dayOf(at)),
        week: await sumTraffic(db, dayOf(at - 6 * DAY_MS)),
        ever: await sumTraffic(db, ''),
      }
    },
    flush,
    close: async () => {
      clearInterval(timer)
      await flush()
    },
  }
}

function countIn(lane: Amounts, outcome: FileOutcome, sentBytes: number): void {
  if (outcome === 'hit') {
    lane.hits += 1
    lane.hitBytes += sentBytes
  } else if (outcome === 'miss') {
    lane.misses += 1
    lane.missBytes += sentBytes
  } else {
    lane.passes += 1
    lane.passBytes += sentBytes
  }
}

/** All of them together. */
export function addUp(some: readonly Amounts[]): Amounts {
  const sum = noAmounts()
  for (const one of some) {
    for (const name of names) sum[name] += one[name]
  }
  return sum
}

/** Bytes that clients were sent. */
export function sentBytes({ hitBytes, missBytes, passBytes }: Amounts): number {
  return hitBytes + missBytes + passBytes
}

/** Bytes that clients were sent and upstream did not have to send. */
export function savedBytes(amounts: Amounts): number {
  return Math.max(0, sentBytes(amounts) - amounts.fetchedBytes)
}

const names = [
  'hits',
  'misses',
  'passes',
  'hitBytes',
  'missBytes',
  'passBytes',
  'fetchedBytes',
] as const

function minus(now: Amounts, before: Amounts): Amounts {
  const more = noAmounts()
  for (const name of names) more[name] = now[name] - before[name]
  return more
}

/** `2026-11-21` in the machine's time zone. */
function dayOf(at: number): string {
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}
