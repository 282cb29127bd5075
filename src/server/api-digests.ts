/**
 * Routes of digests. The URL of a webhook may be a secret: it is taken, and told without what may be one.
 */
import type { FastifyInstance } from 'fastify'
import { createDigest, type DigestWishes, deleteDigest, setDigest } from '../desk/change-digest.ts'
import { describeDigest } from '../desk/describe-digest.ts'
import { type Digest, getDigest, listDigests } from '../desk/digest-table.ts'
import { sendDigest } from '../desk/send-digest.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { replyWithTask } from './task.ts'

type Named = { Params: { name: string } }

const name = { type: 'string', minLength: 1, maxLength: 200 }
const text = { type: 'string', maxLength: 500 }
const reason = { type: 'string', maxLength: 1000 }
const isTrue = { type: 'boolean' }
const settings = {
  from: name,
  to: name,
  recipients: { type: 'array', minItems: 1, maxItems: 50, items: text },
  webhook: { type: 'string', minLength: 1, maxLength: 2000 },
  schedule: text,
  timeZone: text,
  always: isTrue,
  enabled: isTrue,
}
const bodyOf = (required: readonly string[], properties: object): object => ({
  body: { type: 'object', required, properties, additionalProperties: false },
})
const createSchema = bodyOf(['name'], { name, ...settings, reason })
const setSchema = bodyOf([], { ...settings, reason })
const sendSchema = bodyOf([], { always: isTrue, dryRun: isTrue, reason })

/** Adds the routes to the API. */
export function digestRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  const tell = (digest: Digest): Promise<object> => describeDigest(parts, digest)
  api.get('/digests', async () => Promise.all((await listDigests(parts.db)).map(tell)))
  api.get<Named>('/digests/:name', async ({ params }) =>
    tell(await getDigest(parts.db, params.name)),
  )
  api.post<{ Body: DigestWishes & { name: string } }>(
    '/digests',
    { schema: createSchema },
    async (request) =>
      tell(await createDigest(parts, { ...wishesOf(request.body), ...reasonOf(request) })),
  )
  api.patch<Named & { Body: DigestWishes }>(
    '/digests/:name',
    { schema: setSchema },
    async (request) => {
      const input = { ...wishesOf(request.body), ...reasonOf(request), name: request.params.name }
      return tell(await setDigest(parts, input))
    },
  )
  api.delete<Named>('/digests/:name', async (request) => {
    await deleteDigest(parts, { ...reasonOf(request), name: request.params.name })
    return { deleted: request.params.name }
  })
  api.post<Named & { Body: { always?: boolean; dryRun?: boolean } }>(
    '/digests/:name/send',
    { schema: sendSchema },
    (request, reply) => {
      const { always = false, dryRun = false } = request.body
      const input = { ...reasonOf(request), name: request.params.name, always, dryRun }
      return replyWithTask(request, reply, (_emit, signal) => sendDigest(parts, input, { signal }))
    },
  )
  parts.metrics.addGauge({
    name: 'digest_failed_tries',
    help: 'How often the last digest could not be sent, or not to all; 0 if it was',
    label: 'digest',
    read: async () =>
      (await listDigests(parts.db)).map((one) => [one.name, one.trouble?.tries ?? 0]),
  })
  parts.metrics.addGauge({
    name: 'digest_sent_timestamp_seconds',
    help: 'When the last digest was taken',
    label: 'digest',
    read: async () =>
      (await listDigests(parts.db)).flatMap(({ name: digest, sentAt }) =>
        sentAt === undefined ? [] : [[digest, sentAt / 1000] as const],
      ),
  })
}

function wishesOf<T extends DigestWishes>(body: T): Omit<T, 'reason'> {
  const { reason: _reason, ...wishes } = body as T & { readonly reason?: string }
  return wishes
}
