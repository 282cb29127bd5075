/**
 * What the API answers of a channel's place among the others, and of what it keeps of its own.
 */
import type { SuiteDifference } from '../channels/adopt-release.ts'
import type { LeftOut } from '../channels/plan.ts'

export type { LeftOut, SuiteDifference }

/** What a derived channel or a class is made of. */
export interface BaseAnswer {
  readonly channel: string
  /** Of its generation; absent until that is known. */
  readonly serial?: number
  /** Whether it has still to be brought up to its base. */
  readonly isBehind: boolean
  readonly problem?: { readonly message: string; readonly since: number }
}

/** What a channel keeps of its own. */
export interface PinAnswer {
  readonly archive: string
  readonly suite: string
  readonly source: string
  readonly kind: 'promotion' | 'hold' | 'decline'
  readonly old: readonly string[]
  readonly new: readonly string[]
  readonly madeAt: number
  readonly who: string
  readonly why?: string
  /** When a hold ends, and whether that has been. */
  readonly until?: number
  readonly isOver?: boolean
}

export interface HoldAnswer extends PinAnswer {
  readonly channel: string
}

/** A suite that a channel or class had, and has no more since it was moved. */
export type LostSuite = Pick<PinAnswer, 'archive' | 'suite'>

export interface AdoptAnswer {
  readonly differences: readonly SuiteDifference[]
  readonly generation?: { readonly serial: number }
}
