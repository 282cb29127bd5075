/**
 * The generations of a channel or a class, as the API tells them.
 */
import { getChannel } from '../channels/channel-table.ts'
import { listGenerations } from '../channels/generation-table.ts'
import type { ServerParts } from './parts.ts'

export const historySchema = {
  querystring: {
    type: 'object',
    properties: {
      limit: { type: 'integer', minimum: 1, maximum: 10_000, default: 20 },
      since: { type: 'integer' },
    },
  },
}

/** How many, and from which time on (epoch milliseconds). */
export interface HistoryQuery {
  readonly limit: number
  readonly since?: number
}

/** Its newest generations, newest first; `name` is `class/web` for a class. */
export async function historyOf(
  parts: ServerParts,
  name: string,
  query: HistoryQuery,
): Promise<Record<string, unknown>[]> {
  const channel = await getChannel(parts.db, name)
  const generations = await listGenerations(parts.db, channel.id, query.limit, query)
  return generations.map(({ serial, madeAt, kind, who, why, changes }) => {
    const isHead = serial === channel.head
    return { serial, madeAt, kind, who, why, changes, isHead }
  })
}
