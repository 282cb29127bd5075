/**
 * Routes of classes of machines: what is published for each, and which channel it is on.
 */
import type { FastifyInstance } from 'fastify'
import { type Channel, channelOfClass, getChannel } from '../channels/channel-table.ts'
import { createClass, listClasses, moveClass } from '../channels/class.ts'
import { deleteChannel } from '../channels/delete-channel.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { type HistoryQuery, historyOf, historySchema } from './api-history.ts'
import { show, summarize } from './channel-summary.ts'

type Named = { Params: { name: string } }

const name = { type: 'string', minLength: 1, maxLength: 200 }
const reason = { type: 'string', maxLength: 1000 }
const createSchema = {
  body: {
    type: 'object',
    required: ['name', 'channel'],
    properties: { name, channel: name, reason },
    additionalProperties: false,
  },
}
const setSchema = {
  body: {
    type: 'object',
    required: ['channel'],
    properties: { channel: name, reason },
    additionalProperties: false,
  },
}

/** Adds the routes to the API. */
export function classRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  const showClass = async (channel: Channel): Promise<Record<string, unknown>> =>
    asClass(await show(context, channel))
  api.get('/classes', async () =>
    Promise.all(
      (await listClasses(parts)).map(async (one) => asClass(await summarize(parts, one))),
    ),
  )
  api.get<Named>('/classes/:name', async ({ params }) =>
    showClass(await getChannel(parts.db, channelOfClass(params.name))),
  )
  api.post<{ Body: { name: string; channel: string } }>(
    '/classes',
    { schema: createSchema },
    async (request) =>
      showClass(await createClass(parts, { ...reasonOf(request), ...request.body })),
  )
  api.patch<Named & { Body: { channel: string } }>(
    '/classes/:name',
    { schema: setSchema },
    async (request) => {
      const { name: own } = request.params
      const { channel } = request.body
      const move = await moveClass(parts, { ...reasonOf(request), name: own, channel })
      const { before, base, generation, lost } = move
      return {
        ...(await showClass(await getChannel(parts.db, channelOfClass(own)))),
        move: { before, channel: base, serial: generation?.serial, lost },
      }
    },
  )
  api.delete<Named>('/classes/:name', async (request) => {
    const { name: own } = request.params
    await deleteChannel(parts, { ...reasonOf(request), channel: channelOfClass(own) })
    await parts.clientLog.forget(channelOfClass(own))
    return { deleted: own }
  })
  api.get<Named & { Querystring: HistoryQuery }>(
    '/classes/:name/history',
    { schema: historySchema },
    async ({ params, query }) => historyOf(parts, channelOfClass(params.name), query),
  )
}

/** A channel as what is published for a class: its own name, and the channel that it is on. */
function asClass(channel: Record<string, unknown>): Record<string, unknown> {
  const {
    kind: _kind,
    follows: _follows,
    waiting: _waiting,
    pins: _pins,
    usedBy: _usedBy,
    ...told
  } = channel
  return { ...told, name: String(channel.name).replace('class/', '') }
}
