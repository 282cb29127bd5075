/**
 * Routes of channels: list, make, show, history, roll back, delete, differences.
 */
import type { FastifyInstance } from 'fastify'
import { readState } from '../archives/suite-state.ts'
import { AppError } from '../base/errors.ts'
import { type Channel, getChannel, listChannels } from '../channels/channel-table.ts'
import { createChannel } from '../channels/create-channel.ts'
import { deleteChannel } from '../channels/delete-channel.ts'
import { changesOf, diffStates } from '../channels/diff.ts'
import { findGeneration, parsePoint, serialAt } from '../channels/generation-name.ts'
import { listGenerations, type SourceChange } from '../channels/generation-table.ts'
import { rollback } from '../channels/rollback.ts'
import { setFollowed } from '../channels/set-follows.ts'
import type { GenerationView } from '../channels/views.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { named, show, summarize } from './channel-summary.ts'
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
      reason,
    },
    additionalProperties: false,
  },
}
const followSchema = {
  body: {
    type: 'object',
    required: ['follow'],
    properties: { follow: { type: 'array', items: { type: 'string' }, minItems: 1 }, reason },
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
const historySchema = {
  querystring: {
    type: 'object',
    properties: { limit: { type: 'integer', minimum: 1, maximum: 10_000, default: 20 } },
  },
}
const diffSchema = {
  querystring: {
    type: 'object',
    required: ['from', 'to'],
    properties: { from: { type: 'string' }, to: { type: 'string' } },
  },
}

/** Adds the routes to the API. */
export function channelRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  api.get('/channels', async () =>
    Promise.all((await listChannels(parts.db)).map((one) => summarize(parts, one))),
  )
  api.get<Named>('/channels/:name', async ({ params }) =>
    show(context, await getChannel(parts.db, params.name)),
  )
  api.post<{ Body: { name: string; follow?: string[]; from?: string } }>(
    '/channels',
    { schema: createSchema },
    async (request) => {
      const { name, follow, from } = request.body
      if ((follow === undefined) === (from === undefined)) {
        throw new AppError('ERR_USAGE', {
          message: 'a channel either follows archives or is copied from a channel',
          hint: `sluice channel create ${name} --follow ARCHIVE…, or --from CHANNEL`,
        })
      }
      const source = from === undefined ? { follow: follow ?? [] } : { from }
      return show(context, await createChannel(parts, { ...reasonOf(request), name, source }), true)
    },
  )
  api.get<Named & { Querystring: { limit: number } }>(
    '/channels/:name/history',
    { schema: historySchema },
    async ({ params, query }) => {
      const channel = await getChannel(parts.db, params.name)
      const generations = await listGenerations(parts.db, channel.id, query.limit)
      return generations.map(({ serial, madeAt, kind, who, why, changes }) => {
        const isHead = serial === channel.head
        return { serial, madeAt, kind, who, why, changes, isHead }
      })
    },
  )
  api.post<Named & { Body: { to: string } }>(
    '/channels/:name/rollback',
    { schema: rollbackSchema },
    async (request) => {
      const channel = await getChannel(parts.db, request.params.name)
      const to = await readSerial(parts, channel, request.body.to)
      const input = { ...reasonOf(request), channel: channel.name, to }
      const generation = await rollback(parts, input)
      return {
        before: channel.head,
        to,
        generation: generation && { serial: generation.serial, changes: generation.changes },
      }
    },
  )
  api.patch<Named & { Body: { follow: string[] } }>(
    '/channels/:name',
    { schema: followSchema },
    async (request) => {
      const { name } = request.params
      const { follow } = request.body
      await setFollowed(parts, { ...reasonOf(request), channel: name, follow })
      return show(context, await getChannel(parts.db, name))
    },
  )
  api.delete<Named>('/channels/:name', async (request) => {
    const { name } = request.params
    await deleteChannel(parts, { ...reasonOf(request), channel: name })
    return { deleted: name }
  })
  api.get<{ Querystring: { from: string; to: string } }>(
    '/diff',
    { schema: diffSchema },
    async ({ query }) => {
      const from = await findGeneration(parts, query.from)
      const to = await findGeneration(parts, query.to)
      return { from: named(from), to: named(to), changes: await diffGenerations(parts, from, to) }
    },
  )
}

async function readSerial(parts: ServerParts, channel: Channel, text: string): Promise<number> {
  const point = parsePoint(text)
  if (point !== undefined) return serialAt(parts, channel, point)
  throw new AppError('ERR_USAGE', {
    message: `${text} is neither a serial nor a time like 20261101T000000Z`,
    hint: `sluice channel history ${channel.name}`,
  })
}

async function diffGenerations(
  parts: ServerParts,
  from: GenerationView,
  to: GenerationView,
): Promise<SourceChange[]> {
  const changes: SourceChange[] = []
  const names = new Map(
    [...from.suites, ...to.suites].map((one) => [`${one.archive} ${one.suite}`, one]),
  )
  for (const { archive, suite } of names.values()) {
    const find = async (
      view: GenerationView,
    ): Promise<Awaited<ReturnType<typeof readState>> | undefined> => {
      const found = view.suites.find((one) => one.archive === archive && one.suite === suite)
      return found && readState(parts.blobs, found.state)
    }
    const diffs = await diffStates(parts, await find(from), await find(to), 'all')
    changes.push(...changesOf({ archive, suite }, diffs))
  }
  return changes
}
