/**
 * Routes of channels: list, make, show, history, roll back, delete.
 */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../base/errors.ts'
import { type Channel, getPlainChannel, isClass, listChannels } from '../channels/channel-table.ts'
import { type CreateInput, createChannel } from '../channels/create-channel.ts'
import { deleteChannel } from '../channels/delete-channel.ts'
import { parsePoint, serialAt } from '../channels/generation-name.ts'
import { rollback } from '../channels/rollback.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { type HistoryQuery, historyOf, historySchema } from './api-history.ts'
import { countLostOfHead } from './channel-files.ts'
import { show, summarize } from './channel-summary.ts'
import type { ServerParts } from './parts.ts'

type Named = { Params: { name: string } }

const reason = { type: 'string', maxLength: 1000 }
const createSchema = {
  body: {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string' },
      follow: { type: 'array', items: { type: 'string' }, minItems: 1 },
      from: { type: 'string' },
      base: { type: 'string' },
      reason,
    },
    additionalProperties: false,
  },
}
const rollbackSchema = {
  body: {
    type: 'object',
    required: ['to'],
    // A serial, or a time like 20261101T000000Z.
    properties: { to: { type: 'string', minLength: 1, maxLength: 20 }, reason },
    additionalProperties: false,
  },
}

interface CreateBody {
  readonly name: string
  readonly follow?: readonly string[]
  readonly from?: string
  readonly base?: string
}

/** Adds the routes to the API. */
export function channelRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  api.get('/channels', async () => {
    const channels = (await listChannels(parts.db)).filter((one) => !isClass(one))
    return Promise.all(channels.map((one) => summarize(parts, one)))
  })
  api.get<Named>('/channels/:name', async ({ params }) =>
    show(context, await getPlainChannel(parts.db, params.name)),
  )
  api.post<{ Body: CreateBody }>('/channels', { schema: createSchema }, async (request) => {
    const { name } = request.body
    const source = sourceOf(request.body)
    return show(context, await createChannel(parts, { ...reasonOf(request), name, source }), true)
  })
  api.get<Named & { Querystring: HistoryQuery }>(
    '/channels/:name/history',
    { schema: historySchema },
    async ({ params, query }) => {
      const { name } = await getPlainChannel(parts.db, params.name)
      return historyOf(parts, name, query)
    },
  )
  api.post<Named & { Body: { to: string } }>(
    '/channels/:name/rollback',
    { schema: rollbackSchema },
    async (request) => {
      const channel = await getPlainChannel(parts.db, request.params.name)
      const to = await readSerial(parts, channel, request.body.to)
      const input = { ...reasonOf(request), channel: channel.name, to }
      const generation = await rollback(parts, input)
      return {
        before: channel.head,
        to,
        lost: await countLostOfHead(parts, channel.name),
        generation: generation && { serial: generation.serial, changes: generation.changes },
      }
    },
  )
  api.delete<Named>('/channels/:name', async (request) => {
    const { name } = await getPlainChannel(parts.db, request.params.name)
    await deleteChannel(parts, { ...reasonOf(request), channel: name })
    await parts.clientLog.forget(name)
    return { deleted: name }
  })
}

/** Archives to follow, a channel to copy, or a channel to be based on (and then archives besides). */
function sourceOf({ name, follow, from, base }: CreateBody): CreateInput['source'] {
  if (base !== undefined && from === undefined) return { base, follow: follow ?? [] }
  if (from !== undefined && base === undefined && follow === undefined) return { from }
  if (follow !== undefined && from === undefined) return { follow }
  throw new AppError('ERR_USAGE', {
    message: 'a channel either follows archives, is copied from a channel, or is based on one',
    hint: `sluice channel create ${name} --follow ARCHIVE…, --from CHANNEL, or --base CHANNEL`,
  })
}

async function readSerial(parts: ServerParts, channel: Channel, text: string): Promise<number> {
  const point = parsePoint(text)
  if (point !== undefined) return serialAt(parts, channel, point)
  throw new AppError('ERR_USAGE', {
    message: `${text} is neither a serial nor a time like 20261101T000000Z`,
    hint: `sluice channel history ${channel.name}`,
  })
}
