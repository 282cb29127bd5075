/**
 * Routes of the garbage collector: run it, or tell what it would do; what the last run did.
 */
import type { FastifyInstance } from 'fastify'
import { lastRun } from '../keeping/gc-runs.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { addGcMetrics, collect } from './gc.ts'
import { replyWithTask } from './task.ts'

const gcSchema = {
  body: {
    type: ['object', 'null'],
    properties: {
      dryRun: { type: 'boolean' },
      force: { type: 'boolean' },
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}

/** Adds the routes to the API, and the last run to the metrics. */
export function gcRoutes(api: FastifyInstance, { parts, jobs }: ApiContext): void {
  addGcMetrics(parts)
  api.get('/gc', async () => ({
    last: await lastRun(parts.db),
    room: await jobs()?.room.status(),
  }))
  api.post<{ Body: { dryRun?: boolean; force?: boolean } | null }>(
    '/gc',
    { schema: gcSchema },
    async (request, reply) =>
      replyWithTask(request, reply, async (emit, signal) => {
        const { dryRun, force } = request.body ?? {}
        const onProgress = (what: string, done: number, total: number): void =>
          emit({ kind: 'gc', what, done, total })
        const input = { ...reasonOf(request), dryRun, force, onProgress }
        const report = await collect(parts, input, { signal })
        if (dryRun !== true) await jobs()?.room.settle()
        return report
      }),
  )
}
