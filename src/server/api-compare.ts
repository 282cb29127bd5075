/**
 * Routes that look into generations: how two differ, where a package is and was.
 */
import type { FastifyInstance } from 'fastify'
import { getChannel, isClass, listChannels } from '../channels/channel-table.ts'
import { compareGenerations } from '../channels/compare.ts'
import { findGeneration } from '../channels/generation-name.ts'
import { searchHistory, searchPackages } from '../channels/search.ts'
import { changelogRoutes } from './api-changelog.ts'
import type { ApiContext } from './api-context.ts'
import { named } from './channel-summary.ts'

const text = { type: 'string', minLength: 1, maxLength: 200 }
const diffSchema = {
  querystring: {
    type: 'object',
    required: ['from', 'to'],
    properties: { from: text, to: text, fields: { type: 'boolean', default: false } },
  },
}
const searchSchema = {
  querystring: { type: 'object', required: ['name'], properties: { name: text, channel: text } },
}
/** Adds the routes to the API. */
export function compareRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  changelogRoutes(api, context)
  api.get<{ Querystring: { from: string; to: string; fields: boolean } }>(
    '/diff',
    { schema: diffSchema },
    async ({ query }) => {
      const from = await findGeneration(parts, query.from)
      const to = await findGeneration(parts, query.to)
      const difference = await compareGenerations(parts, from, to, query)
      return { from: named(from), to: named(to), ...difference }
    },
  )
  api.get<{ Querystring: { name: string; channel?: string } }>(
    '/search',
    { schema: searchSchema },
    async ({ query: { name, channel } }) => {
      const channels = (await listChannels(parts.db)).filter((one) => !isClass(one))
      const heads = channels.flatMap((one) => parts.views.head(one.name) ?? [])
      const views = channel === undefined ? heads : [await findGeneration(parts, channel)]
      return searchPackages(parts, views, name)
    },
  )
  api.get<{ Querystring: { name: string; channel?: string } }>(
    '/search/history',
    { schema: searchSchema },
    async ({ query: { name, channel } }) => {
      if (channel !== undefined) await getChannel(parts.db, channel)
      return searchHistory(parts, { name, channel })
    },
  )
}
