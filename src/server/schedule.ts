/**
 * Work that comes again and again: at a time, then after a pause, with jitter, so that many servers do not ask a mirror at
 * the same minute. It never runs twice at once; what fails is tried again sooner. A clock that is set back lets nothing wait
 * for the old time to come again.
 */
import type { Clock } from '../base/clock.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

const JITTER = 0.2
/** By the machine's own timer, whatever its clock does meanwhile. */
const LOOK_AGAIN_MS = 60_000

export interface Job {
  /** For the log. */
  readonly name: string
  readonly firstInMs: number
  /** From the end of one run to the next; up to a fifth longer. */
  readonly everyMs: number
  /** The same after a run that failed, if that is shorter. */
  readonly retryMs: number
  /** A clock that was set back is noticed within this time, a minute unless told. */
  readonly lookAgainMs?: number
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
  let pauseMs = job.firstInMs
  let nextAt = clock.now() + pauseMs
  const wait = async (): Promise<void> => {
    for (let left = pauseMs; left > 0 && !stopping.signal.aborted; left = nextAt - clock.now()) {
      if (left > pauseMs) nextAt = clock.now() + pauseMs
      const look = AbortSignal.timeout(job.lookAgainMs ?? LOOK_AGAIN_MS)
      const signal = AbortSignal.any([stopping.signal, look])
      await clock.until(nextAt, { signal }).catch(() => undefined)
    }
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await wait()
      if (stopping.signal.aborted) return
      let isGood = false
      try {
        isGood = await job.work(stopping.signal)
      } catch (error) {
        if (stopping.signal.aborted) return
        const { code, message } = toAppError(error)
        log.error({ job: job.name, code, problem: message }, 'work by schedule failed')
      }
      const leastMs = isGood ? job.everyMs : Math.min(job.retryMs, job.everyMs)
      pauseMs = leastMs * (1 + JITTER * Math.random())
      nextAt = clock.now() + pauseMs
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
