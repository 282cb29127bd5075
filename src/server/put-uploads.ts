/**
 * What dput speaks (its method http): PUT of a `.changes` and of the files that it lists, in any order. Who signed the
 * `.changes` says whether it is taken; the token says who may put anything here at all.
 *
 *   PUT /upload/ARCHIVE/FILE         with the token as the password that dput asks for
 *   PUT /upload/ARCHIVE/TOKEN/FILE   where nobody is there to type one
 *
 * dput shows the reason phrase of an answer, and sends all of a file before it looks for one.
 */
import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { getArchive } from '../archives/archive-table.ts'
import { assertLocal } from '../archives/change-local.ts'
import type { ChangesOutcome } from '../archives/take-changes.ts'
import { listedBy } from '../archives/upload-files.ts'
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
    const part = `${randomUUID()}.part`
    const told = length === undefined ? undefined : Number(length)
    const bytes = { folder, file, part, offset: 0, length: told }
    const body = (request.body as Readable | undefined) ?? request.raw
    const whole = { folder, file, archive: name, who: token.name }
    // Nobody can go on with what breaks off.
    return await takeFileBytes(parts, bytes, body, () => look(parts, whole)).finally(() =>
      parts.partFiles.remove({ folder, file: part }),
    )
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

/** Whether this file made an upload whole, or several. Others in the folder are none of its business, nor what is wrong with them. */
async function look(parts: ServerParts, { folder, file, archive, who }: Look): Promise<Answer> {
  const changes = file.endsWith('.changes') ? [file] : await listedBy(parts, { folder, file })
  const published: string[] = []
  const waits: string[] = []
  const errors: unknown[] = []
  for (const name of changes) {
    try {
      const outcome = await takeSession(parts, { archive, folder, name, who, mustBeSigned: true })
      if (outcome.kind === 'published') published.push(publishedText(outcome))
      else
        waits.push(
          `${name} waits for ${outcome.missing.length} more: ${outcome.missing[0] ?? ''}\n`,
        )
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
  if (published.length > 0) return { status: 201, text: published.join('') }
  return { status: 202, text: waits[0] ?? `${file} is here, its .changes is not yet\n` }
}

function publishedText(outcome: Extract<ChangesOutcome, { kind: 'published' }>): string {
  const all = outcome.published.map((one) => `${one.name} ${one.version} ${one.architecture}`)
  const lines = outcome.warnings.map(({ message }) => `warning: ${message}\n`)
  return `published ${all.join(', ')}\n${lines.join('')}`
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
