/**
 * Routes of what waits and what is promoted.
 */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../base/errors.ts'
import { getChannel } from '../channels/channel-table.ts'
import { findGeneration } from '../channels/generation-name.ts'
import { hasMoreBesides, listPending } from '../channels/pending.ts'
import { listPins } from '../channels/pin-table.ts'
import type { Selection, WantedSource } from '../channels/plan.ts'
import { promote } from '../channels/promote.ts'
import { heldSources } from '../channels/promotion-target.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { countPackages, named } from './channel-summary.ts'
import { replyWithTask } from './task.ts'

interface PromotionBody {
  readonly from: string
  readonly to: string
  readonly sources?: readonly WantedSource[]
  readonly all?: boolean
  readonly removals?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
}

const name = { type: 'string', minLength: 1, maxLength: 200 }
const promotionSchema = {
  body: {
    type: 'object',
    required: ['from', 'to'],
    properties: {
      from: name,
      to: name,
      sources: {
        type: 'array',
        minItems: 1,
        maxItems: 10_000,
        items: {
          type: 'object',
          required: ['name'],
          properties: { name, version: name },
          additionalProperties: false,
        },
      },
      all: { type: 'boolean' },
      removals: { type: 'boolean' },
      force: { type: 'boolean' },
      dryRun: { type: 'boolean' },
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}
const pendingSchema = {
  querystring: {
    type: 'object',
    properties: { from: { ...name, default: 'testing' }, to: { ...name, default: 'approved' } },
  },
}

/** Adds the routes to the API. */
export function promotionRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts, jobs } = context
  api.get<{ Querystring: { from: string; to: string } }>(
    '/pending',
    { schema: pendingSchema },
    async ({ query }) => {
      const view = await findGeneration(parts, query.from)
      const to = await findGeneration(parts, query.to)
      const channel = await getChannel(parts.db, view.channel)
      const pending = await listPending(parts, { channel, view }, to)
      const target = await getChannel(parts.db, to.channel)
      const held = heldSources(await listPins(parts.db, target.id))
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
  api.post<{ Body: PromotionBody }>(
    '/promotions',
    { schema: promotionSchema },
    async (request, reply) => {
      const { from, to, removals, force, dryRun } = request.body
      const selection = selectionOf(request.body)
      return replyWithTask(request, reply, async (emit, signal) => {
        const onFile = (progress: object): void => emit({ kind: 'fetch', ...progress })
        const input = { ...reasonOf(request), from, to, selection, removals, force, dryRun, onFile }
        const made = await promote(parts, input, { signal })
        const { plan, missing, lost, before, hasMore, generation, publishMs } = made
        return {
          from,
          to,
          before,
          hasMore,
          changes: plan.changes,
          keptBack: plan.keptBack,
          leftOut: plan.leftOut,
          files: {
            count: plan.files.length,
            bytes: plan.files.reduce((sum, file) => sum + file.size, 0),
            missing,
            lost: lost?.length,
          },
          packages: plan.files.map((file) => ({
            package: file.package,
            architecture: file.architecture,
          })),
          generation: generation && { serial: generation.serial },
          publishMs,
        }
      })
    },
  )
}

function noteOf(isSecurity: boolean, isHeld: boolean): string | undefined {
  const notes = [...(isSecurity ? ['security'] : []), ...(isHeld ? ['held'] : [])]
  return notes.length === 0 ? undefined : notes.join(', ')
}

function selectionOf({ sources, all }: PromotionBody): Selection {
  if (all === true && sources === undefined) return { kind: 'all' }
  if (sources !== undefined && all !== true) return { kind: 'sources', sources }
  throw new AppError('ERR_USAGE', {
    message: 'name the source packages to promote, or say all of them',
    hint: 'sluice promote SOURCE… --from testing --to approved, or --all',
  })
}
