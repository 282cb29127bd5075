/**
 * Routes of the configuration as a whole: written down, and applied.
 */
import type { FastifyInstance } from 'fastify'
import { routeArchive } from '../archives/routed-upstream.ts'
import { type ApplyInput, applyConfig } from '../desk/apply-config.ts'
import type { ServerSide } from '../desk/config-section.ts'
import { exportConfig } from '../desk/export-config.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { renameSightings } from './client-table.ts'
import { refreshAndFollow } from './jobs.ts'
import { type Emit, replyWithTask } from './task.ts'

const MOST_CHARACTERS = 4 * 1024 * 1024

const schema = {
  body: {
    type: 'object',
    required: ['text'],
    properties: {
      text: { type: 'string', maxLength: MOST_CHARACTERS },
      file: { type: 'string', minLength: 1, maxLength: 200 },
      prune: { type: 'boolean' },
      dryRun: { type: 'boolean' },
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}

type Body = Pick<ApplyInput, 'text' | 'prune' | 'dryRun'> & { readonly file?: string }

/** Adds the routes to the API. */
export function configRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  api.get('/export', () => exportConfig(parts))
  api.post<{ Body: Body }>('/apply', { schema }, (request, reply) => {
    const { text, prune, dryRun, file = 'the file' } = request.body
    const { who, why } = reasonOf(request)
    return replyWithTask(request, reply, (emit, signal) => {
      const serverSide = serverSideOf(context, who, emit)
      return applyConfig(
        { ...parts, serverSide },
        { text, prune, dryRun, file, who, why },
        { signal, onEvent: (event) => emit({ kind: 'step', ...event }) },
      )
    })
  })
}

function serverSideOf({ parts, jobs }: ApiContext, who: string, emit: Emit): ServerSide {
  return {
    archiveChanged: (archive) => {
      routeArchive(parts.upstream, archive)
      if (archive.settings.kind === 'local') parts.uploadFollow.note(archive.name)
      parts.rescue.wake({ retryLost: true })
    },
    archiveRemoved: () => parts.rescue.wake(),
    refresh: async (archive, { signal }) => {
      const onEvent = (event: unknown): void => emit({ kind: 'refresh', event })
      const task = { archives: [archive], who, onEvent }
      return (await refreshAndFollow(parts, task, signal)).outcomes
    },
    channelRenamed: async (before, after) => {
      await parts.clientLog.flush()
      await renameSightings(parts.db, before, after)
    },
    channelDeleted: (name) => parts.clientLog.forget(name),
    policiesChanged: () => jobs()?.wakePolicies(),
  }
}
