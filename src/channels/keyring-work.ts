/**
 * Who brings the archives of keyring packages up to date: one at a time, some of it in the background.
 */
import { setTimeout } from 'node:timers/promises'
import type { Abortable } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createMutex, type Mutex } from '../base/mutex.ts'

/** Who makes several channels or classes makes them one after the other: all are told of them in one round. */
const ROUND_AFTER_MS = 2000

type Work = (abortable: Required<Abortable>) => Promise<unknown>

export interface KeyringWork {
  readonly oneAtATime: Mutex
  /** Has a round through all archives done in the background, two seconds later; one that is waiting already is enough. */
  startRound(round: Work): void
  /** Logs what went wrong, as it is done with a round. */
  report(error: unknown): void
  /** Resolves when the work under way has ended. */
  close(): Promise<void>
}

/** Work that begins when it is told. */
export function createKeyringWork(log: Log): KeyringWork {
  const oneAtATime = createMutex()
  const stopping = new AbortController()
  const { signal } = stopping
  let running: Promise<unknown> = Promise.resolve()
  const report = (error: unknown): void => {
    if (signal.aborted) return
    const { code, message } = toAppError(error)
    log.error({ code, problem: message }, 'keyring package not published')
  }
  let isWaiting = false
  const start = async (round: Work): Promise<void> => {
    await setTimeout(ROUND_AFTER_MS, undefined, { signal })
    isWaiting = false
    await round({ signal })
  }
  return {
    oneAtATime,
    startRound: (round) => {
      if (isWaiting) return
      isWaiting = true
      running = running.then(() => start(round)).catch(report)
    },
    report,
    close: async () => {
      stopping.abort()
      await running
    },
  }
}
