/**
 * Routes of which clients took which channel.
 */
import type { FastifyInstance } from 'fastify'
import { getChannel } from '../channels/channel-table.ts'
import type { ApiContext } from './api-context.ts'
import { clientsOf } from './channel-clients.ts'

/** Adds the routes to the API; a class is `class/<name>`, with its slash encoded. */
export function clientRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.get<{ Params: { name: string } }>('/channels/:name/clients', async ({ params }) => {
    const channel = await getChannel(parts.db, params.name)
    const clients = await clientsOf(parts, channel)
    return { channel: channel.name, head: channel.head, clients }
  })
}
