/**
 * What a check of the store found.
 */
import { toAppError } from '../base/errors.ts'
import type { Outcome } from './mend.ts'

export interface VerifyReport {
  generations: number
  states: number
  chunks: number
  /** Files re-hashed: none unless deep. */
  blobs: number
  readonly problems: VerifyProblem[]
  /** Files among the problems, by what became of them. */
  readonly files: Record<Outcome, number>
}

export interface VerifyProblem {
  /** `approved@17 debian bookworm`, `chunk …`, `blob …`. */
  readonly what: string
  readonly message: string
  /** What to do about it, where the message does not say it. */
  readonly hint?: string | undefined
  /** Of a file that was damaged or gone: what became of it. */
  readonly outcome?: Outcome | undefined
}

/** For what only a backup has. */
export const FROM_BACKUP = 'a backup has it: sluice restore --help'

/** An error as a problem of `what`; its own hint may say only that this check tells more. */
export function problemOf(what: string, error: unknown): VerifyProblem {
  return { what, message: toAppError(error).message, hint: FROM_BACKUP }
}
