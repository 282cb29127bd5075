/**
 * One request on the wire and its answer: undici's dispatch with a handler of our own. Against undici's streams this
 * keeps every byte that arrived before a connection broke (so that a resume asks for no byte twice), and lets an abort
 * end a request at once that still waits for a connection.
 *
 * The watchdog counts only the time in which the reader waits for upstream: undici's `bodyTimeout` does not run while a
 * body is paused (undici#5393), and a slow reader is no fault of upstream's.
 */
import type { Dispatcher } from 'undici'
import type { Sender } from './upstream-dispatcher.ts'
import { broken, type Failure, failed, timedOut, toUpstreamError } from './upstream-errors.ts'

/** Bytes that may wait for the reader before the socket is paused. */
const queueBytes = 256 * 1024
/** A body that nobody wants is read to its end for the sake of the connection, up to so much. */
const discardBytes = 16 * 1024
const discardMs = 2000

export interface Request {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly proxy?: string | undefined
  readonly firstByteTimeoutMs: number
  readonly minBytesPerSecond: number
  readonly stallMs: number
  readonly maxBytes: number
}

export interface Answer {
  readonly status: number
  /** Names in lower case; values of repeated headers joined by commas. */
  readonly headers: Readonly<Record<string, string>>
  readonly contentLength: number | undefined
  /** Can be read once. Throws `ERR_UPSTREAM_*` and `ERR_TOO_LARGE`; leaving it early breaks the connection. */
  readonly body: AsyncIterable<Buffer>
  /** Gets rid of the body. */
  discard(): void
}

interface Wire {
  readonly request: Request
  readonly signal: AbortSignal | undefined
  readonly queue: Buffer[]
  queued: number
  isEnded: boolean
  isDiscarded: boolean
  error: unknown
  controller: Dispatcher.DispatchController | undefined
  wake: () => void
}

/** Sends the request; resolves with the final answer's head. Errors before it are undici's own, not translated. */
export async function send(
  dispatcher: Sender,
  request: Request,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const head = Promise.withResolvers<Answer>()
  const wire: Wire = {
    request,
    signal,
    queue: [],
    queued: 0,
    isEnded: false,
    isDiscarded: false,
    error: undefined,
    controller: undefined,
    wake: () => undefined,
  }
  const abort = (): void => {
    fail(wire, signal?.reason ?? new Error('aborted'))
    head.reject(wire.error)
  }
  signal?.addEventListener('abort', abort, { once: true })
  const finish = (): void => signal?.removeEventListener('abort', abort)
  if (signal?.aborted) abort()
  else dispatcher.dispatch(optionsOf(request), createHandler(wire, head, finish))
  return head.promise
}

function optionsOf(request: Request): Dispatcher.DispatchOptions {
  const { url } = request
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    headers: { ...request.headers },
    headersTimeout: request.firstByteTimeoutMs,
    bodyTimeout: 0,
  }
}

function createHandler(
  wire: Wire,
  head: PromiseWithResolvers<Answer>,
  finish: () => void,
): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller) => {
      wire.controller = controller
      if (wire.error !== undefined) controller.abort(toError(wire.error))
    },
    onResponseStart: (_controller, status, headers) => {
      if (status < 200) return
      head.resolve(answerOf(wire, status, headers))
    },
    onResponseData: (controller, chunk) => {
      wire.queued += chunk.length
      if (wire.isDiscarded) {
        if (wire.queued > discardBytes) controller.abort(new Error('body not wanted'))
        return
      }
      wire.queue.push(chunk)
      if (wire.queued >= queueBytes) controller.pause()
      wire.wake()
    },
    onResponseEnd: () => {
      finish()
      wire.isEnded = true
      wire.wake()
    },
    onResponseError: (_controller, error) => {
      finish()
      fail(wire, error)
      head.reject(wire.error)
    },
  }
}

/** Ends the exchange with its first error. */
function fail(wire: Wire, error: unknown): void {
  if (wire.isEnded || wire.error !== undefined) return
  wire.error = error
  if (wire.controller !== undefined && !wire.controller.aborted) {
    wire.controller.abort(toError(error))
  }
  wire.wake()
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function answerOf(
  wire: Wire,
  status: number,
  raw: Readonly<Record<string, string | string[] | undefined>>,
): Answer {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(raw)) {
    if (value !== undefined) headers[name.toLowerCase()] = String(value)
  }
  const length = headers['content-length'] ?? ''
  const hasLength = status !== 304 && /^\d{1,15}$/.test(length)
  const contentLength = hasLength ? Number(length) : undefined
  return {
    status,
    headers,
    contentLength,
    body: { [Symbol.asyncIterator]: () => readBody(wire, contentLength) },
    discard: () => discard(wire),
  }
}

function discard(wire: Wire): void {
  wire.isDiscarded = true
  wire.queue.length = 0
  wire.controller?.resume()
  setTimeout(() => fail(wire, new Error('body not wanted')), discardMs).unref()
}

function readBody(wire: Wire, announced: number | undefined): AsyncIterator<Buffer, undefined> {
  const { request } = wire
  const pace = { waitedMs: 0, bytes: 0 }
  let got = 0
  const failure = (): Failure => ({
    url: request.url.href,
    proxy: request.proxy,
    signal: wire.signal,
    got,
    announced,
  })
  const stop = (error: unknown): never => {
    fail(wire, error)
    throw toUpstreamError(error, failure())
  }
  return {
    next: async () => {
      if (wire.queue.length === 0) pace.waitedMs += await waitForMore(wire, failure)
      if (wire.signal?.aborted) throw toUpstreamError(wire.error, failure())
      const chunk = wire.queue.shift()
      if (chunk === undefined) {
        if (wire.error !== undefined) throw toUpstreamError(wire.error, failure())
        if (announced !== undefined && got < announced && wire.isEnded) throw broken(failure())
        return { done: true, value: undefined }
      }
      wire.queued -= chunk.length
      if (wire.controller?.paused && wire.queued < queueBytes / 2) wire.controller.resume()
      got += chunk.length
      pace.bytes += chunk.length
      if (got > request.maxBytes) stop(tooLarge(failure(), request.maxBytes))
      if (isTooSlow(request, pace)) stop(timedOut(failure(), slowness(request, got)))
      return { done: false, value: chunk }
    },
    return: async () => {
      fail(wire, new Error('body not read to its end'))
      return { done: true, value: undefined }
    },
  }
}

/** Waits until there is something to read, an end or an error; tells how long that took, in milliseconds. */
async function waitForMore(wire: Wire, failure: () => Failure): Promise<number> {
  if (wire.isEnded || wire.error !== undefined) return 0
  const more = Promise.withResolvers<void>()
  const begun = performance.now()
  const timer = setTimeout(() => {
    fail(wire, timedOut(failure(), `nothing came for ${wire.request.stallMs / 1000} s`))
  }, wire.request.stallMs)
  wire.wake = more.resolve
  await more.promise
  clearTimeout(timer)
  return performance.now() - begun
}

/** Judges each stretch of `stallMs` of waiting by the bytes that came in it. */
function isTooSlow(request: Request, pace: { waitedMs: number; bytes: number }): boolean {
  if (pace.waitedMs < request.stallMs) return false
  const isSlow = pace.bytes < (request.minBytesPerSecond * pace.waitedMs) / 1000
  pace.waitedMs = 0
  pace.bytes = 0
  return isSlow
}

function slowness(request: Request, got: number): string {
  return `slower than ${request.minBytesPerSecond} bytes/s over ${request.stallMs / 1000} s, given up after ${got} bytes`
}

/** A body beyond the limit of its kind. */
export function tooLarge(failure: Failure, maxBytes: number) {
  return failed('ERR_TOO_LARGE', failure, {
    reason: `larger than the ${maxBytes} bytes expected at most`,
    hint: 'the archive may be in the middle of an update, or the answer is not what was asked for',
  })
}
