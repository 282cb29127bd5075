/**
 * Handing a file through from upstream as it comes: what no index names (changelogs, installers) is not verified, so it
 * is not kept.
 */
import type { IncomingMessage } from 'node:http'
import type { Answer } from '../archives/answer.ts'
import type { Upstream, UpstreamResponse } from '../archives/upstream.ts'
import { AppError } from '../base/errors.ts'
import type { ArchiveProxy } from '../proxy/resolve.ts'
import { writeBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import type { Metrics } from './metrics.ts'

const MAX_PASSED_BYTES = 16 * 1024 ** 3

export interface PassParts {
  readonly upstream: Upstream
  readonly metrics: Metrics
  /** Says where redirects may lead. */
  readonly proxy: Pick<ArchiveProxy, 'mayFollow'>
}

type PassAnswer = Extract<Answer, { kind: 'pass' }>

/** Hands a file through from upstream: not verified, so not kept, and said so. */
export async function sendPassed(
  parts: PassParts,
  exchange: Exchange,
  answer: PassAnswer,
): Promise<void> {
  const { request, response, signal } = exchange
  const upstream = await firstAnswer(parts, answer, request, signal)
  if (upstream.status === 304) {
    response.writeHead(304, { 'X-Cache': 'PASS' }).end()
    return
  }
  const length = upstream.contentLength
  // apt takes only the one form of date that RFC 9110 prefers (F15), so that no other is handed on.
  const modified = new Date(upstream.lastModified ?? '')
  response.writeHead(200, {
    'Content-Type': upstream.headers['content-type'] ?? 'application/octet-stream',
    'Cache-Control': 'no-cache',
    'X-Cache': 'PASS',
    ...(length === undefined ? {} : { 'Content-Length': String(length) }),
    ...(Number.isNaN(modified.getTime()) ? {} : { 'Last-Modified': modified.toUTCString() }),
  })
  parts.metrics.countFile('pass', length ?? 0)
  if (request.method !== 'HEAD') return writeBody(response, upstream.body, length, signal)
  response.end()
  await upstream.body[Symbol.asyncIterator]().return?.()
}

async function firstAnswer(
  { upstream, proxy }: PassParts,
  { urls, login }: PassAnswer,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<UpstreamResponse> {
  const since = request.headers['if-modified-since']
  const options = {
    maxBytes: MAX_PASSED_BYTES,
    mayFollow: proxy.mayFollow,
    ...(login === undefined ? {} : { headers: { authorization: `Basic ${login}` } }),
    ...(since === undefined ? {} : { ifModifiedSince: since }),
  }
  let problem: unknown
  for (const url of urls) {
    try {
      return await upstream.get(url, options, { signal })
    } catch (error) {
      problem ??= error
    }
  }
  throw problem ?? new AppError('ERR_NOT_FOUND', { message: 'no URL to ask' })
}
