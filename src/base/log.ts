/**
 * The log of the server: pino, JSON lines on standard error, one child for each part (`{ part: 'upstream' }`).
 *
 * Messages are constant lower-case phrases, data goes into fields. What opens doors never gets in: values of fields
 * called like a secret are replaced, and so is the part of a URL that carries user and password, in errors too.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino'
import { AppError } from './errors.ts'
import type { LogLevel } from './setting-readers.ts'

export type Log = Logger

export interface LogOptions {
  readonly level: LogLevel
  /** Standard error unless told. */
  readonly to?: DestinationStream | undefined
}

const secretName =
  /^(authorization|proxy-?authorization|cookie|set-cookie|.*token|.*password|.*secret)$/i
const credentials = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi
const bearer = /\b(bearer|basic)\s+[\w.~+/=-]+/gi
const CENSORED = '[redacted]'
const MAX_DEPTH = 6

/** A log; children are made with `log.child({ part })`. */
export function createLog({ level, to }: LogOptions): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redactFields(fields, 0),
        bindings: (fields) => redactFields(fields, 0),
      },
      serializers: { err: describeError, error: describeError },
    },
    to ?? destination({ dest: 2, sync: true }),
  )
}

/** `text` without what stands in it between `://` and `@`, or after `Bearer`. */
export function redactText(text: string): string {
  return text.replace(credentials, `$1${CENSORED}@`).replace(bearer, `$1 ${CENSORED}`)
}

function redactFields(
  fields: Readonly<Record<string, unknown>>,
  depth: number,
): Record<string, unknown> {
  const clean: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    clean[name] = secretName.test(name) ? CENSORED : redactValue(value, depth + 1)
  }
  return clean
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return describeError(value)
  if (depth > MAX_DEPTH) return '[deep]'
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === null
  if (!isPlain) return redactText(String(value))
  return redactFields(Object.fromEntries(Object.entries(value)), depth)
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return redactValue(error, 0)
  const described: Record<string, unknown> = { message: redactText(error.message) }
  if (error instanceof AppError) {
    described.code = error.code
    if (error.details !== undefined) described.details = redactFields(error.details, 1)
  } else {
    described.name = error.name
    described.stack = redactText(error.stack ?? '')
  }
  if (error.cause !== undefined) described.cause = describeError(error.cause)
  return described
}
