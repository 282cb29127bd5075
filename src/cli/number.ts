/**
 * Numbers as people type them for options.
 */
import { AppError } from '../base/errors.ts'

/** A positive whole number that an option was given; `ERR_USAGE` for anything else. */
export function readNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new AppError('ERR_USAGE', {
    message: `${option} wants a number, not ${JSON.stringify(text)}`,
  })
}
