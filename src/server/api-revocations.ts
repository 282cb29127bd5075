/**
 * Routes of revocations: versions that no channel offers, for good.
 */
import type { FastifyInstance } from 'fastify'
import { afterRevocation } from '../channels/after-revocation.ts'
import { revoke, undoRevocation } from '../channels/revoke.ts'
import { type ApiContext, whoAsks } from './api-context.ts'

const name = { type: 'string', minLength: 1, maxLength: 200 }
const schema = {
  body: {
    type: 'object',
    required: ['name', 'version', 'reason'],
    properties: {
      name,
      version: name,
      // Machines are told it in one line.
      reason: {
        type: 'string',
        maxLength: 300,
        pattern: '^[^\\x00-\\x1f\\x7f]*[^\\x00-\\x20\\x7f][^\\x00-\\x1f\\x7f]*$',
      },
    },
    additionalProperties: false,
  },
}

type Wanted = { Body: { name: string; version: string; reason: string } }

/** Adds the routes to the API. */
export function revocationRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.get('/revocations', async () =>
    parts.revocations.list().map((one) => ({ ...one, files: parts.revocations.filesOf(one) })),
  )
  api.post<Wanted>('/revocations', { schema }, async (request) => {
    const { name, version, reason: why } = request.body
    const startedAt = performance.now()
    const { revocation, channels, files } = await revoke(parts, {
      ...{ name, version, why },
      who: whoAsks(request),
    })
    const durationMs = performance.now() - startedAt
    const after = await afterRevocation(parts, name, channels)
    return {
      ...revocation,
      files,
      durationMs,
      channels: channels.map((one) => ({ ...one, ...after.get(one.channel) })),
    }
  })
  api.delete<Wanted>('/revocations', { schema }, async (request) => {
    const { name, version, reason: why } = request.body
    const made = await undoRevocation(parts, { name, version, why, who: whoAsks(request) })
    const channels = made.map(({ channel, generation: { serial, changes } }) => ({
      ...{ channel, serial, changes },
    }))
    return { name, version, channels }
  })
}
