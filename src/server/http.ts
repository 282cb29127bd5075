/**
 * The port: tells requests apart before any router sees them (fastify would route `GET http://archive.example/api` to
 * our own /api, rule 10), answers files itself and hands the rest to fastify.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import type { BlockList, Socket } from 'node:net'
import { decodeUrlPath } from '../debian/archive-path.ts'
import { parseAbsoluteUri, parseHostPath } from '../proxy/request-target.ts'
import type { ApiContext } from './api-context.ts'
import { clientList, isClient } from './clients.ts'
import {
  beginInTurn,
  boundBody,
  boundConnections,
  boundedRequests,
  type ConnectionLimits,
  isTooLong,
} from './connections.ts'
import type { Doors } from './doors.ts'
import { type Exchange, refuseSocket, sendError, sendText } from './exchange.ts'
import { answerHitsFirst } from './hit-front.ts'
import { isOfFiles, sendFile } from './own-files.ts'
import type { ServerParts } from './parts.ts'
import { plainClients } from './plain-clients.ts'
import { answerProxied, isOfOthers, type ProxyFront } from './proxied.ts'
import { sendReady, sendRecalled } from './send-ready.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const SOCKET_BYTES = 512 * 1024
const NO_CLIENT = 'sluice: this address is not one of its clients\nhint: the setting `clients`\n'

/** A server that answers files of channels and the proxy, and gives everything else to `others`. */
export function createHttpServer(
  parts: ServerParts,
  others: Handler,
  { publicUrl, opened, doors }: Pick<ApiContext, 'publicUrl' | 'opened' | 'doors'>,
): Server {
  const clients = clientList(parts.config.clients)
  const front = { parts, clients, others, publicUrl, opened, doors }
  const limits = { most: parts.config.maxConnections, headersWithinMs: parts.headersWithinMs }
  const options = { ...boundedRequests(limits), highWaterMark: SOCKET_BYTES, noDelay: true }
  const listener: Handler = (request, response) => {
    const client = doors.fronts.clientOf(request)
    doors.accessLog?.watch(request, response, client)
    // A front that may send files itself is told of each.
    const isSentByFront = parts.config.accelRedirect !== undefined && doors.fronts.isBy(request)
    const mayBeReady = !isSentByFront && isClient(clients, request.socket, client)
    if (mayBeReady && sendReady(parts, { request, response }, client)) return
    boundBody(request)
    response.once('finish', () => parts.metrics.countRequest(response.statusCode))
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const exchange = { request, response, signal: gone.signal }
    beginInTurn(request, response, () => {
      handle(front, exchange).catch((error: unknown) => sendError(exchange, error))
    })
  }
  const server = createServer(options, listener)
  bound(server, front, limits)
  answerHitsFirst(server, { parts, opened, isPlain: plainClients(parts.config, doors) })
  doors.takeSecure((credentials) => {
    const handshakeTimeout = limits.headersWithinMs
    const secure = createSecureServer({ ...options, ...credentials, handshakeTimeout }, listener)
    bound(secure, front, limits)
    return secure
  })
  return server
}

/** Bounds what comes by one port, and answers what is no request for a file. */
function bound(server: Server | SecureServer, front: Front, limits: ConnectionLimits): void {
  const { parts, clients, doors } = front
  boundConnections(server, limits)
  server.maxRequestsPerSocket = 0
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const client = doors.fronts.clientOf(request)
    doors.accessLog?.watchTunnel(request, socket, client)
    if (isClient(clients, socket, client)) parts.tunnels.open(request, socket, head)
    else refuseSocket(socket, 403, NO_CLIENT)
  })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    sendText({ request, response }, 417, 'sluice: only 100-continue can be expected\n')
  })
}

interface Front extends ProxyFront {
  readonly doors: Doors
  readonly clients: BlockList
  readonly others: Handler
}

async function handle(front: Front, exchange: Exchange): Promise<void> {
  const { clients, others } = front
  const { request, response } = exchange
  const url = request.url ?? '/'
  if (isTooLong(url)) return sendText(exchange, 414, 'sluice: the URL is too long\n')
  const isProxied = /^[a-z]+:\/\//i.test(url)
  const isFile = !isProxied && isOfFiles(url.slice(1))
  if (!isProxied && !isFile && !(await isOfOthers(front, url))) {
    // auto-apt-proxy looks for exactly this answer of an apt proxy.
    if (url === '/') return usageInformation(exchange)
    others(request, response)
    return
  }
  const client = front.doors.fronts.clientOf(request)
  if (!isClient(clients, request.socket, client)) return sendText(exchange, 403, NO_CLIENT)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return sendText(exchange, 405, 'sluice: only GET and HEAD\n')
  }
  if (await sendRecalled(front.parts, exchange)) return
  if (isProxied) return answerProxied(front, exchange, parseAbsoluteUri(url))
  if (!isFile) return answerProxied(front, exchange, parseHostPath(url))
  await sendFile(front, exchange, decodeUrlPath(url.split('?')[0] ?? url), url)
}

function usageInformation({ request, response }: Exchange): void {
  const body =
    'sluice: an apt update server. Machines: /client/<channel>. Administrators: the command sluice.\n'
  response.writeHead(406, 'Usage Information', {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(body.length),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
