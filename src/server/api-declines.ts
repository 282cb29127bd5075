/**
 * Routes of declines: versions of sources that channels never take.
 */
import type { FastifyInstance } from 'fastify'
import { getChannel, listChannels } from '../channels/channel-table.ts'
import { decline, undecline } from '../channels/decline.ts'
import { listDeclines } from '../channels/decline-table.ts'
import { type ApiContext, reasonOf } from './api-context.ts'

const name = { type: 'string', minLength: 1, maxLength: 200 }
const schema = {
  body: {
    type: 'object',
    required: ['channel', 'source', 'version'],
    properties: {
      channel: name,
      source: name,
      version: name,
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}
const listSchema = { querystring: { type: 'object', properties: { channel: name } } }

type Wanted = { Body: { channel: string; source: string; version: string } }

/** Adds the routes to the API. */
export function declineRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.get<{ Querystring: { channel?: string } }>(
    '/declines',
    { schema: listSchema },
    async ({ query }) => {
      const channels =
        query.channel === undefined
          ? await listChannels(parts.db)
          : [await getChannel(parts.db, query.channel)]
      const declines: Record<string, unknown>[] = []
      for (const { id, name: channel } of channels) {
        for (const one of await listDeclines(parts.db, id)) declines.push({ channel, ...one })
      }
      return declines
    },
  )
  api.post<Wanted>('/declines', { schema }, async (request) => {
    const { channel, source, version } = request.body
    const made = await decline(parts, { ...reasonOf(request), channel, source, version })
    const { decline: own, ...facts } = made
    return { channel, ...own, ...facts }
  })
  api.delete<Wanted>('/declines', { schema }, async (request) => {
    const { channel, source, version } = request.body
    const { head: before } = await getChannel(parts.db, channel)
    const input = { ...reasonOf(request), channel, source, version }
    const generation = await undecline(parts, input)
    return {
      channel,
      source,
      version,
      before,
      generation: generation && { serial: generation.serial, changes: generation.changes },
    }
  })
}
