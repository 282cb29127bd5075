/**
 * Routes that change what a channel is: what it follows and is based on, its name, what its suites are called.
 */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../base/errors.ts'
import { adoptRelease } from '../channels/adopt-release.ts'
import { channelOfClass, getPlainChannel } from '../channels/channel-table.ts'
import { urlPathOf } from '../channels/release-urls.ts'
import { renameChannel } from '../channels/rename-channel.ts'
import { changeBase, type Move } from '../channels/set-base.ts'
import { setFollowed } from '../channels/set-follows.ts'
import { changePhasing } from '../channels/set-phasing.ts'
import { changeRetention } from '../keeping/set-retention.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { show } from './channel-summary.ts'
import { renameSightings } from './client-table.ts'

type Named = { Params: { name: string } }

const name = { type: 'string', minLength: 1, maxLength: 200 }
const reason = { type: 'string', maxLength: 1000 }
const setSchema = {
  body: {
    type: 'object',
    // A derived channel may follow none.
    properties: {
      follow: { type: 'array', items: name },
      base: name,
      // null is what the server's settings say.
      keepGenerations: { type: ['integer', 'null'] },
      keepDays: { type: ['integer', 'null'] },
      keepPhasing: { type: 'boolean' },
      reason,
    },
    additionalProperties: false,
  },
}
const renameSchema = {
  body: {
    type: 'object',
    required: ['name'],
    properties: { name, reason },
    additionalProperties: false,
  },
}
const adoptSchema = {
  body: {
    type: ['object', 'null'],
    properties: { archive: name, suite: name, dryRun: { type: 'boolean' }, reason },
    additionalProperties: false,
  },
}

interface SetBody {
  readonly follow?: readonly string[]
  readonly base?: string
  readonly keepGenerations?: number | null
  readonly keepDays?: number | null
  readonly keepPhasing?: boolean
}

interface AdoptBody {
  readonly archive?: string
  readonly suite?: string
  readonly dryRun?: boolean
}

/** Adds the routes to the API. */
export function channelChangeRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  api.patch<Named & { Body: SetBody }>(
    '/channels/:name',
    { schema: setSchema },
    async (request) => {
      const { follow, base, keepPhasing, ...kept } = request.body
      const { keepGenerations: generations, keepDays: days } = kept
      const channel = await getPlainChannel(parts.db, request.params.name)
      assertSomething(channel.name, request.body, channel.baseId !== undefined)
      const input = { ...reasonOf(request), channel: channel.name }
      if (generations !== undefined || days !== undefined) {
        await changeRetention(parts, { ...input, generations, days })
      }
      if (keepPhasing !== undefined) {
        await changePhasing(parts, { ...input, keepsPhasing: keepPhasing })
      }
      let move: Move | undefined
      if (base !== undefined) move = await changeBase(parts, { ...input, base })
      if (follow !== undefined) await setFollowed(parts, { ...input, follow })
      const now = await show(context, await getPlainChannel(parts.db, channel.name))
      return { ...now, lost: move?.lost ?? [] }
    },
  )
  api.post<Named & { Body: { name: string } }>(
    '/channels/:name/rename',
    { schema: renameSchema },
    async (request) => {
      const { name: before } = request.params
      const { name: after } = request.body
      await renameChannel(parts, { ...reasonOf(request), channel: before, name: after })
      // Who asked for it under its old name is who has to be told of the new one.
      await parts.clientLog.flush()
      await renameSightings(parts.db, before, after)
      const now = await show(context, await getPlainChannel(parts.db, after))
      const url = (channel: string): string => `${context.publicUrl()}/${urlPathOf(channel)}`
      return { ...now, before, urls: { before: url(before), after: url(after) } }
    },
  )
  const adoptRoute = (path: string, channelOf: (own: string) => string): void => {
    api.post<Named & { Body: AdoptBody | null }>(path, { schema: adoptSchema }, async (request) => {
      const channel = channelOf(request.params.name)
      const { archive, suite, dryRun } = request.body ?? {}
      const input = { ...reasonOf(request), channel, archive, suite, dryRun }
      const { differences, generation } = await adoptRelease(parts, input)
      return { differences, generation: generation && { serial: generation.serial } }
    })
  }
  adoptRoute('/channels/:name/adopt-release', (own) => own)
  adoptRoute('/classes/:name/adopt-release', channelOfClass)
}

function assertSomething(channel: string, body: SetBody, isBased: boolean): void {
  const { follow, base, keepGenerations, keepDays, keepPhasing } = body
  const settings = [follow, base, keepGenerations, keepDays, keepPhasing]
  const isNone = settings.every((one) => one === undefined)
  const isEmpty = follow?.length === 0 && !isBased
  if (!isNone && !isEmpty) return
  throw new AppError('ERR_USAGE', {
    message: isNone
      ? 'nothing to set was given'
      : 'a channel that follows archives follows one at least',
    hint: `sluice channel set ${channel} --follow ARCHIVE…, --base CHANNEL, or --keep GENERATIONS`,
  })
}
