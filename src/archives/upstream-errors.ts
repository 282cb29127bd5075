/**
 * What went wrong on the way to an archive, in words that people know: translates the errors of undici, of sockets,
 * of the resolver and of TLS into `ERR_UPSTREAM_*`. Credentials never get into a message: user and password of a URL
 * are cut off, and so is its query, because the URLs that object stores redirect to carry a signature there.
 */
import { AppError, type ErrorCode, systemCode } from '../base/errors.ts'

/** The URL as it may be shown and logged: without user, password and query. */
export function redactUrl(url: string): string {
  const parsed = URL.parse(url)
  if (parsed === null) return url.replace(/\/\/[^/@]*@/, '//').replace(/\?.*$/s, '?…')
  parsed.username = ''
  parsed.password = ''
  const query = parsed.search === '' ? '' : '?…'
  parsed.search = ''
  parsed.hash = ''
  return `${parsed.href}${query}`
}

/** Where a request failed. */
export interface Failure {
  readonly url: string
  /** The proxy that the request went through. */
  readonly proxy?: string | undefined
  /** The caller's: if it was aborted, that is the reason. */
  readonly signal?: AbortSignal | undefined
  /** Bytes of the body that came before; undefined before the body began. */
  readonly got?: number
  /** Bytes of the body that were announced. */
  readonly announced?: number | undefined
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'the name of the host is not known',
  EAI_AGAIN: 'the name of the host could not be looked up',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EADDRNOTAVAIL: 'no route to the host',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection closed',
  UND_ERR_SOCKET: 'connection closed without an answer',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are too large',
  UND_ERR_PRX_TLS: 'TLS to the proxy failed',
  UND_ERR_PRX_CONN: 'the proxy closed the connection',
}

const timeouts: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  ETIMEDOUT: 'the connection timed out',
}

const tlsCode = /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO)/

/** Any error of a request as `ERR_UPSTREAM_UNREACHABLE`, `ERR_UPSTREAM_TIMEOUT` or `ERR_INTERRUPTED`. */
export function toUpstreamError(error: unknown, failure: Failure): AppError {
  if (failure.signal?.aborted) return interrupted(failure)
  if (error instanceof AppError) return error
  const code = systemCode(error) ?? ''
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') {
    return new AppError('ERR_INTERRUPTED', { message: 'the client was closed', cause: error })
  }
  const timeout = timeouts[code]
  if (timeout !== undefined) return timedOut(failure, timeout, error)
  if (failure.got !== undefined) return broken(failure, error)
  if (tlsCode.test(code)) {
    return failed('ERR_UPSTREAM_UNREACHABLE', failure, {
      reason: `TLS failure (${code})`,
      hint: 'check the clock of this machine, its ca-certificates, and the name in the URL',
      cause: error,
    })
  }
  return failed('ERR_UPSTREAM_UNREACHABLE', failure, {
    reason: reasonOf(code, error, failure),
    hint: 'check the URL of the archive, the network and the proxy setting',
    cause: error,
  })
}

/** An upstream that is too slow. */
export function timedOut(failure: Failure, reason: string, cause?: unknown): AppError {
  const hint = 'the archive or the way to it is slow: try again later, or add a fallback URL'
  return failed('ERR_UPSTREAM_TIMEOUT', failure, { reason, hint, cause })
}

/** A body that ended too early. */
export function broken(failure: Failure, cause?: unknown): AppError {
  const of = failure.announced === undefined ? '' : ` of ${failure.announced}`
  return failed('ERR_UPSTREAM_UNREACHABLE', failure, {
    reason: `connection broke after ${failure.got ?? 0}${of} bytes`,
    hint: 'try again; if it breaks each time, look at the network and the proxy',
    cause,
  })
}

interface Words {
  readonly reason: string
  readonly hint: string
  readonly cause?: unknown
  readonly details?: Readonly<Record<string, unknown>>
}

/** An error about one URL: `<url>: <reason>`, with the URL in its details. */
export function failed(code: ErrorCode, failure: Failure, words: Words): AppError {
  const url = redactUrl(failure.url)
  const via = failure.proxy === undefined ? '' : ` (by proxy ${redactUrl(failure.proxy)})`
  return new AppError(code, {
    message: `${url}: ${words.reason}${via}`,
    hint: words.hint,
    cause: words.cause,
    details: { ...words.details, url },
  })
}

/** Whether a kept connection was closed by the other side just when it was used again: worth one more try. */
export function isStaleConnection(error: unknown): boolean {
  const code = systemCode(error)
  if (code === 'ECONNRESET' || code === 'EPIPE') return true
  if (code !== 'UND_ERR_SOCKET' || !(error instanceof Error) || !('socket' in error)) return false
  const { socket } = error
  if (typeof socket !== 'object' || socket === null || !('bytesRead' in socket)) return false
  return typeof socket.bytesRead === 'number' && socket.bytesRead > 0
}

function reasonOf(code: string, error: unknown, failure: Failure): string {
  const known = reasons[code]
  if (known !== undefined) return known
  if (code.startsWith('HPE_')) return 'the answer is not HTTP'
  if (failure.proxy !== undefined) {
    if (code === 'UND_ERR_ABORTED') return 'the proxy refused to connect'
    if (code === 'UND_ERR_INVALID_ARG') return 'the proxy wants a login'
  }
  return error instanceof Error ? error.message : String(error)
}

function interrupted(failure: Failure): AppError {
  const reason: unknown = failure.signal?.reason
  if (reason instanceof AppError) return reason
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return timedOut(failure, 'not done in time', reason)
  }
  return new AppError('ERR_INTERRUPTED', { message: 'interrupted', cause: reason })
}
