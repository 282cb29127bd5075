/**
 * What every function takes that waits: a signal that ends the wait. Time-outs join it by `AbortSignal.any`.
 */
export interface Abortable {
  readonly signal?: AbortSignal | undefined
}

/** The caller's signal, joined with a time-out in milliseconds. */
export function withTimeout(signal: AbortSignal | undefined, timeoutMs: number): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs)
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout])
}

/** The outcome of work that goes on when the signal ends the wait for it. */
export async function waitFor<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  signal.throwIfAborted()
  const ended = Promise.withResolvers<never>()
  const stop = (): void => ended.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, ended.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
