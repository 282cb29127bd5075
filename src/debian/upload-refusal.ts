/**
 * The words for what is wrong with something that was uploaded: what, where, and what to do. Refusals are `ERR_PACKAGE`, or
 * `ERR_TOO_LARGE` beyond a limit; `details.reason` tells them apart for programs.
 */

import { AppError, type ErrorCode, isAppError } from '../base/errors.ts'
import { printable } from '../base/words.ts'

export interface Place {
  /** The file, or the member of a .deb. */
  readonly member?: string | undefined
  /** Of the first byte of what is wrong: in the file, or in the member as it is unpacked. */
  readonly offset?: number | undefined
  /** Of a control file. */
  readonly field?: string | undefined
  /** What went wrong below. */
  readonly cause?: unknown
}

export interface Refusal extends Place {
  /** A word or two with hyphens: stays the same. */
  readonly reason: string
  readonly what: string
  readonly hint: string
  readonly code?: ErrorCode | undefined
}

/** What most refusals of a damaged file come down to. */
export const sendAgain =
  'compare its SHA-256 with that of the file that was built, and upload it again'

/** What most refusals of an odd file come down to. */
export const buildAgain = 'build it with dpkg-deb --root-owner-group --build DIR'

/** The error for a refusal: `data.tar.xz, at byte 1024: what`. */
export function refused(refusal: Refusal): AppError {
  const { code = 'ERR_PACKAGE', reason, what, hint, member, offset, field, cause } = refusal
  const at = offset === undefined ? '' : `at byte ${offset}`
  const place = [member, field, at].filter((part) => part !== undefined && part !== '').join(', ')
  const message = printable(place === '' ? what : `${place}: ${what}`)
  return new AppError(code, { message, hint, cause, details: { reason, member, offset, field } })
}

/** The error for what is beyond a limit. */
export function beyond(reason: string, what: string, place: Place = {}): AppError {
  const hint = 'split the package, or ask the administrator of this archive to raise the limit'
  return refused({ ...place, code: 'ERR_TOO_LARGE', reason, what, hint })
}

/** A text of others within a message: quoted, and not longer than a line. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
}

/** The error of a reader below as a refusal; one that is one already, an abort and the like stay what they are. */
export function asRefusal(error: unknown, refusal: Omit<Refusal, 'what' | 'cause'>): unknown {
  if (!isAppError(error, 'ERR_FORMAT')) return error
  return refused({ ...refusal, what: error.message, cause: error })
}
