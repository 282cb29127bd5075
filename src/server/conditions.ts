/**
 * What a request asks of a file besides its bytes: conditions and ranges (RFC 9110), as apt uses them.
 *
 * Last-Modified is the only validator (apt sends no ETag), and only its exact value counts: with "not newer than" a
 * rolled-back clock would freeze clients. What can change under its name is never sent in parts.
 */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../base/clock.ts'

/** What of a file to send: all, nothing (304), a part of it, or a refusal (416). */
export type Extent =
  | { readonly status: 200; readonly start: 0; readonly end: number }
  | { readonly status: 206; readonly start: number; readonly end: number }
  | { readonly status: 304 }
  | { readonly status: 416 }

export interface Validator {
  readonly size: number
  /** As sent: RFC 1123, GMT. */
  readonly lastModified: string
  readonly isMutable: boolean
}

/** Last-Modified for epoch seconds. */
export function httpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString()
}

/** Seconds since upstream said that this is what it has (RFC 9111, 5.1). */
export function ageOf(confirmedAt: number, clock: Pick<Clock, 'now'>): string {
  return String(Math.max(0, Math.floor((clock.now() - confirmedAt) / 1000)))
}

/** What to answer to this request, GET or HEAD; `end` is not included. */
export function extentOf(
  { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  file: Validator,
): Extent {
  const whole: Extent = { status: 200, start: 0, end: file.size }
  if (headers['if-modified-since'] === file.lastModified) return { status: 304 }
  if (file.isMutable || headers.range === undefined || method === 'HEAD') return whole
  const condition = headers['if-range']
  if (condition !== undefined && condition !== file.lastModified) return whole
  const match = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/.exec(headers.range)
  const [, first = '', last = ''] = match ?? []
  if (match === null || (first === '' && last === '')) return whole
  const start = first === '' ? Math.max(0, file.size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? file.size : Math.min(file.size, Number(last) + 1)
  if (start >= file.size || start >= end) return { status: 416 }
  return { status: 206, start, end }
}
