/**
 * One request, its response, and short texts as answers: errors say what is wrong and what to do. Every error reply has
 * a body (rule 1 of apt-on-the-wire.md: without one apt does not retry).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { httpStatus, isAppError, toAppError } from '../base/errors.ts'

/** One request and its response. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Ends when the client is gone. */
  readonly signal: AbortSignal
}

/** Sends an error as plain text: its message and what to do. */
export function sendError(exchange: Exchange, error: unknown): void {
  const { request, response } = exchange
  if (response.headersSent) {
    response.socket?.resetAndDestroy()
    return
  }
  const { code, message, hint } = toAppError(error)
  const status = upstreamSays404(error)
    ? 404
    : (code.startsWith('ERR_UPSTREAM') && code !== 'ERR_UPSTREAM_REFUSED') || isTransient(code)
      ? 503
      : httpStatus(code)
  sendText(exchange, status, `sluice: ${message}\n${hint === undefined ? '' : `hint: ${hint}\n`}`)
  if (!request.complete) request.resume()
}

/** Sends a short text with this status; its first line is the reason phrase too, the one thing that apt shows. */
export function sendText(
  { request, response }: Pick<Exchange, 'request' | 'response'>,
  status: number,
  text: string,
): void {
  const body = Buffer.from(text)
  const more = {
    401: { 'WWW-Authenticate': 'Basic realm="archive"' },
    405: { Allow: 'GET, HEAD' },
    503: { 'Retry-After': '5' },
  }[status]
  response.writeHead(status, reasonPhrase(text), {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(body.length),
    ...more,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Answers on a bare socket that Node left to us, and ends the connection. */
export function refuseSocket(socket: Socket, status: number, text: string): void {
  const head = [
    `HTTP/1.1 ${status} ${reasonPhrase(text)}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
  ]
  socket.on('error', () => socket.destroy())
  socket.write(`${head.join('\r\n')}\r\n\r\n${text}`)
  socket.destroySoon()
}

/** The first line of `text` as a status line can carry it. */
export function reasonPhrase(text: string): string {
  const [line = ''] = text.replace(/^sluice: /, '').split('\n')
  return line.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)
}

function upstreamSays404(error: unknown): boolean {
  return (
    isAppError(error, 'ERR_UPSTREAM_STATUS') && [404, 410].includes(Number(error.details?.status))
  )
}

function isTransient(code: string): boolean {
  return ['ERR_DIGEST_MISMATCH', 'ERR_SIZE_MISMATCH', 'ERR_DISK_FULL', 'ERR_INTERRUPTED'].includes(
    code,
  )
}
