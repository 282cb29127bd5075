/**
 * Routes of the audit: its rows, and the check of its chain.
 *
 * With `Accept: application/x-ndjson` all rows come, a line each, at the pace of who reads, and last a line with their
 * number: what ends without it was cut short.
 */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../base/errors.ts'
import {
  type AuditFilter,
  type AuditRow,
  checkAudit,
  pagesOfAudit,
  readAudit,
} from '../store/audit.ts'
import type { Db } from '../store/database.ts'
import type { ApiContext } from './api-context.ts'
import { writeBody } from './body.ts'
import { replyWithTask } from './task.ts'

interface AuditQuery extends AuditFilter {
  readonly limit?: number
}

const LINES = 'application/x-ndjson'
const LIMIT = 50
/** Of an answer that is made in memory. */
const MOST = 10_000

const text = { type: 'string', minLength: 1, maxLength: 1000 }
const auditSchema = {
  querystring: {
    type: 'object',
    properties: {
      since: { type: 'integer' },
      until: { type: 'integer' },
      who: text,
      what: text,
      object: text,
      limit: { type: 'integer', minimum: 1 },
    },
  },
}

/** Adds the routes to the API. */
export function auditRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.get<{ Querystring: AuditQuery }>(
    '/audit',
    { schema: auditSchema },
    async (request, reply) => {
      const { limit, ...filter } = request.query
      if (request.headers.accept === LINES) {
        const gone = new AbortController()
        const { raw } = reply.hijack()
        raw.once('close', () => gone.abort())
        raw.writeHead(200, { 'Content-Type': LINES, 'Cache-Control': 'no-store' })
        const lines = linesOf(parts.db, filter, limit ?? Number.POSITIVE_INFINITY)
        await writeBody(raw, lines, undefined, gone.signal)
        return reply
      }
      if (limit !== undefined && limit > MOST) {
        throw new AppError('ERR_USAGE', {
          message: `so many rows are not put into one answer: ${limit}, at most ${MOST}`,
          hint: `ask with Accept: ${LINES}, or: sluice audit --all --json`,
        })
      }
      return readAudit(parts.db, limit ?? LIMIT, filter)
    },
  )
  api.post('/audit/verify', async (request, reply) =>
    replyWithTask(request, reply, (emit, signal) =>
      checkAudit(
        parts.db,
        (done, total) => emit({ kind: 'verify', what: 'audit rows', done, total }),
        { signal },
      ),
    ),
  )
}

async function* linesOf(db: Db, filter: AuditFilter, limit: number): AsyncGenerator<Buffer> {
  let rows = 0
  for await (const page of pagesOfAudit(db, filter)) {
    const wanted = page.slice(0, limit - rows)
    rows += wanted.length
    yield Buffer.from(wanted.map(lineOf).join(''))
    if (rows >= limit) break
  }
  yield Buffer.from(`${JSON.stringify({ rows })}\n`)
}

function lineOf(row: AuditRow): string {
  return `${JSON.stringify(row)}\n`
}
