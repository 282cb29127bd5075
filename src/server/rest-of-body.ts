/**
 * What still comes of a body when its answer is known already: an upload that is refused. Who sends it may not look for an answer
 * before he has said all, and a connection that ends while bytes come takes the answer with it: so the rest is read, into nothing,
 * up to a limit.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

const MOST_BYTES = 256 * 1024 * 1024

/** Before the answer is sent: the rest of the body is read while it is, and the connection stays until that has come. */
export function passOver(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || request.destroyed) return
  const { socket } = request
  const isLast = !response.shouldKeepAlive
  response.shouldKeepAlive = true
  let left = MOST_BYTES
  request.on('error', () => undefined)
  request.on('data', (piece: Buffer) => {
    left -= piece.length
    if (left < 0) socket.destroy()
  })
  request.once('end', () => {
    if (!isLast) return
    if (response.writableFinished) socket.end()
    else response.once('finish', () => socket.end())
  })
  request.resume()
}
