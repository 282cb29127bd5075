/**
 * Times as people type them: `3d` (ago), `2026-11-21` (a day of the machine's time zone), ISO 8601.
 */
import { AppError } from '../base/errors.ts'

const units: Readonly<Record<string, number>> = {
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}
const day = /^(\d{4})-(\d{2})-(\d{2})$/
const time = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?(Z|[+-]\d{2}:?\d{2})?$/

/** What the option `--since` and its like take, for their help. */
export const whenHelp = '3d, 12h, 30min, 2w ago; a day 2026-11-21; or 2026-11-21T08:30'

/**
 * Epoch milliseconds of what was typed. A day means its beginning, or as an `end` the beginning of the next, so that the
 * day counts. `ERR_USAGE` for what is no time.
 */
export function readWhen(
  option: string,
  text: string,
  { now, end = false }: { readonly now: number; readonly end?: boolean },
): number {
  const spanMs = spanOf(text)
  if (spanMs !== undefined) return now - spanMs
  const at = day.test(text) ? dayOf(text, end) : timeOf(text)
  if (at !== undefined) return at
  throw new AppError('ERR_USAGE', {
    message: `${option} wants a time, not ${JSON.stringify(text)}`,
    hint: whenHelp,
  })
}

/** What the option `--until` takes. */
export const untilHelp =
  '3d, 12h, 30min or 2w from now; the end of a day 2026-11-21; or 2026-11-21T08:30'

/** Epoch milliseconds of what was typed as an end to come: a span counts from now, a day is to its end. */
export function readUntil(option: string, text: string, now: number): number {
  const spanMs = spanOf(text)
  if (spanMs !== undefined) return now + spanMs
  const at = day.test(text) ? dayOf(text, true) : timeOf(text)
  if (at !== undefined) return at
  throw new AppError('ERR_USAGE', {
    message: `${option} wants a time, not ${JSON.stringify(text)}`,
    hint: untilHelp,
  })
}

/** What the option `--older-than` and its like take. */
export const spanHelp = '3d, 12h, 30min or 2w'

/** Milliseconds of a span as it was typed; `ERR_USAGE` for what is none. */
export function readSpan(option: string, text: string): number {
  const spanMs = spanOf(text)
  if (spanMs !== undefined) return spanMs
  throw new AppError('ERR_USAGE', {
    message: `${option} wants a span of time, not ${JSON.stringify(text)}`,
    hint: spanHelp,
  })
}

function spanOf(text: string): number | undefined {
  const [, count = '', unit = ''] = /^(\d{1,6}) ?([a-z]+)$/.exec(text) ?? []
  const unitMs = units[unit]
  return unitMs === undefined ? undefined : Number(count) * unitMs
}

function dayOf(text: string, end: boolean): number | undefined {
  const [year, month, date] = text.split('-').map(Number)
  if (year === undefined || month === undefined || date === undefined) return undefined
  const begin = new Date(year, month - 1, date)
  // The constructor makes 1 March of 29 February.
  if (begin.getMonth() !== month - 1 || begin.getDate() !== date) return undefined
  return end ? new Date(year, month - 1, date + 1).getTime() : begin.getTime()
}

function timeOf(text: string): number | undefined {
  const [, date = '', clock = '', seconds = '', zone = ''] = time.exec(text) ?? []
  if (dayOf(date, false) === undefined) return undefined
  const offset = zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')
  const at = Date.parse(`${date}T${clock}${seconds}${offset}`)
  return Number.isNaN(at) ? undefined : at
}
