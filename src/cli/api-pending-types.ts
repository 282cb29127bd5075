/**
 * What the API answers about what waits to be promoted. Times are epoch milliseconds, sizes bytes.
 */
import type { GenerationName, SourceChange } from './api-types.ts'

export interface PendingEntry extends SourceChange {
  readonly since: number
  readonly binaries: number
  readonly sizeBytes: number
  readonly note?: string
}

export interface PendingAnswer {
  readonly from: GenerationName
  readonly to: GenerationName
  readonly packages: number
  readonly nextRefreshAt?: number
  /** Whether the first has more besides packages, which a promotion of all brings. */
  readonly hasMore: boolean
  readonly pending: readonly PendingEntry[]
}
