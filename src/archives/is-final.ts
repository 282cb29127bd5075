/**
 * Which errors end an upload.
 */
import { isAppError } from '../base/errors.ts'

const codes = [
  ...(['ERR_PACKAGE', 'ERR_TOO_LARGE', 'ERR_CONFLICT', 'ERR_REFUSED', 'ERR_USAGE'] as const),
  'ERR_NOT_FOUND',
] as const

/** Whether the same bytes would be refused again: an interruption or a full disk is not the end of an upload. */
export function isFinal(error: unknown): boolean {
  return codes.some((code) => isAppError(error, code))
}
