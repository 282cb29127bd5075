/**
 * Sends what is ready in the turn in which the request came: no promise, no file, no database; and files of answers that
 * are remembered without asking for them again.
 */
import type { IncomingMessage } from 'node:http'
import { dropWhenStalled } from './body.ts'
import { ageOf } from './conditions.ts'
import type { Exchange } from './exchange.ts'
import type { ServerParts } from './parts.ts'
import type { ReadyAnswer } from './ready-answers.ts'
import { sendStored } from './send.ts'

/** Sends it if there is something ready for this request of a client at `address`; else nothing was done. */
export function sendReady(
  parts: ServerParts,
  { request, response }: Pick<Exchange, 'request' | 'response'>,
  address: string | undefined,
): boolean {
  const { method, headers } = request
  if (method !== 'GET' && method !== 'HEAD') return false
  const ready = parts.ready.find(request)
  if (ready === undefined) return false
  const { data, head } = ready
  const { archive, confirmedAt } = ready.answer
  const isUnchanged = headers['if-modified-since'] === head.lastModified
  const status = isUnchanged ? 304 : 200
  const made = isUnchanged ? head.unchanged : head.whole
  const aged = confirmedAt === undefined ? made : [...made, 'Age', ageOf(confirmedAt, parts.clock)]
  const isBare = isUnchanged || method === 'HEAD'
  response.writeHead(status, aged)
  if (isBare) response.end()
  else response.end(data)
  if (response.writableLength > 0) dropWhenStalled(response)
  noteSent(parts, request, ready.answer, address)
  parts.metrics.countRequest(status)
  parts.metrics.countFile('hit', isBare ? 0 : data.length, archive)
  return true
}

/** Sends the file of a remembered answer, if it is here; else nothing was sent. */
export async function sendRecalled(parts: ServerParts, exchange: Exchange): Promise<boolean> {
  const answer = parts.ready.recall(exchange.request)
  if (answer === undefined || !(await sendStored(parts, exchange, answer))) return false
  ring(parts, answer)
  return true
}

/** What the long way does besides sending. */
export function noteSent(
  parts: ServerParts,
  request: Pick<IncomingMessage, 'method' | 'headers'>,
  answer: ReadyAnswer['answer'],
  address: string | undefined,
): void {
  const { blobs, clientLog, secondLooks } = parts
  const { method, headers } = request
  ring(parts, answer)
  if (answer.kind === 'blob') {
    blobs.use.touch(answer.sha256)
    if (!answer.isMutable) secondLooks.note(request, address, answer.sha256)
  }
  const release = answer.kind === 'bytes' ? answer.release : undefined
  if (release !== undefined && method === 'GET' && address !== undefined) {
    clientLog.note(address, release, headers['user-agent'])
  }
}

/** An answer that says when it was confirmed is one of the proxy: it is looked at behind who asks. */
function ring({ refreshBehind }: ServerParts, answer: ReadyAnswer['answer']): void {
  const { isMutable, archive, confirmedAt } = answer
  if (isMutable && archive !== undefined && confirmedAt !== undefined) {
    refreshBehind.ring(archive, confirmedAt)
  }
}
