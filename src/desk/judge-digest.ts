/**
 * What may be said of a digest: who it goes to, and when.
 *
 * Of a webhook's URL all but the server may be a secret: it is shown as `https://chat.example/…`. A configuration that was
 * written down has no more of it, so that this is taken too, for a digest that is switched off until the rest is told.
 */
import { AppError } from '../base/errors.ts'
import { isMailAddress } from '../base/mail-address.ts'
import type { DigestTarget } from './digest-table.ts'
import { assertTimetable, nextTime, type Timetable } from './timetable.ts'

/** A digest is read by people: more often it would not be. */
const LEAST_MS = 3600_000
const TRIED_TIMES = 50
const REST = '/…'

/** Where it goes, if that is said; `recipients` and `webhook` exclude each other. */
export function readTarget({
  recipients,
  webhook,
}: {
  readonly recipients?: readonly string[] | undefined
  readonly webhook?: string | undefined
}): DigestTarget | undefined {
  if (recipients !== undefined && webhook !== undefined) {
    throw new AppError('ERR_USAGE', {
      message: 'a digest goes by mail or to a webhook, not both',
      hint: 'make two of them',
    })
  }
  if (webhook !== undefined) return { kind: 'webhook', url: readWebhook(webhook) }
  if (recipients === undefined) return undefined
  const wrong = recipients.find((one) => !isMailAddress(one))
  if (wrong !== undefined || recipients.length === 0) {
    throw new AppError('ERR_USAGE', {
      message: `${JSON.stringify(wrong ?? '')} is no address of mail`,
      hint: 'such as admins@example.org, without a name beside it',
    })
  }
  return { kind: 'mail', recipients: [...new Set(recipients)] }
}

/** What is wrong is not said again: it may have a password in it. */
function readWebhook(text: string): string {
  const url = URL.parse(text)
  const isWeb = url !== null && ['http:', 'https:'].includes(url.protocol)
  if (isWeb && url.username === '' && url.password === '' && url.hash === '') return url.href
  throw new AppError('ERR_USAGE', {
    message: 'a webhook is an http or https URL without user and fragment',
    hint: 'such as https://chat.example/hooks/updates',
  })
}

/** Throws `ERR_USAGE` if it says no times, or more than one an hour, after `at`. */
export function assertDigestTimes(timetable: Timetable, at: number): void {
  assertTimetable(timetable)
  for (let tried = 0, after = at; tried < TRIED_TIMES; tried++) {
    const next = nextTime(timetable, after)
    if (next === undefined) return
    if (tried > 0 && next - after < LEAST_MS) {
      throw new AppError('ERR_USAGE', {
        message: `${JSON.stringify(timetable.schedule)} comes more than once an hour`,
        hint: 'each morning at seven: 0 7 * * *',
      })
    }
    after = next
  }
}

/** A webhook's URL without what may be a secret of it. */
export function redactWebhook(url: string): string {
  const { origin, pathname, search } = new URL(url)
  return pathname === '/' && search === '' ? origin : `${origin}${REST}`
}

/** Throws `ERR_DELIVERY_REFUSED` if nothing can be sent there: of a webhook's URL only the server is known. */
export function assertIsWhole(target: DigestTarget, name: string): void {
  if (isWhole(target)) return
  throw new AppError('ERR_DELIVERY_REFUSED', {
    message: `of the webhook of digest ${name} only the server is known`,
    hint: `sluice digest set ${name} --webhook URL --enable`,
  })
}

/** Whether it is known where to send to. */
export function isWhole(target: DigestTarget): boolean {
  return target.kind === 'mail' || new URL(target.url).pathname !== encodeURI(REST)
}
