/**
 * The API of a running server, over plain HTTP: sends the token, reads answers and long tasks.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError, isErrorCode, systemCode } from '../base/errors.ts'
import { type ClientOptions, findServer, type Server } from './find-server.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Answers are taken to be what the API says they are: server and command are of one version. */
export interface Client {
  readonly url: string
  /** One request below `/api/v1`; a reply that tells an error is thrown as that error. */
  call<T>(method: Method, path: string, body?: unknown): Promise<T>
  /** A long task: `onEvent` is told what it does; the result when it ends. */
  task<T, E>(path: string, body: unknown, onEvent: (event: E) => void): Promise<T>
  /** A list that is too long for one answer, item by item: made at the pace of who takes them. */
  list<T>(path: string): AsyncGenerator<T>
  /** Sends the bytes of a file, so many. */
  put<T>(path: string, bytes: Readable, size: number): Promise<T>
  /** The text at a path of the server that is no API. */
  text(path: string): Promise<string>
}

/** A client of the server that the options mean; `ERR_NO_SERVER` if none runs there. */
export async function connect(options: ClientOptions): Promise<Client> {
  const server = await findServer(options)
  const open = (method: Method, path: string, headers: object, body?: unknown) =>
    send(server, { method, path, headers, body, signal: options.signal })
  return {
    url: server.url,
    call: async (method, path, body) => {
      const text = await readText(await open(method, `/api/v1${path}`, {}, body))
      return parse(text)
    },
    task: async (path, body, onEvent) => {
      const headers = { accept: 'application/x-ndjson' }
      const reply = await open('POST', `/api/v1${path}`, headers, body)
      return readTask(reply, options.signal, onEvent)
    },
    list: async function* <T>(path: string) {
      const headers = { accept: 'application/x-ndjson' }
      yield* readList<T>(await open('GET', `/api/v1${path}`, headers))
    },
    put: async (path, bytes, size) => {
      const headers = { 'content-type': 'application/octet-stream', 'content-length': size }
      const sending = { path: `/api/v1${path}`, headers, bytes, signal: options.signal }
      return parse(await readText(await send(server, { method: 'PUT', ...sending })))
    },
    text: async (path) => readText(await open('GET', path, {})),
  }
}

interface Sending {
  readonly method: Method
  readonly path: string
  readonly headers: object
  readonly body?: unknown
  /** A body as it is, in place of one in JSON. */
  readonly bytes?: Readable
  readonly signal: AbortSignal
}

/** Sends a request and waits for the head of the reply; one that is an error is thrown. */
async function send(server: Server, sending: Sending): Promise<IncomingMessage> {
  const { method, path, signal } = sending
  const url = new URL(server.url + path)
  const { bytes } = sending
  const body = sending.body === undefined ? undefined : JSON.stringify(sending.body)
  const { request } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'))
  const headers = {
    ...sending.headers,
    authorization: `Bearer ${server.token}`,
    // Told, because Node frames no body of a DELETE by itself.
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  }
  try {
    const reply = await begin(
      request,
      url,
      { method, headers, signal, agent: false },
      bytes ?? body,
    )
    if (reply.statusCode !== undefined && reply.statusCode < 300) return reply
    throw readError(await readText(reply), reply.statusCode)
  } catch (error) {
    throw translate(error, server)
  }
}

type Request = (url: URL, options: RequestOptions) => ClientRequest

function begin(
  request: Request,
  url: URL,
  options: RequestOptions,
  body: string | Readable | undefined,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const sent = request(url, options)
  sent.once('response', resolve)
  sent.once('error', reject)
  if (typeof body === 'object') {
    // An answer may come before all was sent: then it counts, and not that the rest was not taken.
    pipeline(body, sent).catch((error: unknown) => setImmediate(reject, error))
  } else sent.end(body)
  return promise
}

function translate(error: unknown, server: Server): unknown {
  const code = systemCode(error) ?? ''
  const isNobody = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN']
  if (isNobody.includes(code)) return server.gone
  return ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(code) ? wentAway(error) : error
}

function interrupted(cause?: unknown): AppError {
  return new AppError('ERR_INTERRUPTED', {
    message: 'interrupted',
    hint: 'what was complete is kept: the same command goes on from there',
    cause,
  })
}

function wentAway(cause?: unknown): AppError {
  return new AppError('ERR_NO_SERVER', {
    message: 'the server went away before it was done',
    hint: 'what was complete is kept; start it again, and repeat the command',
    cause,
  })
}

async function readText(reply: IncomingMessage): Promise<string> {
  const pieces: string[] = []
  reply.setEncoding('utf8')
  for await (const piece of reply) pieces.push(piece)
  return pieces.join('')
}

async function readTask<T, E>(
  reply: IncomingMessage,
  signal: AbortSignal,
  onEvent: (event: E) => void,
): Promise<T> {
  try {
    for await (const line of readLines(reply)) {
      const told: { event?: E; result?: T; error?: unknown } = parse(line)
      if (told.event !== undefined) onEvent(told.event)
      else if (told.error !== undefined) throw readError(line, undefined)
      else if ('result' in told) return told.result as T
    }
  } catch (error) {
    // An abort looks like a server that is gone.
    if (signal.aborted) throw interrupted(error)
    throw systemCode(error) === 'ECONNRESET' ? wentAway(error) : error
  }
  throw signal.aborted ? interrupted() : wentAway()
}

/** The items, a line each; the last line tells how many there are. */
async function* readList<T>(reply: IncomingMessage): AsyncGenerator<T> {
  let last: string | undefined
  try {
    for await (const line of readLines(reply)) {
      if (last !== undefined) yield parse<T>(last)
      last = line
    }
  } catch (error) {
    throw systemCode(error) === 'ECONNRESET' ? wentAway(error) : error
  }
  if (last === undefined || !('rows' in parse<object>(last))) throw wentAway()
}

async function* readLines(reply: IncomingMessage): AsyncGenerator<string> {
  reply.setEncoding('utf8')
  let rest = ''
  for await (const piece of reply) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    yield* lines.filter((line) => line !== '')
  }
}

function parse<T>(text: string): T {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new AppError('ERR_INTERNAL', {
      message: 'what answers there is no Sluice server of this version',
      hint: 'look at --url, and at sluice --version on both sides',
      cause: error,
    })
  }
}

/** The error that a reply tells, with its code if it is one of ours. */
function readError(text: string, status: number | undefined): AppError {
  try {
    const { error } = JSON.parse(text)
    const code = typeof error.code === 'string' && isErrorCode(error.code) ? error.code : undefined
    return new AppError(code ?? 'ERR_INTERNAL', {
      message: String(error.message),
      hint: typeof error.hint === 'string' ? error.hint : undefined,
      details:
        typeof error.details === 'object' && error.details !== null ? error.details : undefined,
    })
  } catch {
    return new AppError('ERR_INTERNAL', {
      message: `what answers there is no Sluice server: HTTP ${status}`,
      hint: 'look at --url',
    })
  }
}
