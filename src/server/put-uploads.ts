/**
 * What dput speaks (its method http): PUT of a `.changes` and of the files that it lists, in any order. Who signed the
 * `.changes` says whether it is taken; the token says who may put anything here at all.
 *
 *   PUT /upload/ARCHIVE/FILE         with the token as the password that dput asks for
 *   PUT /upload/ARCHIVE/TOKEN/FILE   where nobody is there to type one
 *
 * dput shows the reason phrase of an answer, and sends all of a file before it looks for one.
 */
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { getArchive } from '../archives/archive-table.ts'
import { assertLocal } from '../archives/change-local.ts'
import { AppError, httpStatus, isAppError, toAppError } from '../base/errors.ts'
import type { ApiContext } from './api-context.ts'
import { checkScope } from './authorize.ts'
import { clientList, isClient } from './clients.ts'
import { reasonPhrase } from './exchange.ts'
import type { ServerParts } from './parts.ts'
import { findToken } from './tokens.ts'
import { sessionFolder, takeFileBytes, takeSession } from './upload-session.ts'

type PutRequest = FastifyRequest<{ Params: { name: string; file: string; token?: string } }>

interface Answer {
  readonly status: number
  readonly text: string
}

/** Adds the routes, beside the API. */
export function putRoutes(app: FastifyInstance, context: ApiContext): void {
  const clients = clientList(context.parts.config.clients)
  app.register((puts, _options, done) => {
    puts.removeAllContentTypeParsers()
    puts.addContentTypeParser('*', (_request, payload, next) => next(null, payload))
    const put = async (request: PutRequest, reply: FastifyReply): Promise<FastifyReply> => {
      try {
        const address = context.doors.fronts.clientOf(request.raw)
        if (!isClient(clients, request.raw.socket, address)) throw notServed()
        const { status, text } = await takePut(context.parts, request)
        return await say(reply, status, text)
      } catch (error) {
        await drain(request.raw)
        const known = toAppError(error)
        if (isAppError(known, 'ERR_UNAUTHORIZED'))
          reply.header('WWW-Authenticate', `Basic realm="sluice ${request.params.name}"`)
        const hint = known.hint === undefined ? '' : `hint: ${known.hint}\n`
        return say(reply, httpStatus(known.code), `${known.message}\n${hint}`)
      }
    }
    puts.put('/upload/:name/:file', put)
    puts.put('/upload/:name/:token/:file', put)
    done()
  })
}

async function takePut(parts: ServerParts, request: PutRequest): Promise<Answer> {
  const { params, headers } = request
  const { name, file } = params
  const token = await findToken(
    parts.db,
    params.token === undefined ? headers.authorization : `Bearer ${params.token}`,
  )
  if (token === undefined) {
    throw new AppError('ERR_UNAUTHORIZED', {
      message: 'uploads need a token as password',
      hint: 'sluice token create NAME --upload ARCHIVE makes one',
    })
  }
  checkScope(token, name)
  assertLocal(await getArchive(parts.db, name))
  const folder = sessionFolder('put', token.name, name)
  const length = headers['content-length']
  const end = parts.uploadFollow.begin()
  try {
    const bytes = {
      folder,
      file,
      offset: 0,
      length: length === undefined ? undefined : Number(length),
    }
    await takeFileBytes(parts, bytes, (request.body as Readable | undefined) ?? request.raw)
    return await look(parts, { folder, file, archive: name, who: token.name })
  } finally {
    end()
  }
}

interface Look {
  readonly folder: string
  readonly file: string
  readonly archive: string
  readonly who: string
}

/** Whether this file made an upload whole. */
async function look(parts: ServerParts, { folder, file, archive, who }: Look): Promise<Answer> {
  const here = await parts.partFiles.list(folder)
  const changes = file.endsWith('.changes')
    ? [file]
    : here.filter((one) => one.endsWith('.changes'))
  let waits: string | undefined
  for (const name of changes) {
    const outcome = await takeSession(parts, { archive, folder, name, who, mustBeSigned: true })
    if (outcome.kind === 'waiting') {
      waits = `${name} waits for ${outcome.missing.length} more: ${outcome.missing[0] ?? ''}`
      continue
    }
    const all = outcome.published.map((one) => `${one.name} ${one.version} ${one.architecture}`)
    const lines = outcome.warnings.map(({ message }) => `warning: ${message}\n`)
    return { status: 201, text: `published ${all.join(', ')}\n${lines.join('')}` }
  }
  return { status: 202, text: `${waits ?? `${file} is here, its .changes is not yet`}\n` }
}

async function say(reply: FastifyReply, status: number, text: string): Promise<FastifyReply> {
  reply.raw.statusMessage = reasonPhrase(text)
  return reply.status(status).type('text/plain; charset=utf-8').send(text)
}

/** Reads what is still to come of a body, for who hears nothing before he has said all. */
async function drain(body: Readable): Promise<void> {
  try {
    for await (const _piece of body);
  } catch {
    // He is gone, or it was read already.
  }
}

function notServed(): AppError {
  return new AppError('ERR_REFUSED', {
    message: 'this address is not one of its clients',
    hint: 'the setting `clients`',
  })
}
