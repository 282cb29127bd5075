/**
 * The turn of an answer: requests that a client sends ahead are begun at once, but their answers are sent one after the
 * other. Nobody waits for an answer before its turn has come.
 */
import type { ServerResponse } from 'node:http'

/** Resolves when this answer is the next on its connection; undefined if it is already. */
export function turnOf(response: ServerResponse): Promise<void> | undefined {
  if (response.socket !== null) return undefined
  return new Promise((resolve) => {
    response.once('socket', () => resolve())
  })
}

/** The client's signal, joined with a time-out that runs from the answer's turn on. */
export function patienceFrom(
  turn: Promise<void> | undefined,
  signal: AbortSignal,
  timeoutMs: number,
): AbortSignal {
  const late = new AbortController()
  const begin = (): void => {
    setTimeout(() => late.abort(), timeoutMs).unref()
  }
  if (turn === undefined) begin()
  else turn.then(begin).catch(() => undefined)
  return AbortSignal.any([signal, late.signal])
}
