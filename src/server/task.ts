/**
 * Long work over HTTP: with `Accept: application/x-ndjson` a line for each event and one for the result, so that a
 * command can show progress; without it the result as plain JSON. A client that goes away ends the work.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { toAppError } from '../base/errors.ts'
import { errorBody } from './api-error.ts'

export type Emit = (event: unknown) => void

/** Runs `work` as the reply to a request. */
export async function replyWithTask(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (emit: Emit, signal: AbortSignal) => Promise<unknown>,
): Promise<unknown> {
  const gone = new AbortController()
  const { raw } = reply
  raw.once('close', () => gone.abort())
  if (request.headers.accept !== 'application/x-ndjson') return work(() => undefined, gone.signal)
  reply.hijack()
  raw.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' })
  const line = (value: unknown): void => {
    if (!raw.destroyed) raw.write(`${JSON.stringify(value)}\n`)
  }
  try {
    const result = await work((event) => line({ event }), gone.signal)
    line({ result })
  } catch (error) {
    line(errorBody(toAppError(error)))
  }
  raw.end()
  return reply
}
