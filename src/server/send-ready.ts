/**
 * Sends what is ready in the turn in which the request came: no promise, no file, no database.
 */
import type { IncomingMessage } from 'node:http'
import { dropWhenStalled } from './body.ts'
import { ageOf } from './conditions.ts'
import type { Exchange } from './exchange.ts'
import type { ServerParts } from './parts.ts'
import type { ReadyAnswer } from './ready-answers.ts'

/** Sends it if there is something ready for this request of a client at `address`; else nothing was done. */
export function sendReady(
  parts: ServerParts,
  { request, response }: Pick<Exchange, 'request' | 'response'>,
  address: string | undefined,
): boolean {
  const { method, headers } = request
  if (method !== 'GET' && method !== 'HEAD') return false
  const answer = parts.ready.find(request)
  if (answer === undefined) return false
  const { data, head, of } = answer
  const isUnchanged = headers['if-modified-since'] === head.lastModified
  const status = isUnchanged ? 304 : 200
  const made = isUnchanged ? head.unchanged : head.whole
  const aged =
    of.confirmedAt === undefined ? made : [...made, 'Age', ageOf(of.confirmedAt, parts.clock)]
  const isBare = isUnchanged || method === 'HEAD'
  response.writeHead(status, aged)
  if (isBare) response.end()
  else response.end(data)
  if (!response.writableFinished) dropWhenStalled(response)
  note(parts, request, of, address)
  parts.metrics.countRequest(status)
  parts.metrics.countFile('hit', isBare ? 0 : data.length, of.archive)
  return true
}

/** What the long way does besides sending. */
function note(
  { blobs, clientLog, refreshBehind, secondLooks }: ServerParts,
  request: IncomingMessage,
  { sha256, release, isMutable, archive, confirmedAt }: ReadyAnswer['of'],
  address: string | undefined,
): void {
  const { method, headers } = request
  if (sha256 !== undefined) blobs.use.touch(sha256)
  if (sha256 !== undefined && !isMutable) secondLooks.note(request, address, sha256)
  // An answer that says when it was confirmed is one of the proxy.
  if (isMutable && archive !== undefined && confirmedAt !== undefined) {
    refreshBehind.ring(archive, confirmedAt)
  }
  if (release !== undefined && method === 'GET' && address !== undefined) {
    clientLog.note(address, release, headers['user-agent'])
  }
}
