/**
 * What the API answers of policies.
 */
import type { SourceChange } from './api-types.ts'

/** The plain form of a policy. */
export interface PolicyForm {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly schedule: string
  readonly timeZone: string
  readonly enabled: boolean
  readonly rules: readonly string[]
  readonly freezes: readonly string[]
}

export interface PolicyAnswer extends PolicyForm {
  /** Epoch milliseconds, as all times here. */
  readonly nextAt?: number
  readonly last?: Omit<PolicyRunAnswer, 'went' | 'stayed'>
}

export interface PolicyRunAnswer {
  readonly id: number
  /** Absent of a run by hand. */
  readonly dueAt?: number
  readonly who: string
  readonly why?: string
  readonly startedAt: number
  readonly endedAt?: number
  readonly went: readonly RunEntryAnswer[]
  readonly stayed: readonly RunEntryAnswer[]
  readonly wentCount: number
  readonly stayedCount: number
  readonly generations: readonly number[]
  readonly problem?: string
}

export interface RunEntryAnswer extends SourceChange {
  readonly words: string
}

export interface VerdictAnswer extends SourceChange {
  readonly goes: boolean
  readonly rule?: string
  readonly words: string
  readonly reasons: readonly {
    readonly kind: string
    readonly words: string
    readonly hint?: string
  }[]
  /** The run that it goes with by then. */
  readonly goesAt?: number
}

export interface PolicyTryAnswer {
  readonly policy: string
  readonly verdicts: readonly VerdictAnswer[]
}

export interface ExplainAnswer {
  readonly from: string
  readonly to: string
  readonly waiting: readonly ExplainedSource[]
  readonly went: readonly {
    readonly policy: string
    readonly at: number
    readonly generations: readonly number[]
    readonly entry: RunEntryAnswer
  }[]
}

export interface ExplainedSource extends SourceChange {
  readonly since: number
  readonly isSecurity: boolean
  readonly verdicts: readonly (VerdictAnswer & {
    readonly policy: string
    readonly enabled: boolean
  })[]
  /** Why it cannot be promoted by itself now. */
  readonly refusal?: { readonly message: string; readonly hint?: string }
}
