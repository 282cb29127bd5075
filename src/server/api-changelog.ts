/**
 * The route of a changelog: the whole, or what came since another channel's version.
 */
import type { FastifyInstance } from 'fastify'
import { type ChangelogInput, readChangelogOf } from '../desk/changelog-between.ts'
import type { ApiContext } from './api-context.ts'
import { named } from './channel-summary.ts'

const text = { type: 'string', minLength: 1, maxLength: 200 }
const schema = {
  querystring: {
    type: 'object',
    required: ['name'],
    properties: { name: text, from: { ...text, default: 'testing' }, to: text },
    additionalProperties: false,
  },
}

/** Adds the route to the API. */
export function changelogRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.get<{ Querystring: ChangelogInput }>('/changelog', { schema }, async ({ query }) => {
    const read = await readChangelogOf(parts, query)
    return {
      ...read,
      from: named(read.from),
      ...('to' in read ? { to: named(read.to) } : {}),
    }
  })
}
