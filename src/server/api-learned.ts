/**
 * Routes of what was learned: which suites of archives that nobody named machines asked for.
 */
import type { FastifyInstance } from 'fastify'
import { releaseDir, urlAt } from '../proxy/learned-place.ts'
import type { LearnedSuite } from '../proxy/learned-table.ts'
import type { ApiContext } from './api-context.ts'

/** A learned suite, for people and programs. */
export interface LearnedAnswer {
  /** Of the archive's root. */
  readonly url: string
  /** Below `dists/`; empty for an archive without. */
  readonly suite: string
  /** Fingerprints of known keys that signed it; none if it was taken for its digests. */
  readonly signers: readonly string[]
  /** Of the Release, epoch seconds. */
  readonly date?: number | undefined
  /** Indexes that clients asked for, as paths below the suite. */
  readonly indexes: readonly string[]
  /** Epoch milliseconds. */
  readonly checkedAt: number
  readonly changedAt: number
  readonly usedAt: number
  readonly problem?: LearnedSuite['problem']
}

/** Adds the routes to the API, and how much there is to the metrics. */
export function learnedRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  parts.metrics.addGauge({
    name: 'learned_suites',
    help: 'Suites that machines asked for and nobody added',
    label: 'signers',
    read: async () => {
      const all = parts.learner.suites.all()
      const known = all.filter(({ states }) => (states[0]?.signers.length ?? 0) > 0).length
      return [
        ['known', known],
        ['unknown', all.length - known],
      ]
    },
  })
  parts.metrics.addGauge({
    name: 'web_cache_bytes',
    help: 'Files that nothing verifies: what they take, and may take',
    label: 'what',
    read: async () => [
      ['kept', parts.webCache.bytes],
      ['limit', parts.config.webCacheMb * 1_000_000],
    ],
  })
  api.get('/learned', async () => ({ suites: parts.learner.suites.all().map(toAnswer) }))
}

function toAnswer(one: LearnedSuite): LearnedAnswer {
  const [newest] = one.states
  const root = one.suite === '' ? releaseDir(one) : one.base
  return {
    url: root === '' ? one.origin : urlAt(one, root),
    suite: one.suite,
    signers: newest?.signers ?? [],
    date: newest?.date,
    indexes: Object.keys(newest?.files ?? {}).sort(),
    checkedAt: one.checkedAt,
    changedAt: one.changedAt,
    usedAt: one.usedAt,
    problem: one.problem,
  }
}
