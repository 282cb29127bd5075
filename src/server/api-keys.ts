/**
 * Routes of the keys that publications are signed with: list, show, replace.
 */
import type { FastifyInstance } from 'fastify'
import {
  finishRotation,
  getPublication,
  publicationName,
  startRotation,
} from '../channels/rotate-key.ts'
import { publicKeyFiles } from '../signing/sign-release.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { keysOf, listKeys, ROTATION_DAYS, rotationAges } from './key-summary.ts'

type Named = { Params: { publication: string } }

interface RotateBody {
  readonly finish?: boolean
  readonly force?: boolean
  readonly afterDays?: number
}

const rotateSchema = {
  body: {
    type: ['object', 'null'],
    properties: {
      finish: { type: 'boolean' },
      force: { type: 'boolean' },
      afterDays: { type: 'integer', minimum: 0, maximum: 3650 },
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}

/** Adds the routes to the API, and how long a rotation runs to the metrics. */
export function keyRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  parts.metrics.addGauge({
    name: 'key_rotation_age_seconds',
    help: 'How long a publication has been signed by two keys',
    label: 'publication',
    read: () => rotationAges(parts),
  })
  api.get('/keys', async () => listKeys(context))
  api.get<Named>('/keys/:publication', async ({ params }) => {
    const publication = await getPublication(parts, publicationName(params.publication))
    const { armored } = await publicKeyFiles(parts, publication)
    return { ...(await keysOf(context, publication)), armored }
  })
  api.post<Named & { Body: RotateBody | null }>(
    '/keys/:publication/rotate',
    { schema: rotateSchema },
    async (request) => {
      const { finish, force, afterDays } = request.body ?? {}
      const publication = publicationName(request.params.publication)
      const before = await keysOf(context, await getPublication(parts, publication))
      const input = { ...reasonOf(request), publication }
      const { generation } =
        finish === true
          ? await finishRotation(parts, {
              ...input,
              force: force === true,
              afterDays: afterDays ?? ROTATION_DAYS,
            })
          : await startRotation(parts, input)
      const after = await keysOf(context, await getPublication(parts, publication))
      return { before, after, generation: generation && { serial: generation.serial } }
    },
  )
}
