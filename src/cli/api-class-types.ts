/**
 * What the API answers of classes of machines, and of changes to channels.
 */
import type { BaseAnswer, LostSuite } from './api-based-types.ts'
import type { ChannelAnswer, ChannelEntry, SourceChange } from './api-types.ts'

export interface ClassEntry {
  readonly name: string
  readonly base: BaseAnswer
  readonly head: number
  readonly packages: number
  readonly changedAt: number
  readonly suites: number
  readonly validUntil: number | null
}

export type ClassAnswer = ClassEntry & Omit<ChannelAnswer, keyof ChannelEntry | 'pins' | 'usedBy'>

export interface ClassMoveAnswer extends ClassAnswer {
  readonly move: {
    readonly before: string
    readonly channel: string
    /** Absent where both hold the same. */
    readonly serial?: number
    readonly lost: readonly LostSuite[]
  }
}

export interface RenameAnswer extends ChannelAnswer {
  readonly before: string
  readonly urls: { readonly before: string; readonly after: string }
}

export interface UnholdAnswer {
  readonly channel: string
  readonly source: string
  readonly before: number
  /** Absent where the channel holds what it did. */
  readonly generation?: { readonly serial: number; readonly changes?: readonly SourceChange[] }
}
