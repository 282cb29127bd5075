/**
 * Routes of the server itself: status, verify, tokens.
 */
import type { FastifyInstance } from 'fastify'
import { getArchive, listArchives } from '../archives/archive-table.ts'
import { assertLocal } from '../archives/change-local.ts'
import { version } from '../base/version.ts'
import { isClass, listChannels } from '../channels/channel-table.ts'
import { verifyStore } from '../keeping/verify.ts'
import { inTransaction } from '../store/database.ts'
import { type ApiContext, whoAsks } from './api-context.ts'
import { replyWithTask } from './task.ts'
import { createToken, listTokens, revokeToken, type Token } from './tokens.ts'

const verifySchema = {
  body: {
    type: ['object', 'null'],
    properties: { deep: { type: 'boolean' } },
    additionalProperties: false,
  },
}
const tokenSchema = {
  body: {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string' },
      uploads: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 100 },
      direct: { type: 'boolean' },
    },
    additionalProperties: false,
  },
}

/** Adds the routes to the API. */
export function adminRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  api.get('/status', async () => ({
    version,
    dataDir: parts.config.dataDir,
    url: context.url(),
    publicUrl: context.publicUrl(),
    uptimeMs: parts.clock.now() - context.startedAt,
    archives: (await listArchives(parts.db)).length,
    channels: (await listChannels(parts.db)).filter((one) => !isClass(one)).length,
    nextRefreshAt: context.jobs()?.nextRefreshAt,
    isOffline: parts.upstream.isOffline,
    upstreamTroubles: parts.upstream.troubles().map(({ origin, problem, nextInMs }) => {
      return { origin, code: problem.code, message: problem.message, nextInMs }
    }),
  }))
  api.post<{ Body: { deep?: boolean } | null }>(
    '/verify',
    { schema: verifySchema },
    async (request, reply) =>
      replyWithTask(request, reply, async (emit, signal) => {
        const onProgress = (what: string, done: number, total: number): void =>
          emit({ kind: 'verify', what, done, total })
        return verifyStore(parts, { deep: request.body?.deep === true, onProgress }, { signal })
      }),
  )
  tokenRoutes(api, context)
}

function tokenRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.get('/tokens', async () => listTokens(parts.db))
  api.post<{ Body: Token }>('/tokens', { schema: tokenSchema }, async (request) => {
    const { name, uploads, direct } = request.body
    for (const archive of uploads ?? []) assertLocal(await getArchive(parts.db, archive))
    const made = { name, uploads, direct, who: whoAsks(request), madeAt: parts.clock.now() }
    const token = await inTransaction(parts.db, (trx) => createToken(trx, made))
    return { name, token, uploads, direct }
  })
  api.delete<{ Params: { name: string } }>('/tokens/:name', async (request) => {
    const { name } = request.params
    const ended = { name, who: whoAsks(request), at: parts.clock.now() }
    await inTransaction(parts.db, (trx) => revokeToken(trx, ended))
    return { revoked: name }
  })
}
