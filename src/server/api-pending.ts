/**
 * Routes of what waits to be promoted: a survey of it; the reading of changelogs whose packages are not here yet; the gate's
 * word on what must come along.
 */
import type { FastifyInstance } from 'fastify'
import { getChannel } from '../channels/channel-table.ts'
import { findGeneration } from '../channels/generation-name.ts'
import { hasMoreBesides } from '../channels/pending.ts'
import { fetchChangelogs } from '../desk/fetch-changelogs.ts'
import type { PendingPair } from '../desk/pending-details.ts'
import {
  type CandidateFilter,
  type PendingFilter,
  type SortKey,
  sortKeys,
} from '../desk/pending-selection.ts'
import { type SurveyedSource, surveyPending } from '../desk/survey-pending.ts'
import type { ApiContext } from './api-context.ts'
import { countPackages, named } from './channel-summary.ts'
import type { ServerParts } from './parts.ts'
import { replyWithTask } from './task.ts'

interface Ends {
  readonly from: string
  readonly to: string
}

interface PendingQuery extends Ends, PendingFilter {
  readonly sort: SortKey
  readonly reverse: boolean
  readonly limit?: number
  /** Of each source so many entries of its changelog are told. */
  readonly entries: number
}

const name = { type: 'string', minLength: 1, maxLength: 200 }
const flag = { type: 'boolean' }
const span = { type: 'integer', minimum: 0, maximum: 100 * 366 * 24 * 3600_000 }
const ends = { from: { ...name, default: 'testing' }, to: { ...name, default: 'approved' } }
const candidateFields = {
  patterns: { type: 'array', maxItems: 1000, items: name },
  archive: name,
  suite: name,
  security: flag,
  held: flag,
  declined: flag,
  olderThanMs: span,
  newerThanMs: span,
}
const pendingSchema = {
  querystring: {
    type: 'object',
    properties: {
      ...ends,
      ...candidateFields,
      cve: name,
      urgency: name,
      goes: flag,
      sort: { enum: sortKeys, default: 'security' },
      reverse: { ...flag, default: false },
      limit: { type: 'integer', minimum: 1, maximum: 1_000_000 },
      entries: { type: 'integer', minimum: 0, maximum: 1000, default: 3 },
    },
    additionalProperties: false,
  },
}
const fetchSchema = {
  body: {
    type: 'object',
    properties: { ...ends, ...candidateFields },
    additionalProperties: false,
  },
}

const needsSchema = {
  body: { type: 'object', properties: ends, additionalProperties: false },
}

/** Adds the routes to the API. */
export function pendingRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  api.get<{ Querystring: PendingQuery }>('/pending', { schema: pendingSchema }, ({ query }) =>
    tellPending(context, query),
  )
  api.post<{ Body: Ends & CandidateFilter }>(
    '/pending/changelogs',
    { schema: fetchSchema },
    async (request, reply) => {
      const { from, to, ...filter } = request.body
      const pair = await pairOf(parts, { from, to })
      return replyWithTask(request, reply, async (emit, signal) => {
        const onProgress = (progress: object): void => emit({ kind: 'read', ...progress })
        return fetchChangelogs(parts, { ...pair, filter, onProgress }, { signal })
      })
    },
  )
  api.post<{ Body: Ends }>('/pending/needs', { schema: needsSchema }, async (request, reply) => {
    const pair = await pairOf(parts, request.body)
    return replyWithTask(request, reply, async (emit, signal) => {
      const onProgress = (progress: object): void => emit({ kind: 'gate', ...progress })
      return { sources: await parts.needs.find(parts, pair, { signal, onProgress }) }
    })
  })
}

async function pairOf(parts: ServerParts, { from, to }: Ends): Promise<PendingPair> {
  return { from: await findGeneration(parts, from), to: await findGeneration(parts, to) }
}

async function tellPending({ parts, jobs }: ApiContext, query: PendingQuery): Promise<object> {
  const { sort, reverse: isReverse, limit, entries, from: _from, to: _to, ...filter } = query
  const pair = await pairOf(parts, query)
  const survey = await surveyPending(parts, { ...pair, filter, sort, isReverse, limit })
  const target = await getChannel(parts.db, pair.to.channel)
  const { pending, ...counts } = survey
  return {
    from: named(pair.from),
    to: named(pair.to),
    at: parts.clock.now(),
    packages: await countPackages(parts, pair.from),
    // What is made of a base has of that what its base has.
    hasMore: target.kind === 'curated' && (await hasMoreBesides(parts, pair.from, pair.to)),
    nextRefreshAt: jobs()?.nextRefreshAt,
    ...counts,
    pending: pending.map((one) => tellOne(one, entries)),
  }
}

function tellOne(one: SurveyedSource, count: number): object {
  const { entries, isSecurity, hold, decline } = one
  const notes = [
    ...(isSecurity ? ['security'] : []),
    ...(hold === undefined ? [] : ['held']),
    ...(decline === undefined ? [] : ['declined']),
  ]
  return {
    ...one,
    entries: entries.slice(0, count),
    entryCount: entries.length,
    note: notes.length === 0 ? undefined : notes.join(', '),
  }
}
