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
