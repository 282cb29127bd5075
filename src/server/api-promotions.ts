/**
 * Route of promotions.
 */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../base/errors.ts'
import { toldOf } from '../channels/pass-gate.ts'
import { plannedChanges } from '../channels/plan-details.ts'
import { PLAN_DIGEST } from '../channels/plan-digest.ts'
import { type Promotion, promote } from '../channels/promote.ts'
import type { Narrowing, Selection, WantedSource } from '../channels/selection.ts'
import { type ApiContext, reasonOf } from './api-context.ts'
import { replyWithTask } from './task.ts'

interface PromotionBody extends Narrowing {
  readonly from: string
  readonly to: string
  readonly sources?: readonly WantedSource[]
  readonly patterns?: readonly string[]
  readonly all?: boolean
  readonly removals?: boolean
  readonly force?: boolean
  readonly withDeps?: boolean
  readonly plan?: string
  readonly dryRun?: boolean
}

const name = { type: 'string', minLength: 1, maxLength: 200 }
const names = { type: 'array', minItems: 1, maxItems: 1000, items: name }
const YEAR_MS = 366 * 24 * 3600_000
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
      patterns: names,
      all: { type: 'boolean' },
      security: { type: 'boolean' },
      olderThanMs: { type: 'integer', minimum: 0, maximum: 10 * YEAR_MS },
      except: names,
      removals: { type: 'boolean' },
      force: { type: 'boolean' },
      withDeps: { type: 'boolean' },
      plan: { type: 'string', pattern: PLAN_DIGEST.source },
      dryRun: { type: 'boolean' },
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}

/** Adds the route to the API. */
export function promotionRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.post<{ Body: PromotionBody }>(
    '/promotions',
    { schema: promotionSchema },
    async (request, reply) => {
      const { from, to, removals, force, withDeps, plan, dryRun } = request.body
      const selection = selectionOf(request.body)
      const options = { from, to, removals, force, withDeps, plan, dryRun, selection }
      return replyWithTask(request, reply, async (emit, signal) => {
        const onFile = (progress: object): void => emit({ kind: 'fetch', ...progress })
        const input = { ...reasonOf(request), ...options, onFile }
        return { from, to, ...told(await promote(parts, input, { signal }), dryRun === true) }
      })
    },
  )
}

function told(made: Promotion, isDryRun: boolean): object {
  const { plan, missing, lost, before, fromSerial, hasMore, generation, publishMs } = made
  const { refusal } = made
  const absent = new Set(missing.map(({ sha256 }) => sha256))
  return {
    fromSerial,
    before,
    hasMore,
    digest: plan.digest,
    broken: plan.broken.length === 0 ? undefined : toldOf(plan.broken),
    refusal: refusal && { message: refusal.message, hint: refusal.hint },
    changes: isDryRun ? plannedChanges(plan, absent) : plan.changes,
    companions: plan.companions.length === 0 ? undefined : plan.companions,
    keptBack: plan.keptBack,
    leftOut: plan.leftOut,
    files: {
      count: plan.files.length,
      bytes: plan.files.reduce((sum, file) => sum + file.size, 0),
      missing: missing.length,
      missingBytes: missing.reduce((sum, file) => sum + file.size, 0),
      lost: lost?.length,
    },
    packages: plan.files.map((file) => ({
      package: file.package,
      architecture: file.architecture,
    })),
    generation: generation && { serial: generation.serial },
    publishMs,
  }
}

function selectionOf(body: PromotionBody): Selection {
  const { sources, patterns, all = false, security, olderThanMs, except } = body
  const narrowing = { security, olderThanMs, except }
  const isNamed = sources !== undefined || patterns !== undefined
  if (isNamed && !all) {
    return { kind: 'sources', sources: sources ?? [], patterns, ...narrowing }
  }
  if (!isNamed && (all || security === true || olderThanMs !== undefined)) {
    return { kind: 'all', ...narrowing }
  }
  throw new AppError('ERR_USAGE', {
    message: isNamed
      ? 'name source packages, or say all of them: not both'
      : 'name the source packages to promote, or say all of them',
    hint: "sluice promote SOURCE… --from testing --to approved, 'linux*', --security, --older-than 3d, or --all",
  })
}
