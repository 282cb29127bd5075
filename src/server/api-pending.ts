/**
 * Route of what waits to be promoted.
 */
import type { FastifyInstance } from 'fastify'
import { getChannel } from '../channels/channel-table.ts'
import { findGeneration } from '../channels/generation-name.ts'
import { hasMoreBesides, listPending } from '../channels/pending.ts'
import { heldSources } from '../channels/promotion-target.ts'
import type { ApiContext } from './api-context.ts'
import { countPackages, named } from './channel-summary.ts'

const name = { type: 'string', minLength: 1, maxLength: 200 }
const pendingSchema = {
  querystring: {
    type: 'object',
    properties: { from: { ...name, default: 'testing' }, to: { ...name, default: 'approved' } },
  },
}

/** Adds the route to the API. */
export function pendingRoutes(api: FastifyInstance, { parts, jobs }: ApiContext): void {
  api.get<{ Querystring: { from: string; to: string } }>(
    '/pending',
    { schema: pendingSchema },
    async ({ query }) => {
      const view = await findGeneration(parts, query.from)
      const to = await findGeneration(parts, query.to)
      const channel = await getChannel(parts.db, view.channel)
      const pending = await listPending(parts, { channel, view }, to)
      const target = await getChannel(parts.db, to.channel)
      const held = await heldSources(parts, target)
      return {
        from: named(view),
        to: named(to),
        packages: await countPackages(parts, view),
        // What is made of a base has of that what its base has.
        hasMore: target.kind === 'curated' && (await hasMoreBesides(parts, view, to)),
        nextRefreshAt: jobs()?.nextRefreshAt,
        pending: pending.map(({ isSecurity, ...one }) => ({
          ...one,
          note: noteOf(isSecurity, held.has(one.source)),
        })),
      }
    },
  )
}

function noteOf(isSecurity: boolean, isHeld: boolean): string | undefined {
  const notes = [...(isSecurity ? ['security'] : []), ...(isHeld ? ['held'] : [])]
  return notes.length === 0 ? undefined : notes.join(', ')
}
