/**
 * What the API answers about archives that were learned.
 */
import type { LearnedAnswer } from '../server/api-learned.ts'

export type { LearnedAnswer }

export interface LearnedListAnswer {
  readonly suites: readonly LearnedAnswer[]
}
