/**
 * How much of the port one machine can hold: connections, the time until a request is whole, and requests sent ahead.
 * Whoever sends a head byte by byte, or opens connections and sends nothing, is let go; those beyond the limit are told
 * so with an answer that apt tries again.
 */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { systemCode } from '../base/errors.ts'
import { refuseSocket } from './exchange.ts'

export interface ConnectionLimits {
  /** Connections at a time; one address has a quarter of them at most. */
  readonly most: number
  /** Until the head of a request is here, also of a connection's first; 20 s. */
  readonly headersWithinMs: number
}

/** Above 65 s, so that a client which keeps its connection is not cut off (rule 8 of apt-on-the-wire.md). */
const KEEP_ALIVE_MS = 75_000
const REQUEST_MS = 300_000
const HEADER_BYTES = 16 * 1024
/** Of the request line; archives have no longer paths, and lists of files are asked for by POST. */
const URL_CHARS = 8192
/** apt sends ten ahead; more wait without anything being opened for them. */
const AHEAD = 32

/** Options of the server that bound its requests. */
export function boundedRequests({ headersWithinMs }: ConnectionLimits): ServerOptions {
  return {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: headersWithinMs,
    // Of the body: see boundBody.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(5000, headersWithinMs),
    maxHeaderSize: HEADER_BYTES,
  }
}

/** Ends a request whose body does not come: an upload may take any time as long as there is something of it in five minutes. */
export function boundBody(request: IncomingMessage): void {
  const { headers, method, socket } = request
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return
  let before = socket.bytesRead
  const look = (): void => {
    const isGoingOn = method === 'PUT' && socket.bytesRead > before
    before = socket.bytesRead
    if (isGoingOn) timer.refresh()
    else if (!request.complete) refuseSocket(socket, 408, 'sluice: the request took too long\n')
  }
  const timer = setTimeout(look, REQUEST_MS).unref()
  for (const event of ['end', 'close', 'error']) request.once(event, () => clearTimeout(timer))
}

/** Refuses connections beyond the limit, and requests that are none. */
export function boundConnections(server: Server | SecureServer, { most }: ConnectionLimits): void {
  const byAddress = new Map<string, number>()
  let all = 0
  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address = '', localAddress } = socket
    const ofOne = (byAddress.get(address) ?? 0) + 1
    all += 1
    byAddress.set(address, ofOne)
    socket.once('close', () => {
      all -= 1
      const left = (byAddress.get(address) ?? 1) - 1
      if (left === 0) byAddress.delete(address)
      else byAddress.set(address, left)
    })
    // What stands in front of us on this machine asks for many.
    const isOwn = address === localAddress
    if (all > most || (!isOwn && ofOne > most / 4)) refuseSocket(socket, 503, TOO_MANY)
  })
  server.on('clientError', (error: Error, socket: Socket) => {
    // Behind the head of an answer any text would be taken for a part of its body.
    if (!socket.writable || socket.bytesWritten > 0) return socket.destroy()
    const [status, text] = refusals[systemCode(error) ?? ''] ?? [400, 'bad request']
    refuseSocket(socket, status, `sluice: ${text}\n`)
  })
}

const TOO_MANY = 'sluice: there are too many connections\nhint: the setting `max-connections`\n'

const refusals: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, `the head of the request is larger than ${HEADER_BYTES} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request took too long'],
}

/** Whether the URL of the request is longer than any that is served. */
export function isTooLong(url: string): boolean {
  return url.length > URL_CHARS
}

const unanswered = new WeakMap<Socket, Set<ServerResponse>>()

/** Begins the answer: at once for the first requests of a connection, in its turn for what was sent far ahead. */
export function beginInTurn(
  { socket }: IncomingMessage,
  response: ServerResponse,
  begin: () => void,
): void {
  const all = unanswered.get(socket) ?? watch(socket)
  all.add(response)
  response.once('close', () => all.delete(response))
  if (all.size > AHEAD && response.socket === null) response.once('socket', begin)
  else begin()
}

/** Answers whose turn did not come are told of the end of their connection: Node tells only the one that it sends. */
function watch(socket: Socket): Set<ServerResponse> {
  const all = new Set<ServerResponse>()
  unanswered.set(socket, all)
  socket.once('close', () => {
    for (const response of all) if (response.socket === null) response.emit('close')
  })
  return all
}
