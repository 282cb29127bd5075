/**
 * The route that compares packages file by file, as a task: files may have to be fetched, and each is read to its end.
 */
import type { FastifyInstance } from 'fastify'
import { diffContents } from '../desk/diff-contents.ts'
import type { ApiContext } from './api-context.ts'
import { named } from './channel-summary.ts'
import { replyWithTask } from './task.ts'

interface ContentsBody {
  readonly from: string
  readonly to: string
  readonly sources: readonly string[]
  readonly architectures?: readonly string[]
}

const text = { type: 'string', minLength: 1, maxLength: 200 }
const schema = {
  body: {
    type: 'object',
    required: ['from', 'to', 'sources'],
    properties: {
      from: text,
      to: text,
      sources: { type: 'array', minItems: 1, maxItems: 100, items: text },
      architectures: { type: 'array', minItems: 1, maxItems: 20, items: text },
    },
    additionalProperties: false,
  },
}

/** Adds the route to the API. */
export function contentsRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.post<{ Body: ContentsBody }>('/diff/contents', { schema }, async (request, reply) =>
    replyWithTask(request, reply, async (emit, signal) => {
      const onFile = (progress: object): void => emit({ kind: 'fetch', ...progress })
      const onPackage = (progress: object): void => emit({ kind: 'read', ...progress })
      const made = await diffContents(parts, { ...request.body, onFile, onPackage }, { signal })
      return { ...made, from: named(made.from), to: named(made.to) }
    }),
  )
}
