/**
 * Routes of policies, of their runs, and of why a source package did or did not go.
 */
import type { FastifyInstance } from 'fastify'
import { createPolicy, deletePolicy, setPolicy } from '../desk/change-policy.ts'
import { explain } from '../desk/explain.ts'
import { describePolicy } from '../desk/policy.ts'
import { listPolicyRuns, type PolicyRun } from '../desk/policy-runs.ts'
import { getPolicy, listPolicies, type Policy } from '../desk/policy-table.ts'
import { nextDue, runPolicy, tryPolicy } from '../desk/run-policy.ts'
import { type Verdict, verdictWords } from '../desk/verdict.ts'
import { type ApiContext, reasonOf, whoAsks } from './api-context.ts'
import type { ServerParts } from './parts.ts'
import { replyWithTask } from './task.ts'

type Named = { Params: { name: string } }

const name = { type: 'string', minLength: 1, maxLength: 200 }
const reason = { type: 'string', maxLength: 1000 }
const text = { type: 'string', maxLength: 500 }
const settings = {
  from: name,
  to: name,
  schedule: text,
  timeZone: text,
  enabled: { type: 'boolean' },
  rules: { type: 'array', maxItems: 200, items: text },
  freezes: { type: 'array', maxItems: 50, items: text },
}
const bodyOf = (required: readonly string[], properties: object): object => ({
  body: { type: 'object', required, properties, additionalProperties: false },
})
const createSchema = bodyOf(['name', 'from', 'to', 'schedule'], { name, ...settings, reason })
const setSchema = bodyOf([], { ...settings, reason })
const runSchema = bodyOf([], { dryRun: { type: 'boolean' }, reason })
const runsSchema = {
  querystring: {
    type: 'object',
    properties: { limit: { type: 'integer', minimum: 1, maximum: 200, default: 20 } },
  },
}
const explainSchema = {
  querystring: {
    type: 'object',
    required: ['source'],
    properties: { source: name, from: name, to: name },
  },
}

/** Adds the routes to the API. */
export function policyRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts, jobs } = context
  const changed = (policy: Policy): Promise<Record<string, unknown>> => {
    jobs()?.wakePolicies()
    return tell(parts, policy)
  }
  api.get('/policies', async () =>
    Promise.all((await listPolicies(parts.db)).map((policy) => tell(parts, policy))),
  )
  api.get<Named>('/policies/:name', async ({ params }) =>
    tell(parts, await getPolicy(parts.db, params.name)),
  )
  api.post<{ Body: Record<string, unknown> }>(
    '/policies',
    { schema: createSchema },
    async (request) => {
      const { reason: _reason, ...policy } = request.body
      return changed(await createPolicy(parts, { ...reasonOf(request), policy }))
    },
  )
  api.patch<Named & { Body: Record<string, unknown> }>(
    '/policies/:name',
    { schema: setSchema },
    async (request) => {
      const { reason: _reason, ...changes } = request.body
      const input = { ...reasonOf(request), name: request.params.name, changes }
      return changed(await setPolicy(parts, input))
    },
  )
  api.delete<Named>('/policies/:name', async (request) => {
    await deletePolicy(parts, { ...reasonOf(request), name: request.params.name })
    return { deleted: request.params.name }
  })
  runRoutes(api, context)
}

function runRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.post<Named & { Body: { dryRun?: boolean } }>(
    '/policies/:name/run',
    { schema: runSchema },
    async (request, reply) => {
      const { name: policy } = request.params
      if (request.body.dryRun === true) {
        return { policy, verdicts: (await tryPolicy(parts, policy)).map(tellVerdict) }
      }
      return replyWithTask(request, reply, async (_emit, signal) => {
        const input = { name: policy, ...reasonOf(request), who: whoAsks(request) }
        const run = await runPolicy(parts, input, { signal })
        return run && tellRun(run)
      })
    },
  )
  api.get<Named & { Querystring: { limit: number } }>(
    '/policies/:name/runs',
    { schema: runsSchema },
    async ({ params, query }) => {
      const { id } = await getPolicy(parts.db, params.name)
      return (await listPolicyRuns(parts.db, id, query.limit)).map(tellRun)
    },
  )
  api.get<{ Querystring: { source: string; from?: string; to?: string } }>(
    '/explain',
    { schema: explainSchema },
    async ({ query }) => {
      const explained = await explain(parts, query)
      return explained.map(({ waiting, ...pair }) => ({
        ...pair,
        waiting: waiting.map(({ verdicts, ...one }) => ({
          ...one,
          verdicts: verdicts.map(({ verdict, ...of }) => ({ ...of, ...tellVerdict(verdict) })),
        })),
      }))
    },
  )
}

async function tell({ db }: ServerParts, policy: Policy): Promise<Record<string, unknown>> {
  const [last] = await listPolicyRuns(db, policy.id, 1)
  const nextAt = policy.enabled ? nextDue(policy) : undefined
  const { doneUntil } = policy
  return { ...describePolicy(policy), doneUntil, nextAt, last: last && summaryOf(tellRun(last)) }
}

function tellRun({ policyId: _policyId, detail, ...run }: PolicyRun): ToldRun {
  return { ...run, ...detail, wentCount: run.went, stayedCount: run.stayed }
}

type ToldRun = Omit<PolicyRun, 'policyId' | 'detail' | 'went' | 'stayed'> &
  PolicyRun['detail'] & { readonly wentCount: number; readonly stayedCount: number }

function summaryOf({ went: _went, stayed: _stayed, ...run }: ToldRun): object {
  return run
}

function tellVerdict(verdict: Verdict): Verdict & { readonly words: string } {
  return { ...verdict, words: verdictWords(verdict) }
}
