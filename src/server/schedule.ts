/**
 * Work that comes again and again: at a time, then after a pause, with jitter, so that many servers do not ask a mirror at
 * the same minute. It never runs twice at once; what fails is tried again sooner.
 */
import type { Clock } from '../base/clock.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

const JITTER = 0.2

export interface Job {
  /** For the log. */
  readonly name: string
  readonly firstInMs: number
  /** From the end of one run to the next; up to a fifth longer. */
  readonly everyMs: number
  /** The same after a run that failed, if that is shorter. */
  readonly retryMs: number
  /** False, or an error, if it has to be done again soon. */
  readonly work: (signal: AbortSignal) => Promise<boolean>
}

export interface Schedule {
  /** Epoch milliseconds of the next run. */
  readonly nextAt: number
  /** Resolves when the run under way has ended. */
  stop(): Promise<void>
}

/** Starts a job's schedule. */
export function startSchedule(clock: Clock, log: Log, job: Job): Schedule {
  const stopping = new AbortController()
  let nextAt = clock.now() + job.firstInMs
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.until(nextAt, stopping)
      let isGood = false
      try {
        isGood = await job.work(stopping.signal)
      } catch (error) {
        if (stopping.signal.aborted) return
        const { code, message } = toAppError(error)
        log.error({ job: job.name, code, problem: message }, 'work by schedule failed')
      }
      const pauseMs = isGood ? job.everyMs : Math.min(job.retryMs, job.everyMs)
      nextAt = clock.now() + pauseMs * (1 + JITTER * Math.random())
    }
  }
  const running = run().catch(() => undefined)
  return {
    get nextAt() {
      return nextAt
    },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}
