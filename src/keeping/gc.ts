/**
 * The garbage collector: what no channel promises any more and no archive serves goes, slowly and incrementally.
 *
 *   plan (gc-plan.ts)    generations that expired; what can be reached from all others, pins and archives (gc-mark.ts);
 *                        what cannot is doomed since now, and goes when it was so for a day (store/doomed.ts)
 *   brake                a run that would delete much of the store at once does nothing unless it is forced
 *   sweep (gc-sweep.ts)  in small transactions, in an order in which a crash does no harm; the database's file becomes
 *                        smaller if much of it is empty then (gc-shrink.ts)
 *
 * Work under way is safe in two ways: whoever finds something by its content takes it out of what is doomed before he
 * looks, and what is doomed while somebody holds an archive's or a channel's lock is not deleted before he lets go
 * (base/leases.ts).
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError, toAppError } from '../base/errors.ts'
import type { Leases } from '../base/leases.ts'
import { createMutex, type Mutex } from '../base/mutex.ts'
import type { ChannelParts, Reason } from '../channels/channel-parts.ts'
import { brakeOf } from './gc-brake.ts'
import { addFigures, type GcFigures, type StoreFigures } from './gc-figures.ts'
import { type OnProgress, planCollection } from './gc-plan.ts'
import type { ExpiredGenerations } from './gc-roots.ts'
import { closeRun, openRun } from './gc-runs.ts'
import { shrinkDatabase } from './gc-shrink.ts'
import { sweep } from './gc-sweep.ts'
import type { Retention } from './retention.ts'

export interface GcInput extends Reason {
  /** Of channels that say nothing else. */
  readonly retention: Retention
  /** Tells what would be done, and changes nothing. */
  readonly dryRun?: boolean | undefined
  /** Does it even if that is much of the store. */
  readonly force?: boolean | undefined
  readonly onProgress?: OnProgress | undefined
}

export interface GcReport {
  /** What went, or on a dry run what would go. */
  readonly deleted: GcFigures
  /** Generations among it. */
  readonly expired: readonly ExpiredHistory[]
  /** What nothing names either, and goes when a day is over in which nobody wants it. */
  readonly waiting: StoreFigures
  /** What was in the store before. */
  readonly totals: StoreFigures
  /** Why it needs to be forced. */
  readonly brake?: string | undefined
  readonly durationMs: number
}

/** What of a channel's history goes. */
export interface ExpiredHistory {
  readonly channel: string
  readonly generations: number
  readonly oldest: number
  readonly newest: number
}

/** One collection at a time in each store. */
const turns = new WeakMap<Leases, Mutex>()

/** Collects, when one that is under way has ended. `ERR_REFUSED` if it would delete too much at once. */
export function collectGarbage(
  parts: ChannelParts,
  input: GcInput,
  { signal }: Abortable = {},
): Promise<GcReport> {
  const turn = turns.get(parts.leases) ?? createMutex()
  turns.set(parts.leases, turn)
  return turn(async () => {
    signal?.throwIfAborted()
    return collect(parts, input, signal)
  })
}

async function collect(
  parts: ChannelParts,
  input: GcInput,
  signal: AbortSignal | undefined,
): Promise<GcReport> {
  const startedAt = performance.now()
  const { retention, onProgress } = input
  const plan = await planCollection(parts, { retention, onProgress, signal })
  const brake = brakeOf(plan)
  const report = (deleted: GcFigures): GcReport => ({
    deleted,
    expired: plan.expired.map(historyOf),
    waiting: plan.waiting,
    totals: plan.totals,
    brake,
    durationMs: performance.now() - startedAt,
  })
  if (input.dryRun === true) return report(plan.due)
  const run = await openRun(parts.db, plan.now)
  const { who, why } = input
  if (brake !== undefined && input.force !== true) {
    await closeRun(parts.db, run, { at: parts.clock.now(), who, why, brake })
    throw new AppError('ERR_REFUSED', {
      message: brake,
      hint: 'sluice gc --dry-run tells what; if that is meant: sluice gc --force',
      details: { deleted: plan.due, totals: plan.totals },
    })
  }
  const before = run.figures
  try {
    await sweep(parts, { plan, run, retention, onProgress }, { signal })
    await shrinkDatabase(parts.db, signal)
    const done = await closeRun(parts.db, run, { at: parts.clock.now(), who, why })
    // It may have gone on with a run that was interrupted: what that one did is not told again.
    return report(addFigures(done, before, -1))
  } catch (error) {
    const problem = toAppError(error).message
    await closeRun(parts.db, run, { at: parts.clock.now(), who, why, problem })
    throw error
  }
}

function historyOf({ channel, serials }: ExpiredGenerations): ExpiredHistory {
  const [newest = 0] = serials
  const oldest = serials.at(-1) ?? newest
  return { channel: channel.name, generations: serials.length, oldest, newest }
}
