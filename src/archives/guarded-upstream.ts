/**
 * What stands before every request to the outside: nothing goes out while the server is offline (not even a look-up of
 * a name, since no connection is begun), and an origin that is known to be dead is not asked again by each who wants
 * something of it (origin-circuit.ts).
 *
 * A request counts as well when its body came to its end, so that an upstream which answers and then falls silent is found
 * out too. What is met behind a redirect counts for the path that was asked.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError, isAppError, toAppError } from '../base/errors.ts'
import { type Attempt, type Circuit, createCircuit, type OriginTrouble } from './origin-circuit.ts'
import type { Upstream, UpstreamGet, UpstreamResponse } from './upstream.ts'
import { failed, redactUrl } from './upstream-errors.ts'

export interface GuardOptions {
  readonly isOffline: boolean
  /** Monotonic milliseconds; for tests. */
  readonly now?: (() => number) | undefined
}

export interface Guarded {
  readonly isOffline: boolean
  /** Origins that are left alone just now, and why. */
  troubles(): OriginTrouble[]
}

/** The same client, guarded; other abilities of it stay. */
export function guardUpstream<U extends Upstream>(
  upstream: U,
  { isOffline, now }: GuardOptions,
): U & Guarded {
  const circuit = createCircuit(now)
  return {
    ...upstream,
    isOffline,
    troubles: circuit.troubles,
    get: async (url, get, { signal }) => {
      if (isOffline) throw offlineError(redactUrl(url))
      const parsed = URL.parse(url)
      if (parsed === null) return upstream.get(url, get, { signal })
      return ask(upstream, circuit, { url, parsed, get, signal })
    },
  }
}

/** That this server asks nobody; `what` was wanted. */
export function offlineError(what: string, not = 'not asked'): AppError {
  return new AppError('ERR_OFFLINE', {
    message: `${what}: ${not}, this server is offline`,
    hint: 'what is here is served; for the rest start it without --offline (setting: offline)',
  })
}

interface Question extends Abortable {
  readonly url: string
  readonly parsed: URL
  readonly get: UpstreamGet
}

async function ask(
  upstream: Upstream,
  circuit: Circuit,
  { url, parsed, get, signal }: Question,
): Promise<UpstreamResponse> {
  const trouble = circuit.refusal(parsed, get.urgency ?? 'usual')
  if (trouble !== undefined) throw notAsked(url, trouble)
  const gaveUp = new AbortController()
  const giveUp = (problem: AppError): void => gaveUp.abort(givenUp(url, problem))
  const attempt = circuit.enter(parsed, giveUp)
  try {
    const both = signal === undefined ? gaveUp.signal : AbortSignal.any([signal, gaveUp.signal])
    const response = await upstream.get(url, get, { signal: both })
    attempt.begin()
    if (response.status !== 304) {
      return { ...response, body: watched(response.body, attempt, signal) }
    }
    attempt.succeed()
    return response
  } catch (error) {
    settle(attempt, error, gaveUp.signal.aborted || signal?.aborted === true)
    throw error
  }
}

/** Tells the circuit what an error says of the origin. */
function settle(attempt: Attempt, error: unknown, isAborted: boolean): void {
  if (isAborted || isAppError(error, 'ERR_INTERRUPTED')) {
    attempt.leave()
    return
  }
  const known = toAppError(error)
  const status = isAppError(known, 'ERR_UPSTREAM_STATUS') ? Number(known.details?.status) : 0
  // Whoever answers that it has no such file is there.
  if (status >= 300 && status < 500 && status !== 408 && status !== 429) attempt.succeed()
  else attempt.fail(known)
}

function watched(
  body: AsyncIterable<Buffer>,
  attempt: Attempt,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  return {
    [Symbol.asyncIterator]: () => {
      const pieces = body[Symbol.asyncIterator]()
      return {
        next: async () => {
          try {
            const piece = await pieces.next()
            if (piece.done === true) attempt.succeed()
            return piece
          } catch (error) {
            // One that breaks off is there, and may be gone on with; it costs nobody a wait.
            const isBroken = isAppError(error, 'ERR_UPSTREAM_UNREACHABLE')
            settle(attempt, error, isBroken || signal?.aborted === true)
            throw error
          }
        },
        return: async () => {
          attempt.leave()
          return (await pieces.return?.()) ?? { done: true, value: undefined }
        },
      }
    },
  }
}

/** The same trouble, met by who was not let out. */
function notAsked(url: string, { problem, nextInMs }: OriginTrouble): AppError {
  const when = nextInMs > 0 ? `in ${Math.ceil(nextInMs / 1000)} s` : 'right now'
  const retryAfterS = Math.max(1, Math.ceil(nextInMs / 1000))
  return failed(problem.code, { url }, words(problem, `it is asked again ${when}`, { retryAfterS }))
}

function givenUp(url: string, problem: AppError): AppError {
  return failed(problem.code, { url }, words(problem, 'others got no answer either'))
}

function words(problem: AppError, more: string, details: Readonly<Record<string, unknown>> = {}) {
  const { url: _, ...told } = problem.details ?? {}
  return {
    reason: `its server is in trouble, ${more} (${problem.message})`,
    hint: problem.hint ?? 'try again later',
    cause: problem,
    details: { ...told, ...details },
  }
}
