/**
 * What the API answers about what waits to be promoted. Times are epoch milliseconds, sizes bytes.
 */
import type { FetchedChangelogs } from '../desk/fetch-changelogs.ts'
import type { NeedsProgress } from '../desk/needs.ts'
import type { PendingSurvey, SurveyedSource } from '../desk/survey-pending.ts'
import type { GenerationName } from './api-types.ts'

export interface PendingEntry extends SurveyedSource {
  /** How many entries of the changelog are new; `entries` has the first ones. */
  readonly entryCount: number
  /** `security, held, declined`. */
  readonly note?: string
}

export interface PendingAnswer extends Omit<PendingSurvey, 'pending'> {
  readonly from: GenerationName
  readonly to: GenerationName
  /** The server's time. */
  readonly at: number
  readonly packages: number
  readonly nextRefreshAt?: number
  /** Whether the first has more besides packages, which a promotion of all brings. */
  readonly hasMore: boolean
  readonly pending: readonly PendingEntry[]
}

export type { FetchedChangelogs, NeedsProgress }
