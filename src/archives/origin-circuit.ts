/**
 * What is known of each origin that is asked: one that proves dead, or in trouble with whatever it is asked for, is left
 * alone for a while, and who wants something of it is told so at once instead of waiting on a connection of his own. Then
 * one request goes out to look; the others are told at once until its end is known.
 *
 * Trouble with one path says little about the rest: three failures in a row, of two paths, say that it is the origin; of
 * those that come at once, as answers do, ten, of three paths. All of it counts by the monotonic clock.
 */
import { type AppError, systemCode } from '../base/errors.ts'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 10_000
/** For so long at the most `Retry-After` keeps back what clients want, and what refreshes do. */
const LONGEST_OBEYED_MS = 60_000
const LONGEST_POLITE_MS = 3600_000
const MANY = { origin: [1, 1], path: [3, 2], status: [10, 3] } as const
const MOST_PATHS = 3
const MAX_ORIGINS = 1000

/** An origin that is left alone, and why. */
export interface OriginTrouble {
  readonly origin: string
  readonly problem: AppError
  /** Until it is asked again; 0 when the next one asks, or is asking. */
  readonly nextInMs: number
}

/**
 * `usual` keeps to what is known; `probe` asks in spite of trouble, but not before the time of a `Retry-After`; `command`
 * asks anyway.
 */
export type Urgency = 'usual' | 'probe' | 'command'

/** One request that is out; one of the last three ends it. */
export interface Attempt {
  /** An answer has begun: nobody gives it up any more, and others may ask again. */
  begin(): void
  /** The origin is well. */
  succeed(): void
  fail(error: AppError): void
  /** Nobody knows: who asked is gone. */
  leave(): void
}

export interface Circuit {
  /** Why the origin of this URL is not to be asked now. */
  refusal(url: URL, urgency: Urgency): OriginTrouble | undefined
  /** Notes that a request goes out; `giveUp` is called if its origin proves dead before it has an answer. */
  enter(url: URL, giveUp: (problem: AppError) => void): Attempt
  /** Origins that are left alone. */
  troubles(): OriginTrouble[]
}

interface Origin {
  readonly name: string
  failures: number
  /** Of the failures, the first three. */
  readonly paths: Set<string>
  /** Set while it is left alone. */
  problem: AppError | undefined
  pauseMs: number
  shutUntil: number
  politeUntil: number
  /** The request that is out to look. */
  probe: object | undefined
  readonly waiting: Set<(problem: AppError) => void>
}

type Now = () => number

/** Nothing is known yet; `now` are milliseconds that never jump. */
export function createCircuit(now: Now = () => performance.now()): Circuit {
  const origins = new Map<string, Origin>()
  return {
    refusal: (url, urgency) => {
      const origin = origins.get(url.origin)
      if (origin?.problem === undefined || urgency === 'command') return undefined
      const { probe, shutUntil, politeUntil } = origin
      const until = urgency === 'probe' ? politeUntil : shutUntil
      const isLeftAlone = until > now() || (urgency === 'usual' && probe !== undefined)
      return isLeftAlone ? told(origin, origin.problem, until - now()) : undefined
    },
    enter: (url, giveUp) => {
      const origin = origins.get(url.origin) ?? newOrigin(url.origin)
      origins.delete(url.origin)
      origins.set(url.origin, origin)
      const [oldest] = origins.keys()
      if (origins.size > MAX_ORIGINS && oldest !== undefined) origins.delete(oldest)
      return createAttempt(origin, url.pathname, giveUp, now)
    },
    troubles: () =>
      [...origins.values()].flatMap((one) =>
        one.problem === undefined ? [] : [told(one, one.problem, one.shutUntil - now())],
      ),
  }
}

function newOrigin(name: string): Origin {
  const [paths, waiting] = [new Set<string>(), new Set<(problem: AppError) => void>()]
  return { ...wellOrigin, name, problem: undefined, probe: undefined, paths, waiting }
}

const wellOrigin = {
  failures: 0,
  pauseMs: 0,
  shutUntil: 0,
  politeUntil: 0,
}

function told({ name }: Origin, problem: AppError, leftMs: number): OriginTrouble {
  return { origin: name, problem, nextInMs: Math.max(0, leftMs) }
}

function createAttempt(
  origin: Origin,
  path: string,
  giveUp: (problem: AppError) => void,
  now: Now,
): Attempt {
  const self = {}
  origin.waiting.add(giveUp)
  if (origin.problem !== undefined) origin.probe ??= self
  const end = (): void => {
    origin.waiting.delete(giveUp)
    if (origin.probe === self) origin.probe = undefined
  }
  return {
    begin: () => {
      end()
      if (origin.problem === undefined) return
      // It lives; one more failure, of a body, and it is left alone again.
      origin.problem = undefined
      origin.failures = MANY.path[0] - 1
      origin.paths.add('')
    },
    leave: end,
    succeed: () => {
      end()
      Object.assign(origin, wellOrigin, { problem: undefined, probe: undefined })
      origin.paths.clear()
    },
    fail: (error) => {
      end()
      const told = kindOf(error)
      if (told === 'none') return
      const kind = isElsewhere(error, origin.name) ? 'path' : told
      origin.failures += 1
      if (origin.paths.size < MOST_PATHS) origin.paths.add(path)
      const [failures, paths] = MANY[kind]
      const isMany = origin.failures >= failures && origin.paths.size >= paths
      const obeyMs = kind === 'status' ? retryAfterMs(error) : 0
      if (isMany || origin.problem !== undefined || obeyMs > 0) shut(origin, error, obeyMs, now)
      if (kind !== 'status' && origin.problem !== undefined) {
        for (const stop of [...origin.waiting]) stop(error)
      }
    },
  }
}

/** Leaves it alone: for twice as long each time. */
function shut(origin: Origin, error: AppError, obeyMs: number, now: Now): void {
  origin.problem = error
  // Failures that were under way together count once.
  if (origin.shutUntil <= now()) {
    origin.pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, origin.pauseMs * 2))
    origin.shutUntil = now() + origin.pauseMs
  }
  origin.shutUntil = Math.max(origin.shutUntil, now() + Math.min(obeyMs, LONGEST_OBEYED_MS))
  origin.politeUntil = Math.max(origin.politeUntil, now() + Math.min(obeyMs, LONGEST_POLITE_MS))
}

const ofOrigin: readonly (string | undefined)[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
  'UND_ERR_PRX_CONN',
  'UND_ERR_PRX_TLS',
]

/** What an error says: that nobody is there; that a path gave nothing, or an answer that it is in trouble; nothing at all. */
function kindOf(error: AppError): 'origin' | 'path' | 'status' | 'none' {
  if (error.code === 'ERR_UPSTREAM_UNREACHABLE' || error.code === 'ERR_UPSTREAM_TIMEOUT') {
    return ofOrigin.includes(systemCode(error.cause)) ? 'origin' : 'path'
  }
  const status = error.code === 'ERR_UPSTREAM_STATUS' ? Number(error.details?.status) : 0
  return status === 429 || status === 408 || status >= 500 ? 'status' : 'none'
}

/** Whether it was met behind a redirect: one path may lead to a server that is dead, and the others elsewhere. */
function isElsewhere({ details }: AppError, origin: string): boolean {
  const url = URL.parse(String(details?.url ?? ''))
  return url !== null && url.origin !== origin
}

function retryAfterMs(error: AppError): number {
  const told = Number(error.details?.retryAfterS ?? 0)
  return Number.isFinite(told) ? Math.max(0, told) * 1000 : 0
}
