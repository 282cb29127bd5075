/**
 * Routes of holds: sources that channels keep as they are.
 */
import type { FastifyInstance } from 'fastify'
import { getChannel, listChannels } from '../channels/channel-table.ts'
import { hold, unhold } from '../channels/hold.ts'
import { listPins } from '../channels/pin-table.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { tellPin } from './based-summary.ts'

const name = { type: 'string', minLength: 1, maxLength: 200 }
const schema = {
  body: {
    type: 'object',
    required: ['channel', 'source'],
    properties: {
      channel: name,
      source: name,
      until: { type: 'integer', minimum: 0, maximum: 8.64e15 },
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}
const listSchema = { querystring: { type: 'object', properties: { channel: name } } }

type Wanted = { Body: { channel: string; source: string; until?: number } }

/** Adds the routes to the API. */
export function holdRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.get<{ Querystring: { channel?: string } }>(
    '/holds',
    { schema: listSchema },
    async ({ query }) => {
      const channels =
        query.channel === undefined
          ? await listChannels(parts.db)
          : [await getChannel(parts.db, query.channel)]
      const now = parts.clock.now()
      const holds: Record<string, unknown>[] = []
      for (const { id, name: channel } of channels) {
        const pins = (await listPins(parts.db, id)).filter((pin) => pin.kind === 'hold')
        holds.push(...pins.map((pin) => ({ channel, ...tellPin(pin, now) })))
      }
      return holds
    },
  )
  api.post<Wanted>('/holds', { schema }, async (request) => {
    const { channel, source, until } = request.body
    const pins = await hold(parts, { ...reasonOf(request), channel, source, until })
    const now = parts.clock.now()
    return { channel, source, pins: pins.map((pin) => tellPin(pin, now)) }
  })
  api.delete<Wanted>('/holds', { schema }, async (request) => {
    const { channel, source } = request.body
    const { head: before } = await getChannel(parts.db, channel)
    const generation = await unhold(parts, { ...reasonOf(request), channel, source })
    return {
      channel,
      source,
      before,
      generation: generation && { serial: generation.serial, changes: generation.changes },
    }
  })
}
