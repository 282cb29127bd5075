/**
 * How upstream does: what came of requests to each host, how long it takes to answer, what was wrong, and how many bytes
 * came for each archive. Counted in memory, for metrics and figures; nothing is decided by it.
 *
 * Names of hosts come from outside where the proxy learns archives, so only so many are told apart.
 */
import type { Clock } from '../base/clock.ts'
import { isAppError } from '../base/errors.ts'
import { hostKey } from '../base/host-key.ts'
import type { UpstreamResponse } from './upstream.ts'

/** What a request came to: `absent` is 404 and 410, `refused` any other status, `broken` a body that did not end well. */
export const upstreamOutcomes = [
  'ok',
  'unchanged',
  'absent',
  'refused',
  'unreachable',
  'timeout',
  'broken',
] as const
export type UpstreamOutcome = (typeof upstreamOutcomes)[number]

/** Upper ends of the ranges that answers are counted in, seconds until their head. */
export const answerSeconds: readonly number[] = [0.01, 0.03, 0.1, 0.3, 1, 3, 10]

/** One host since the server was started. */
export interface HostHealth {
  /** As `hostKey` writes it; `other` for those beyond the first 200. */
  readonly host: string
  readonly requests: Record<UpstreamOutcome, number>
  /** Of bodies. */
  bytes: number
  /** Files whose bytes were not those that the signed index names. */
  mismatches: number
  /** Answers by how long they took: one for each of `answerSeconds`, then those that took longer. */
  readonly answers: number[]
  /** Of all answers together. */
  answersMs: number
  /** Whether the last request got an answer, whatever it said, below 500. */
  isUp: boolean
  /** Epoch milliseconds of the last one that did. */
  answeredAt: number | undefined
}

export interface UpstreamHealth {
  /** Asks, and counts what comes of it. */
  watch(url: string, ask: () => Promise<UpstreamResponse>): Promise<UpstreamResponse>
  /** Says that a file from this URL was not what the signed index names. */
  blame(url: string): void
  /** Says that URLs which begin so are of this archive. */
  name(prefix: string, archive: string): void
  /** By name. */
  hosts(): HostHealth[]
  /** Bytes that came for each archive since the start; '' for what is in none. */
  readonly bytesOf: ReadonlyMap<string, number>
}

const MAX_HOSTS = 200
const OTHERS = 'other'

/** Nothing is counted yet. */
export function createUpstreamHealth(clock: Pick<Clock, 'now'>): UpstreamHealth {
  const hosts = new Map<string, HostHealth>()
  const archives = new Map<string, string>()
  const bytesOf = new Map<string, number>()
  const of = (url: string): HostHealth => {
    const key = keyOf(url)
    const known = hosts.get(key) ?? (hosts.size >= MAX_HOSTS ? hosts.get(OTHERS) : undefined)
    if (known !== undefined) return known
    const host = hosts.size >= MAX_HOSTS ? OTHERS : key
    const made = newHost(host)
    hosts.set(host, made)
    return made
  }
  const archiveOf = (url: string): string => {
    for (const [prefix, archive] of archives) if (url.startsWith(prefix)) return archive
    return ''
  }
  const answered = (host: HostHealth, ms: number): void => {
    const at = answerSeconds.findIndex((most) => ms <= most * 1000)
    const range = at === -1 ? answerSeconds.length : at
    host.answers[range] = (host.answers[range] ?? 0) + 1
    host.answersMs += ms
    host.answeredAt = clock.now()
  }
  return {
    watch: async (url, ask) => {
      const host = of(url)
      const begun = performance.now()
      try {
        const response = await ask()
        answered(host, performance.now() - begun)
        host.isUp = true
        host.requests[response.status === 304 ? 'unchanged' : 'ok'] += 1
        const archive = archiveOf(url)
        const count = (bytes: number): void => {
          host.bytes += bytes
          bytesOf.set(archive, (bytesOf.get(archive) ?? 0) + bytes)
        }
        return { ...response, body: counted(response.body, host, count) }
      } catch (error) {
        const outcome = outcomeOf(error)
        if (outcome === undefined) throw error
        host.requests[outcome.kind] += 1
        host.isUp = outcome.isAnswer
        if (outcome.isAnswer) answered(host, performance.now() - begun)
        throw error
      }
    },
    blame: (url) => {
      of(url).mismatches += 1
    },
    name: (prefix, archive) => void archives.set(prefix, archive),
    hosts: () => [...hosts.values()].sort((a, b) => (a.host < b.host ? -1 : 1)),
    bytesOf,
  }
}

function newHost(host: string): HostHealth {
  const none = { ok: 0, unchanged: 0, absent: 0, refused: 0 }
  return {
    host,
    requests: { ...none, unreachable: 0, timeout: 0, broken: 0 },
    bytes: 0,
    mismatches: 0,
    answers: Array.from({ length: answerSeconds.length + 1 }, () => 0),
    answersMs: 0,
    isUp: true,
    answeredAt: undefined,
  }
}

function keyOf(url: string): string {
  const parsed = URL.parse(url)
  return parsed === null ? OTHERS : hostKey(parsed)
}

/** What an error says about the host; undefined if nothing. */
function outcomeOf(error: unknown): { kind: UpstreamOutcome; isAnswer: boolean } | undefined {
  if (isAppError(error, 'ERR_UPSTREAM_TIMEOUT')) return { kind: 'timeout', isAnswer: false }
  if (isAppError(error, 'ERR_UPSTREAM_UNREACHABLE')) return { kind: 'unreachable', isAnswer: false }
  if (isAppError(error, 'ERR_UPSTREAM_STATUS')) {
    const status = Number(error.details?.status)
    const isAbsent = status === 404 || status === 410
    return { kind: isAbsent ? 'absent' : 'refused', isAnswer: status < 500 }
  }
  const isOther =
    isAppError(error, 'ERR_UPSTREAM_REDIRECT') || isAppError(error, 'ERR_UPSTREAM_ENCODING')
  return isOther ? { kind: 'refused', isAnswer: true } : undefined
}

function counted(
  body: AsyncIterable<Buffer>,
  host: HostHealth,
  count: (bytes: number) => void,
): AsyncIterable<Buffer> {
  return {
    [Symbol.asyncIterator]: () => {
      const pieces = body[Symbol.asyncIterator]()
      return {
        next: async () => {
          try {
            const piece = await pieces.next()
            if (piece.done !== true) count(piece.value.length)
            return piece
          } catch (error) {
            const outcome = outcomeOf(error)
            if (outcome !== undefined) host.requests.broken += 1
            throw error
          }
        },
        return: async () => (await pieces.return?.()) ?? { done: true, value: undefined },
      }
    },
  }
}
