/**
 * Freezes of a policy: days on which it promotes nothing, or nothing but security updates. As people write them:
 *
 *   2026-12-20 to 2027-01-06
 *   2026-12-20 to 2027-01-06 except security: holidays
 *
 * Both days count, from their beginning to their end in the policy's time zone.
 */
import { AppError } from '../base/errors.ts'

export interface Freeze {
  /** As it is written, in its plainest form. */
  readonly text: string
  /** `2026-12-20`. */
  readonly from: string
  readonly to: string
  readonly exceptSecurity: boolean
  readonly reason?: string | undefined
}

/** Reads a freeze; `ERR_USAGE` if it is none. */
export function parseFreeze(text: string): Freeze {
  const form = /^(\S+)(?: to (\S+))?( except security)?$/
  const [, days = '', , reason] =
    /^([^:]*)(:(.*))?$/s.exec(text.trim().replaceAll(/\s+/g, ' ')) ?? []
  const [, from = '', to = from, except] = form.exec(days.trim()) ?? []
  if (!isDay(from) || !isDay(to)) {
    throw new AppError('ERR_USAGE', {
      message: `the freeze ${JSON.stringify(text)} is none`,
      hint: 'such as "2026-12-20 to 2027-01-06 except security: holidays"',
    })
  }
  if (to < from) {
    throw new AppError('ERR_USAGE', {
      message: `the freeze ${JSON.stringify(text)} ends before it begins`,
    })
  }
  const exceptSecurity = except !== undefined
  const why = reason?.trim() || undefined
  const plain = `${from} to ${to}${exceptSecurity ? ' except security' : ''}`
  return {
    text: why === undefined ? plain : `${plain}: ${why}`,
    from,
    to,
    exceptSecurity,
    reason: why,
  }
}

/** The freeze that is on at this time and ends last. */
export function freezeAt(
  freezes: readonly Freeze[],
  { now, timeZone, isSecurity }: { now: number; timeZone: string; isSecurity: boolean },
): Freeze | undefined {
  const today = dayAt(now, timeZone)
  return freezes
    .filter(({ from, to, exceptSecurity }) => {
      return from <= today && today <= to && !(exceptSecurity && isSecurity)
    })
    .sort((a, b) => (a.to < b.to ? 1 : -1))[0]
}

/** The day, as `2026-11-21`, that it is at a time in a time zone. */
export function dayAt(epochMs: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).formatToParts(epochMs)
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? ''
  return `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`
}

function isDay(text: string): boolean {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  // What Date makes of 30 February is another day.
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
}
