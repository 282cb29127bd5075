/**
 * How the API says what went wrong.
 */
import type { AppError } from '../base/errors.ts'

/** The JSON body of an error reply. */
export function errorBody({ code, message, hint, details }: AppError): Record<string, unknown> {
  return { error: { code, message, hint, details } }
}
