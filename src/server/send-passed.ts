/**
 * Sending a file that no index names (changelogs, installers, keys): out of the cache by HTTP rules, which says whether it
 * was here (`HIT`), is kept as it comes (`MISS`), or is nobody's but this client's (`PASS`).
 *
 * Last-Modified is upstream's, in the one form that apt takes (F15); only its very value is answered with 304. What may
 * change under its name is never sent in parts.
 */
import type { IncomingMessage } from 'node:http'
import type { Answer } from '../archives/answer.ts'
import { withTimeout } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import type { Learner } from '../proxy/learner.ts'
import type { ArchiveProxy } from '../proxy/resolve.ts'
import type { WebAnswer, WebCache } from '../proxy/web-cache.ts'
import { cacheControl } from '../proxy/web-rules.ts'
import { writeBody } from './body.ts'
import { type Extent, extentOf } from './conditions.ts'
import type { Exchange } from './exchange.ts'
import type { Metrics } from './metrics.ts'

export interface PassParts {
  readonly webCache: WebCache
  readonly metrics: Metrics
  /** Says where redirects may lead. */
  readonly proxy: Pick<ArchiveProxy, 'mayFollow'>
  readonly learner: Pick<Learner, 'allows'>
  /** A client that has got nothing for so long is told to ask again. */
  readonly answerWithinMs: number
}

type PassAnswer = Extract<Answer, { kind: 'pass' }>

/** Sends a file that is not verified, and said so. */
export async function sendPassed(
  parts: PassParts,
  exchange: Exchange,
  answer: PassAnswer,
): Promise<void> {
  const { request, response, signal } = exchange
  const found = await openFound(parts, exchange, answer)
  try {
    const { size, cache } = found
    const lastModified = httpDateOf(found.head.lastModified)
    const common = {
      'Cache-Control': 'no-cache',
      'X-Cache': cache,
      ...(found.ageS === undefined ? {} : { Age: String(found.ageS) }),
      ...(lastModified === undefined ? {} : { 'Last-Modified': lastModified }),
      ...(found.head.etag === undefined ? {} : { ETag: found.head.etag }),
    }
    const extent = extentIn(request, found, lastModified)
    const [from, to = from] = 'start' in extent ? [extent.start, extent.end] : [0]
    parts.metrics.countFile(outcomes[cache], request.method === 'HEAD' ? 0 : to - from)
    if (extent.status === 304) {
      response.writeHead(304, common).end()
      return
    }
    if (extent.status === 416) {
      const body = 'sluice: the file ends before that range\n'
      const range = { 'Content-Range': `bytes */${size}`, 'Content-Length': String(body.length) }
      response.writeHead(416, { ...common, ...range }).end(body)
      return
    }
    const { start, end } = extent
    const length = end === undefined ? undefined : end - start
    response.writeHead(extent.status, {
      ...common,
      'Content-Type': found.head.type,
      ...(length === undefined ? {} : { 'Content-Length': String(length) }),
      ...(extent.status === 206
        ? { 'Content-Range': `bytes ${start}-${start + (length ?? 0) - 1}/${size}` }
        : {}),
    })
    if (request.method === 'HEAD') response.end()
    else await writeBody(response, found.read({ start, end }, { signal }), length, signal)
  } finally {
    await found.close()
  }
}

const outcomes = { HIT: 'hit', MISS: 'miss', PASS: 'pass' } as const

async function openFound(
  { webCache, proxy, learner, answerWithinMs }: PassParts,
  { request, signal }: Exchange,
  { urls, login }: PassAnswer,
): Promise<WebAnswer> {
  const control = cacheControl(request.headers['cache-control'])
  const patience = withTimeout(signal, answerWithinMs)
  const wanted = {
    urls,
    login,
    isNews: control.has('no-cache') || control.get('max-age') === '0',
    isSecret: control.has('no-store'),
    isHead: request.method === 'HEAD',
    mayFollow: async (url: URL) => learner.allows(url) || proxy.mayFollow(url),
  }
  try {
    return await webCache.open(wanted, { signal: patience })
  } catch (error) {
    if (!patience.aborted || signal.aborted) throw error
    throw new AppError('ERR_UPSTREAM_TIMEOUT', {
      message: 'no answer from upstream in time',
      hint: 'ask again later',
      cause: error,
    })
  }
}

type PassedExtent = Extent | { readonly status: 200; readonly start: 0; readonly end: undefined }

function extentIn(
  request: IncomingMessage,
  { kind, size, cache, head }: WebAnswer,
  lastModified: string | undefined,
): PassedExtent {
  const tags = request.headers['if-none-match']
  const bare = head.etag?.replace(/^W\//, '')
  if (tags !== undefined && bare !== undefined && tags.includes(bare)) return { status: 304 }
  if (size === undefined) {
    const isSame =
      lastModified !== undefined && request.headers['if-modified-since'] === lastModified
    return isSame ? { status: 304 } : { status: 200, start: 0, end: undefined }
  }
  const isMutable = kind !== 'fixed' || cache === 'PASS' || lastModified === undefined
  return extentOf(request, { size, lastModified: lastModified ?? '-', isMutable })
}

function httpDateOf(text: string | undefined): string | undefined {
  const date = new Date(text ?? '')
  return Number.isNaN(date.getTime()) ? undefined : date.toUTCString()
}
