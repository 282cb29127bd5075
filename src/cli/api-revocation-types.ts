/**
 * What the API answers of revocations.
 */
import type { SourceChange } from './api-types.ts'

export interface RevocationEntry {
  readonly name: string
  readonly version: string
  readonly madeAt: number
  readonly who: string
  readonly why: string
  /** Absent while channels still have it. */
  readonly doneAt?: number
  /** Files that are withdrawn. */
  readonly files: number
}

export interface RevokedChannel {
  readonly channel: string
  readonly kind?: string
  readonly base?: string
  /** Serial of the last generation that offered it, and of the one that is served now. */
  readonly before: number
  readonly serial: number
  readonly removed: readonly {
    readonly archive: string
    readonly suite: string
    readonly package: string
    readonly version: string
    readonly architecture: string
  }[]
  /** Versions that it offers under that name. */
  readonly offers?: readonly string[]
  /** Sources of it that are held there. */
  readonly held?: readonly string[]
  /** What it offered before, and which generation still has that. */
  readonly earlier?: { readonly version: string; readonly serial: number }
}

export interface RevokeAnswer extends RevocationEntry {
  readonly durationMs: number
  readonly channels: readonly RevokedChannel[]
}

export interface UndoAnswer {
  readonly name: string
  readonly version: string
  /** Following channels that have it again. */
  readonly channels: readonly {
    readonly channel: string
    readonly serial: number
    readonly changes?: readonly SourceChange[]
  }[]
}
