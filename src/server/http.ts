/**
 * The port: tells requests apart before any router sees them (fastify would route `GET http://archive.example/api` to
 * our own /api, rule 10), answers files itself and hands the rest to fastify.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { BlockList, Socket } from 'node:net'
import type { Answer } from '../archives/answer.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { explainPath } from '../channels/explain-path.ts'
import { isPublishedPath, resolvePublishedPath } from '../channels/resolve.ts'
import { decodeUrlPath } from '../debian/archive-path.ts'
import type { ApiContext } from './api-context.ts'
import { changelogAnswer } from './changelog-answer.ts'
import { clientList, isClient } from './clients.ts'
import { type Exchange, reasonPhrase, sendError, sendText } from './exchange.ts'
import type { ServerParts } from './parts.ts'
import { sendAnswer } from './send.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Above 65 s, so that a client which keeps its connection is not cut off (rule 8). */
const KEEP_ALIVE_MS = 75_000
const SOCKET_BYTES = 512 * 1024

/** A server that answers files of channels and the proxy, and gives everything else to `others`. */
export function createHttpServer(
  parts: ServerParts,
  others: Handler,
  { publicUrl, opened }: Pick<ApiContext, 'publicUrl' | 'opened'>,
): Server {
  const front = { parts, clients: clientList(parts.config.clients), others, publicUrl, opened }
  const server = createServer(
    { highWaterMark: SOCKET_BYTES, noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS },
    (request, response) => {
      response.once('finish', () => parts.metrics.countRequest(response.statusCode))
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      const exchange = { request, response, signal: gone.signal }
      handle(front, exchange).catch((error: unknown) => sendError(exchange, error))
    },
  )
  server.maxRequestsPerSocket = 0
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    // Node leaves the socket to us: its errors too.
    socket.on('error', () => socket.destroy())
    endWith(socket, 403, NO_TUNNEL)
  })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    sendText({ request, response }, 417, 'sluice: only 100-continue can be expected\n')
  })
  server.on('clientError', (_error: Error, socket: Socket) => {
    // Behind the head of an answer any text would be taken for a part of its body.
    if (socket.writable && socket.bytesWritten === 0) endWith(socket, 400, 'sluice: bad request\n')
    else socket.destroy()
  })
  return server
}

const NO_TUNNEL =
  'sluice: tunnels are not open here\n' +
  'hint: give https archives a direct way: Acquire::https::Proxy "DIRECT";\n'

/** Answers on a bare socket, and ends the connection. */
function endWith(socket: Socket, status: number, text: string): void {
  const head = [
    `HTTP/1.1 ${status} ${reasonPhrase(text)}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${text}`)
  socket.destroySoon()
}

interface Front {
  readonly parts: ServerParts
  readonly clients: BlockList
  readonly others: Handler
  readonly publicUrl: () => string
  readonly opened: Promise<void>
}

async function handle(front: Front, exchange: Exchange): Promise<void> {
  const { clients, others } = front
  const { request, response } = exchange
  const url = request.url ?? '/'
  const isProxied = /^[a-z]+:\/\//i.test(url)
  if (!isProxied && !isOfFiles(url.slice(1))) {
    // auto-apt-proxy looks for exactly this answer of an apt proxy.
    if (url === '/') return usageInformation(exchange)
    others(request, response)
    return
  }
  if (!isClient(clients, request.socket)) {
    return sendText(
      exchange,
      403,
      'sluice: this address is not one of its clients\nhint: the setting `clients`\n',
    )
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return sendText(exchange, 405, 'sluice: only GET and HEAD\n')
  }
  if (isProxied) return handleProxied(front, exchange, url)
  await sendFile(front, exchange, decodeUrlPath(url.split('?')[0] ?? url))
}

/** Whether the path, without its first slash, is one of the files that clients are served. */
function isOfFiles(path: string): boolean {
  return isPublishedPath(path) || path.startsWith('changelogs/')
}

async function sendFile(
  { parts, opened }: Front,
  exchange: Exchange,
  path: string | undefined,
): Promise<void> {
  await opened
  const answer = path === undefined ? undefined : await findFile(parts, path, exchange)
  if (answer === undefined) throw await whyNot(parts, path)
  const address = exchange.request.socket.remoteAddress
  await sendAnswer(parts, exchange, answer)
  noteClient(parts, exchange, address, answer)
}

/** A client that was sent a Release, or told that it has it. */
function noteClient(
  { clientLog }: ServerParts,
  { request, response }: Exchange,
  address: string | undefined,
  answer: Answer,
): void {
  if (answer.kind !== 'bytes' || answer.release === undefined || address === undefined) return
  if (request.method !== 'GET' || ![200, 304].includes(response.statusCode)) return
  clientLog.note(address, answer.release, request.headers['user-agent'])
}

async function whyNot(parts: ServerParts, path: string | undefined): Promise<AppError> {
  if (path !== undefined && isPublishedPath(`${path}/`)) return explainPath(parts, path)
  const message =
    path === undefined ? 'that is no path of an archive' : 'that is no path of a changelog'
  return new AppError('ERR_NOT_FOUND', { message })
}

async function findFile(
  parts: ServerParts,
  path: string,
  { signal }: Abortable,
): Promise<Answer | undefined> {
  return path.startsWith('changelogs/')
    ? changelogAnswer(parts, path.slice('changelogs/'.length), { signal })
    : resolvePublishedPath(parts, path, { signal })
}

async function handleProxied(front: Front, exchange: Exchange, text: string): Promise<void> {
  const { parts } = front
  // The path as it was sent: URL would quietly take `..` out of it.
  const [, root = '', rawPath = ''] = /^(https?:\/\/[^/?#]+)([^?#]*)/i.exec(text) ?? []
  const url = URL.parse(root)
  const path = decodeUrlPath(rawPath === '' ? '/' : rawPath)
  if (url === null || path === undefined) {
    return sendText(exchange, 400, 'sluice: that is no URL of an archive\n')
  }
  const answer = await parts.proxy.resolve(url.host, path)
  // A machine whose proxy this server is asks for its channels that way too; nothing else of ours is to be had so.
  if (answer === 'unknown' && isOfFiles(path) && isOwnHost(front, exchange, url)) {
    return sendFile(front, exchange, path)
  }
  if (answer === 'unknown') {
    throw new AppError('ERR_REFUSED', {
      message: `${url.host}/${path} is not in an archive of this server, and it is no open proxy`,
      hint: `its administrator can add it: sluice archive add NAME http://${url.host}/…`,
    })
  }
  if (answer === undefined)
    return sendText(exchange, 404, 'sluice: the archive does not name that file\n')
  await sendAnswer(parts, exchange, answer)
}

function isOwnHost({ publicUrl }: Front, { request }: Exchange, url: URL): boolean {
  const { localAddress = '', localPort } = request.socket
  const address = localAddress.replace(/^::ffff:/, '')
  const local = `${address.includes(':') ? `[${address}]` : address}:${localPort}`
  return url.host === local || url.host === URL.parse(publicUrl())?.host
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
