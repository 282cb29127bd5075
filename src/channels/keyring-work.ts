/**
 * Who brings the archives of keyring packages up to date: one at a time, some of it in the background.
 */
import type { Abortable } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createMutex, type Mutex } from '../base/mutex.ts'

export interface KeyringWork {
  readonly oneAtATime: Mutex
  /** Has work done in the background; what it throws is logged. */
  start(work: (abortable: Required<Abortable>) => Promise<unknown>): void
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
  return {
    oneAtATime,
    start: (work) => {
      running = running.then(() => (signal.aborted ? undefined : work({ signal }))).catch(report)
    },
    close: async () => {
      stopping.abort()
      await running
    },
  }
}
