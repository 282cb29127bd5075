/**
 * What the API answers, as far as commands show it. Times are epoch milliseconds; `date` and `validUntil` of Release
 * files are epoch seconds; sizes are bytes.
 */
import type { RefreshEvent } from '../archives/read-indexes.ts'
import type { SuiteOutcome } from '../archives/refresh.ts'
import type { SourceChange } from '../channels/generation-table.ts'
import type { ClientCount } from '../server/channel-clients.ts'
import type { ClientSetup } from '../server/client-setup.ts'
import type { PublicationKeys as KeyAnswer, KeyEntry } from '../server/key-summary.ts'
import type { BaseAnswer, PinAnswer, SuiteDifference } from './api-based-types.ts'
import type {
  ArchiveKeyAnswer,
  ChannelFiles,
  KeyProblemAnswer,
  RescueAnswer,
  Rescued,
} from './api-file-types.ts'

export type { ClientSetup, KeyAnswer, KeyEntry, RefreshEvent, SourceChange, SuiteOutcome }

export interface Status {
  readonly version: string
  readonly url: string
  readonly publicUrl: string
  readonly nextRefreshAt?: number
  readonly isOffline?: boolean
}

export interface ArchiveAnswer {
  readonly name: string
  readonly kind: 'local' | 'remote'
  /** How many versions of each package a local one keeps. */
  readonly keepVersions?: number
  /** Who may upload what to a local one by a signature. */
  readonly uploaders: readonly string[]
  readonly urls: readonly string[]
  readonly fallbacks: readonly string[]
  readonly components: readonly string[]
  readonly architectures: readonly string[]
  readonly sources: boolean
  readonly languages: readonly string[]
  readonly extras: readonly string[]
  readonly allowExpired: boolean
  readonly allowOtherSuite: boolean
  readonly proxy?: string
  readonly rescue: RescueAnswer
  /** Those that verify Release files come first. */
  readonly keys: readonly ArchiveKeyAnswer[]
  readonly keyProblems: readonly KeyProblemAnswer[]
  readonly nextRefreshAt?: number
  /** The server asks nobody. */
  readonly isOffline?: boolean
  readonly suites: readonly ArchiveSuiteAnswer[]
  /** Files that clients asked for and upstream did not have right. */
  readonly fileProblems: readonly (ProblemAnswer & { readonly file: string })[]
}

export interface ProblemAnswer {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly since: number
}

export interface ArchiveSuiteAnswer {
  readonly suite: string
  /** As the settings have it: a flat one with a slash at the end. */
  readonly written: string
  readonly state?: string
  readonly releaseDate?: number
  readonly validUntil?: number
  readonly checkedAt?: number
  readonly changedAt?: number
  readonly packages?: number
  readonly sources?: number
  readonly problem?: ProblemAnswer
}

export type RefreshTaskEvent =
  | RefreshEvent
  | { readonly kind: 'outcome'; readonly outcome: SuiteOutcome }

export interface RefreshAnswer {
  readonly outcomes: readonly SuiteOutcome[]
  readonly generations: readonly {
    readonly channel: string
    readonly serial: number
    readonly changes?: readonly SourceChange[]
    readonly changed: number
  }[]
  readonly rescue: Rescued
}

export interface ChannelEntry {
  readonly name: string
  readonly kind: 'following' | 'curated' | 'derived'
  readonly follows: readonly string[]
  /** What a derived channel is based on. */
  readonly base?: BaseAnswer
  readonly head: number
  readonly packages: number
  readonly changedAt: number
  /** Null for what does not change by promotion alone, and where there is none to compare with. */
  readonly waiting: { readonly sources: number; readonly security: number } | null
  readonly suites: number
  /** Files that its generations name and that nobody has any more. */
  readonly lost: number
  /** The earliest of all its suites; null where it has none. */
  readonly validUntil: number | null
}

export interface ChannelAnswer extends ChannelEntry, ChannelFiles {
  readonly clients: ClientCount
  /** How much of its history. */
  readonly keeps: { readonly generations: number; readonly days: number }
  /** Whether promotions to it keep `Phased-Update-Percentage`. */
  readonly keepsPhasing: boolean
  readonly pins: readonly PinAnswer[]
  readonly usedBy: { readonly derived: readonly string[]; readonly classes: readonly string[] }
  /** Where upstream calls itself otherwise than is published. */
  readonly differences: readonly SuiteDifference[]
  readonly fingerprint?: string
  readonly keys?: KeyAnswer
  readonly keySha256?: string
  readonly setup?: ClientSetup
  readonly suiteList: readonly {
    readonly archive: string
    readonly suite: string
    readonly names: readonly string[]
    readonly components: readonly string[]
    readonly architectures: readonly string[]
    readonly languages: readonly string[]
    readonly packages: number
    readonly sources: number
    readonly date: number
    readonly validUntil: number
  }[]
}

export interface GenerationAnswer {
  readonly serial: number
  readonly madeAt: number
  readonly kind: string
  readonly who: string
  readonly why?: string
  readonly changes?: readonly SourceChange[]
  readonly isHead: boolean
}

export interface GenerationName {
  readonly channel: string
  readonly serial: number
}

export interface FetchEvent {
  readonly kind: 'fetch'
  readonly done: number
  readonly total: number
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface RollbackAnswer {
  readonly before: number
  /** Serial of the generation that was gone back to. */
  readonly to: number
  /** Files of it that are lost. */
  readonly lost: number
  readonly generation?: { readonly serial: number; readonly changes?: readonly SourceChange[] }
}

export interface FoundAnswer {
  readonly channel: string
  readonly serial: number
  readonly archive: string
  readonly suite: string
  readonly component: string
  readonly package: string
  readonly version: string
  readonly architecture: string
  readonly source: string
  readonly sourceVersion: string
}

export interface VerifyEvent {
  readonly kind: 'verify'
  readonly done: number
  readonly total: number
  readonly what: string
}

export interface VerifyAnswer {
  readonly generations: number
  readonly states: number
  readonly chunks: number
  readonly blobs: number
  readonly problems: readonly {
    readonly what: string
    readonly message: string
    readonly hint?: string
    readonly outcome?: 'fetched' | 'waiting' | 'lost'
  }[]
  readonly files: Readonly<Record<'fetched' | 'waiting' | 'lost', number>>
}

export interface RotateAnswer {
  readonly before: KeyAnswer
  readonly after: KeyAnswer
  readonly generation?: { readonly serial: number }
}

export interface TokenAnswer {
  readonly name: string
  /** Archives that it is for, and nothing else. */
  readonly uploads?: readonly string[]
  /** Its uploads need no signature. */
  readonly direct?: boolean
  readonly madeAt: number
  readonly lastUsedAt?: number
}

export interface AuditAnswer {
  readonly id: number
  readonly at: number
  readonly who: string
  readonly what: string
  readonly object: string
  readonly why?: string
  readonly detail?: object
  readonly hash: string
}

export interface AuditCheckAnswer {
  readonly rows: number
  readonly hash: string
  readonly problem?: { readonly id: number; readonly message: string }
}
