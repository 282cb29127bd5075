/**
 * The HTTP client to archives: GET only, over undici (which no other folder imports).
 *
 * - `Accept-Encoding: identity`; an answer in another encoding is refused (F20), since digests are of the bytes as
 *   published. What many servers say of a file that is compressed itself (`x-gzip` for `Packages.gz`) is let through.
 * - Redirects are followed by hand: at most `maxRedirects`, never from https to http, never twice to one URL, never to
 *   where the caller lets them not (F18).
 * - Credentials of the URL become `Authorization`, sent to that origin only, and are in no message (F17).
 * - A kept connection that turns out to be closed costs one more try, before any byte of an answer (F5).
 */
import type { Abortable } from '../base/abortable.ts'
import type { AppError } from '../base/errors.ts'
import { judgeHost, type MayBeInternal } from './internal-hosts.ts'
import type { Urgency } from './origin-circuit.ts'
import { type Answer, type Request, send, tooLarge } from './upstream-answer.ts'
import { createDispatcher, type Sender } from './upstream-dispatcher.ts'
import { type Failure, failed, isStaleConnection, toUpstreamError } from './upstream-errors.ts'
import {
  badEncoding,
  badStatus,
  foreignUrl,
  type GoodStatus,
  isGoodStatus,
  isIdentity,
  isRedirect,
  nextUrl,
} from './upstream-rules.ts'
import type { UpstreamTls } from './upstream-tls.ts'

export { redactUrl } from './upstream-errors.ts'

export interface Login {
  readonly login: string
  readonly password: string
}

export interface UpstreamOptions {
  /** URL of an HTTP proxy, which may hold its credentials, or `DIRECT` (as is the default). */
  readonly proxy?: string | undefined
  /** For URLs without credentials. One login is sent to the origin asked for only; a function is asked for each hop. */
  readonly auth?: Login | ((url: URL) => Login | undefined) | undefined
  /** Name look-up, TCP and TLS together; 8 s. */
  readonly connectTimeoutMs?: number | undefined
  /** From the request to the head of the answer; 15 s. Waiting for one of the 64 connections does not count. */
  readonly firstByteTimeoutMs?: number | undefined
  /** The floor under a body's speed over `stallMs` of waiting; 1024. */
  readonly minBytesPerSecond?: number | undefined
  /** 20 s. A body that is silent for so long is given up at once. */
  readonly stallMs?: number | undefined
  /** 5. */
  readonly maxRedirects?: number | undefined
  /** Which hosts may be inside of the network, or on this machine; all, unless told. */
  readonly mayBeInternal?: MayBeInternal | undefined
  readonly tls?: UpstreamTls | undefined
}

export interface UpstreamGet {
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Asks for the bytes from `start` on, up to `end`: the answer is 206, or 200 with the whole file. */
  readonly range?: { readonly start: number; readonly end?: number } | undefined
  /** An HTTP date: the answer may be 304. */
  readonly ifModifiedSince?: string | undefined
  /** With its quotes: the answer may be 304. */
  readonly etag?: string | undefined
  /** Whether a redirect to this URL may be followed; to any, unless told. */
  readonly mayFollow?: ((url: URL) => Promise<boolean>) | undefined
  /** How much it matters what is known of the origin: see origin-circuit.ts; `usual`, unless told. */
  readonly urgency?: Urgency | undefined
  /** Of the body of this answer; more is `ERR_TOO_LARGE`, at once if Content-Length says so. */
  readonly maxBytes: number
}

export interface UpstreamResponse {
  readonly status: GoodStatus
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Bytes of this body, if announced. */
  readonly contentLength?: number
  readonly lastModified?: string
  /** Can be read once, and must be, or left by `break`: until then it holds a connection. Empty for 304. */
  readonly body: AsyncIterable<Buffer>
  /** After redirects; without credentials. */
  readonly url: string
}

export interface Upstream {
  /**
   * Resolves with the head of a 200, 206 or 304 answer; 206 and 304 only if asked for. Throws
   * `ERR_UPSTREAM_STATUS` (details `status`, `url`), `_REDIRECT`, `_REFUSED`, `_UNREACHABLE`, `_TIMEOUT`, `_ENCODING`,
   * `ERR_TOO_LARGE`; `ERR_INTERRUPTED` if the signal is aborted.
   */
  get(url: string, opts: UpstreamGet, abortable: Abortable): Promise<UpstreamResponse>
  /** Says that the bytes from this URL were not those that a signed index names. */
  blame?(url: string): void
  /** Breaks what is still under way. */
  close(): Promise<void>
}

interface Client {
  readonly dispatcher: Sender
  readonly proxy: string | undefined
  readonly auth: UpstreamOptions['auth']
  readonly maxRedirects: number
  readonly mayBeInternal: MayBeInternal | undefined
  readonly limits: Pick<Request, 'firstByteTimeoutMs' | 'minBytesPerSecond' | 'stallMs'>
}

/** A client with connections of its own; the caller closes it. */
export function createUpstream(opts: UpstreamOptions = {}): Upstream {
  const proxy = opts.proxy === undefined || opts.proxy === 'DIRECT' ? undefined : opts.proxy
  const firstByteTimeoutMs = opts.firstByteTimeoutMs ?? 15_000
  const client: Client = {
    dispatcher: createDispatcher({
      proxy,
      connectTimeoutMs: opts.connectTimeoutMs ?? 8_000,
      firstByteTimeoutMs,
      mayBeInternal: opts.mayBeInternal,
      tls: opts.tls,
    }),
    proxy,
    auth: opts.auth,
    mayBeInternal: opts.mayBeInternal,
    maxRedirects: opts.maxRedirects ?? 5,
    limits: {
      firstByteTimeoutMs,
      minBytesPerSecond: opts.minBytesPerSecond ?? 1024,
      stallMs: opts.stallMs ?? 20_000,
    },
  }
  return {
    get: (url, get, { signal }) => follow(client, url, get, signal),
    close: () => client.dispatcher.destroy(),
  }
}

async function follow(
  client: Client,
  asked: string,
  get: UpstreamGet,
  signal: AbortSignal | undefined,
): Promise<UpstreamResponse> {
  const first = parseUrl(asked)
  const seen = new Set<string>()
  let url = first
  for (;;) {
    seen.add(url.href)
    const request: Request = {
      ...client.limits,
      url,
      proxy: client.proxy,
      headers: headersFor(client, get, first, url),
      maxBytes: get.maxBytes,
    }
    const answer = await sendTwice(client.dispatcher, request, signal)
    if (!isRedirect(answer.status)) return accept(answer, request, get)
    answer.discard()
    const next = nextUrl(url, answer, { seen, maxRedirects: client.maxRedirects })
    if (get.mayFollow !== undefined && !(await get.mayFollow(next))) throw foreignUrl(url, next)
    // By a proxy there is no connection of ours that would be judged.
    if (client.mayBeInternal !== undefined) await judgeHost(next, client.mayBeInternal)
    url = next
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol)) return url
  throw failed(
    'ERR_USAGE',
    { url: text },
    {
      reason: 'not an http or https URL',
      hint: 'look at the URLs of the archive: sluice archive show',
    },
  )
}

function headersFor(client: Client, get: UpstreamGet, first: URL, url: URL) {
  const headers: Record<string, string> = { 'user-agent': 'sluice' }
  for (const [name, value] of Object.entries(get.headers ?? {})) {
    const lower = name.toLowerCase()
    if (lower !== 'authorization' || url.origin === first.origin) headers[lower] = value
  }
  const login = loginFor(client, first, url)
  if (login !== undefined) {
    const pair = Buffer.from(`${login.login}:${login.password}`).toString('base64')
    headers.authorization = `Basic ${pair}`
  }
  if (get.range !== undefined) {
    const { start, end } = get.range
    headers.range = `bytes=${start}-${end === undefined ? '' : end - 1}`
  }
  if (get.ifModifiedSince !== undefined) headers['if-modified-since'] = get.ifModifiedSince
  if (get.etag !== undefined) headers['if-none-match'] = get.etag
  headers['accept-encoding'] = 'identity'
  return headers
}

function loginFor(client: Client, first: URL, url: URL): Login | undefined {
  if (url.origin === first.origin && (first.username !== '' || first.password !== '')) {
    const password = decodeUserinfo(first.password)
    return { login: decodeUserinfo(first.username), password }
  }
  if (typeof client.auth === 'function') return client.auth(url)
  return url.origin === first.origin ? client.auth : undefined
}

function decodeUserinfo(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The request, and once more if a kept connection proved dead. */
async function sendTwice(
  dispatcher: Sender,
  request: Request,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const failure: Failure = { url: request.url.href, proxy: request.proxy, signal }
  try {
    return await send(dispatcher, request, signal)
  } catch (error) {
    if (signal?.aborted || !isStaleConnection(error)) throw toUpstreamError(error, failure)
  }
  try {
    return await send(dispatcher, request, signal)
  } catch (error) {
    throw toUpstreamError(error, failure)
  }
}

function accept(answer: Answer, request: Request, get: UpstreamGet): UpstreamResponse {
  const { status, headers, contentLength } = answer
  const url = new URL(request.url)
  const refuse = (error: AppError): AppError => {
    answer.discard()
    return error
  }
  const encoding = headers['content-encoding']
  const asked = {
    isRange: get.range !== undefined,
    isConditional: get.ifModifiedSince !== undefined || get.etag !== undefined,
  }
  if (!isGoodStatus(status, asked)) throw refuse(badStatus(answer, url.href))
  if (!isIdentity(encoding, url.pathname)) throw refuse(badEncoding(encoding, url.href))
  if (contentLength !== undefined && contentLength > get.maxBytes) {
    throw refuse(tooLarge({ url: url.href }, get.maxBytes))
  }
  url.username = ''
  url.password = ''
  return {
    status,
    headers,
    body: answer.body,
    url: url.href,
    ...(contentLength === undefined ? {} : { contentLength }),
    ...(headers['last-modified'] === undefined ? {} : { lastModified: headers['last-modified'] }),
  }
}
