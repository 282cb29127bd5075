/**
 * The route of adoption. The directory is one of the server's machine, so that it answers this machine alone, whatever
 * `api-remote` says: from elsewhere the path would mean something else.
 */
import { isAbsolute } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { AppError } from '../base/errors.ts'
import { type AdoptProgress, adoptFiles } from '../keeping/adopt.ts'
import { type ApiContext, isOnThisMachine, reasonOf } from './api-context.ts'
import { replyWithTask } from './task.ts'

const adoptSchema = {
  body: {
    type: 'object',
    required: ['dir'],
    properties: {
      dir: { type: 'string', minLength: 1, maxLength: 4096 },
      dryRun: { type: 'boolean' },
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}

/** Adds the route to the API. */
export function adoptRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.post<{ Body: { dir: string; dryRun?: boolean } }>(
    '/adopt',
    { schema: adoptSchema },
    async (request, reply) => {
      const { dir, dryRun } = request.body
      if (!isOnThisMachine(request)) {
        throw new AppError('ERR_REFUSED', {
          message:
            "adopt takes a directory of the server's machine, and this asks from another one",
          hint: 'run it on the server; what is elsewhere can be copied or mounted there',
        })
      }
      if (!isAbsolute(dir) || dir.includes('\0')) {
        throw new AppError('ERR_USAGE', { message: `${dir} is no whole path of a directory` })
      }
      return replyWithTask(request, reply, async (emit, signal) => {
        const onProgress = (progress: AdoptProgress): void => emit({ kind: 'adopt', ...progress })
        const input = { dir, dryRun, onProgress, ...reasonOf(request) }
        const report = await adoptFiles(parts, input, { signal })
        // What was missing may be here now.
        if (report.adopted.files > 0 && dryRun !== true) parts.rescue.wake()
        return report
      })
    },
  )
}
