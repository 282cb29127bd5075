/**
 * What a starting server tells, for whoever shows it.
 */
import type { RefreshEvent } from '../archives/read-indexes.ts'
import type { SuiteOutcome } from '../archives/refresh.ts'
import type { ChannelKind } from '../channels/channel-table.ts'

export interface ImportedArchive {
  readonly name: string
  readonly url: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
  readonly architectures: readonly string[]
  /** Whether its source packages are taken too. */
  readonly hasSources: boolean
}

export type StartEvent =
  | {
      readonly kind: 'opened'
      readonly version: string
      readonly dataDir: string
      readonly isNew: boolean
      readonly node: string
      readonly archives: number
      readonly channels: number
    }
  | {
      readonly kind: 'key'
      readonly publication: string
      readonly fingerprint: string
      readonly path: string
    }
  | { readonly kind: 'token'; readonly path: string }
  | {
      readonly kind: 'imported'
      readonly files: readonly string[]
      readonly archives: readonly ImportedArchive[]
      readonly leftOut: readonly { readonly what: string; readonly reason: string }[]
    }
  | { readonly kind: 'refresh'; readonly event: RefreshEvent }
  | { readonly kind: 'outcome'; readonly outcome: SuiteOutcome }
  | {
      readonly kind: 'channel'
      readonly name: string
      readonly serial: number
      readonly packages: number
      readonly channelKind: ChannelKind
      readonly follows: readonly string[]
    }
  | {
      readonly kind: 'ready'
      readonly url: string
      readonly publicUrl: string
      readonly secureUrl?: string | undefined
      readonly afterMs: number
      /** In words: `private networks`. */
      readonly clients: string
      /** Epoch milliseconds; of none while the server is offline. */
      readonly nextRefreshAt: number | undefined
    }
  | { readonly kind: 'warning'; readonly message: string; readonly hint?: string | undefined }
