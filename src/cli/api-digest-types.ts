/**
 * What the API answers of digests. Times are epoch milliseconds.
 */
import type { SourceChange } from './api-types.ts'

export interface DigestAnswer {
  readonly name: string
  /** Absent where the channel is deleted. */
  readonly from?: string
  readonly to?: string
  readonly recipients?: readonly string[]
  /** Without what may be a secret of it. */
  readonly webhook?: string
  readonly schedule: string
  readonly timeZone: string
  readonly always: boolean
  readonly enabled: boolean
  readonly nextAt?: number
  readonly sentAt?: number
  readonly trouble?: DigestTroubleAnswer
  /** The setting without which no mail goes. */
  readonly lacks?: string
}

export interface DigestTroubleAnswer {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly since: number
  readonly due: number
  readonly tries: number
  readonly retryAt?: number
  /** Some got it. */
  readonly isPartly?: boolean
}

export interface SentDigestAnswer {
  /** False: a dry run, or there was nothing to tell. */
  readonly isSent: boolean
  readonly subject: string
  readonly text: string
  readonly content: {
    readonly since: number
    readonly waits: { readonly entries: readonly SourceChange[] }
  }
  readonly rejected: readonly string[]
}
