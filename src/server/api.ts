/**
 * What is not a file: the JSON API under `/api/v1`, `/healthz`, `/metrics` and `/client/<channel>`; all by fastify.
 *
 * The API needs a token, and answers machines other than this one only if the settings say so (`api-remote`).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import { AppError, httpStatus, toAppError } from '../base/errors.ts'
import { channelOfClass } from '../channels/channel-table.ts'
import { withoutToken } from './access-log.ts'
import { adminRoutes } from './api-admin.ts'
import { adoptRoutes } from './api-adopt.ts'
import { archiveRoutes } from './api-archives.ts'
import { auditRoutes } from './api-audit.ts'
import { backupRoutes } from './api-backup.ts'
import { channelChangeRoutes } from './api-channel-changes.ts'
import { channelRoutes } from './api-channels.ts'
import { classRoutes } from './api-classes.ts'
import { clientRoutes } from './api-clients.ts'
import { compareRoutes } from './api-compare.ts'
import { configRoutes } from './api-config.ts'
import { contentsRoutes } from './api-contents.ts'
import type { ApiContext } from './api-context.ts'
import { declineRoutes } from './api-declines.ts'
import { digestRoutes } from './api-digests.ts'
import { errorBody } from './api-error.ts'
import { fileRoutes } from './api-files.ts'
import { gcRoutes } from './api-gc.ts'
import { holdRoutes } from './api-holds.ts'
import { keyRoutes } from './api-keys.ts'
import { learnedRoutes } from './api-learned.ts'
import { pendingRoutes } from './api-pending.ts'
import { policyRoutes } from './api-policies.ts'
import { promotionRoutes } from './api-promotions.ts'
import { revocationRoutes } from './api-revocations.ts'
import { statsRoutes } from './api-stats.ts'
import { unpublishRoutes } from './api-unpublish.ts'
import { uploadRoutes } from './api-uploads.ts'
import { createGuard } from './authorize.ts'
import { renderClientScript } from './client-script.ts'
import { createHttpServer } from './http.ts'
import { compileLate } from './late-schemas.ts'
import { putRoutes } from './put-uploads.ts'
import { passOver } from './rest-of-body.ts'
import { setupOf } from './setups.ts'

const MAX_BODY_BYTES = 8 * 1024 * 1024

/** The application, on a server that answers files before any route is looked for. */
export function buildApi(context: ApiContext): FastifyInstance {
  const { parts } = context
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    ajv: { onCreate: compileLate },
    // Names of files, each character of which may be three of a URL.
    routerOptions: { maxParamLength: 1000 },
    frameworkErrors: (_error, { raw }, reply) => refusePath(raw, reply.hijack().raw),
    serverFactory: (handler) => createHttpServer(parts, handler, context),
  })
  app.setErrorHandler(async (error, request, reply) => {
    const known = usageError(error) ?? toAppError(error)
    if (request.method === 'PUT') passOver(request.raw, reply.raw)
    await reply.status(httpStatus(known.code)).send(errorBody(known))
  })
  app.setNotFoundHandler(async (request, reply) => {
    const message = `there is nothing at ${withoutToken(request.url)}`
    await reply.status(404).send(errorBody(new AppError('ERR_NOT_FOUND', { message })))
  })
  app.get('/healthz', async () => ({ ok: true, ...(parts.config.offline && { offline: true }) }))
  app.get('/metrics', async (_request, reply) =>
    reply.type(parts.metrics.contentType).send(await parts.metrics.render()),
  )
  const sendScript = async (channel: string, reply: FastifyReply): Promise<FastifyReply> => {
    const script = renderClientScript(await setupOf(context, channel))
    return reply.type('text/x-shellscript; charset=utf-8').send(script)
  }
  app.get<{ Params: { name: string } }>('/client/:name', ({ params }, reply) =>
    sendScript(params.name, reply),
  )
  app.get<{ Params: { name: string } }>('/client/class/:name', ({ params }, reply) =>
    sendScript(channelOfClass(params.name), reply),
  )
  app.register(
    async (api) => {
      api.addHook('onRequest', createGuard(context))
      archiveRoutes(api, context)
      channelRoutes(api, context)
      fileRoutes(api, context)
      compareRoutes(api, context)
      contentsRoutes(api, context)
      clientRoutes(api, context)
      channelChangeRoutes(api, context)
      classRoutes(api, context)
      holdRoutes(api, context)
      declineRoutes(api, context)
      revocationRoutes(api, context)
      unpublishRoutes(api, context)
      configRoutes(api, context)
      pendingRoutes(api, context)
      promotionRoutes(api, context)
      policyRoutes(api, context)
      digestRoutes(api, context)
      keyRoutes(api, context)
      adminRoutes(api, context)
      statsRoutes(api, context)
      auditRoutes(api, context)
      backupRoutes(api, context)
      gcRoutes(api, context)
      adoptRoutes(api, context)
      learnedRoutes(api, context)
      uploadRoutes(api, context)
    },
    { prefix: '/api/v1' },
  )
  putRoutes(app, context)
  return app
}

/** Answers a path that no router takes. */
function refusePath(request: IncomingMessage, response: ServerResponse): void {
  const message = `${withoutToken(request.url ?? '').slice(0, 300)} is no path`
  const body = Buffer.from(JSON.stringify(errorBody(new AppError('ERR_USAGE', { message }))))
  if (request.method === 'PUT') passOver(request, response)
  const type = { 'content-type': 'application/json; charset=utf-8' }
  response.writeHead(400, { ...type, 'content-length': body.length }).end(body)
}

/** What fastify refuses itself: schemas, JSON that is none, bodies too large. */
function usageError(error: unknown): AppError | undefined {
  if (error instanceof AppError || !(error instanceof Error)) return undefined
  const status: unknown = Reflect.get(error, 'statusCode')
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined
  const code = status === 413 ? 'ERR_TOO_LARGE' : 'ERR_USAGE'
  return new AppError(code, { message: error.message, cause: error })
}
