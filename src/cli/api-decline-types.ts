/**
 * What the API answers of declines.
 */
import type { LostSuite } from './api-based-types.ts'
import type { UnholdAnswer } from './api-class-types.ts'

export interface DeclineEntry {
  readonly channel: string
  readonly source: string
  readonly version: string
  readonly madeAt: number
  readonly who: string
  readonly why?: string
}

export interface DeclineAnswer extends DeclineEntry {
  /** Suites in which the channel has it already. */
  readonly isIn: readonly LostSuite[]
  /** The generation before it came, if that is known. */
  readonly before?: number
  /** Whether the channel or an archive has it now. */
  readonly isKnown: boolean
}

export interface UndeclineAnswer extends UnholdAnswer {
  readonly version: string
}
