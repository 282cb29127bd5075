/**
 * Routes of the files that channels name: fetching all of them. Adds their figures to the metrics.
 */
import type { FastifyInstance } from 'fastify'
import { fillChannel } from '../keeping/fill.ts'
import type { ApiContext } from './api-context.ts'
import { addFileGauges } from './channel-files.ts'
import { replyWithTask } from './task.ts'

interface FillBody {
  readonly architectures?: readonly string[]
  readonly dryRun?: boolean
}

const fillSchema = {
  body: {
    type: ['object', 'null'],
    properties: {
      architectures: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 100 },
      dryRun: { type: 'boolean' },
    },
    additionalProperties: false,
  },
}

/** Adds the routes to the API. */
export function fileRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  addFileGauges(parts)
  api.post<{ Params: { name: string }; Body: FillBody | null }>(
    '/channels/:name/fill',
    { schema: fillSchema },
    async (request, reply) =>
      replyWithTask(request, reply, async (emit, signal) => {
        const { architectures, dryRun } = request.body ?? {}
        const onFile = (progress: object): void => emit({ kind: 'fetch', ...progress })
        const input = { channel: request.params.name, architectures, dryRun, onFile }
        return fillChannel(parts, input, { signal })
      }),
  )
}
