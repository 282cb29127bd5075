/**
 * Notes which clients take which generations, from requests for InRelease and Release, off the path of the request: in
 * memory, and every few seconds into the database, all that came since in one write.
 *
 * The address is that of the connection. A header that says otherwise is not looked at: anybody could write it.
 */
import type { ServedRelease } from '../archives/answer.ts'
import type { Clock } from '../base/clock.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createMutex } from '../base/mutex.ts'
import type { Db } from '../store/database.ts'
import { forgetChannel, forgetSightings, type Sighting, saveSightings } from './client-table.ts'

export interface ClientLog {
  /** Notes that a client has this Release now; asks no database. */
  note(address: string, served: ServedRelease, agent: string | undefined): void
  /** Writes what was noted so far; if that fails it is logged, and not known. */
  flush(): Promise<void>
  /** Forgets who took a channel that is deleted. */
  forget(channel: string): Promise<void>
  /** Writes what is left; nothing may be noted afterwards. */
  close(): Promise<void>
}

const FLUSH_MS = 5000
const FORGET_MS = 3600_000
/** Clients noted between two writes; more are not counted. */
const MAX_WAITING = 20_000

/** A log that writes to `db`. */
export function createClientLog(db: Db, clock: Clock, log: Log): ClientLog {
  let waiting = new Map<string, Sighting>()
  let timer: NodeJS.Timeout | undefined
  const oneAtATime = createMutex()
  const write = (): Promise<void> =>
    oneAtATime(async () => {
      clearTimeout(timer)
      timer = undefined
      const sightings = [...waiting.values()]
      waiting = new Map()
      await saveSightings(db, sightings)
    })
  // A full disk must not keep the server from anything else, nor from its end.
  const quietly = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      const { code, message } = toAppError(error)
      log.warn({ code, problem: message }, 'clients not noted')
    })
  const flush = (): Promise<void> => quietly(write())
  const forget = (): Promise<void> => quietly(oneAtATime(() => forgetSightings(db, clock.now())))
  const forgetting = setInterval(forget, FORGET_MS)
  forgetting.unref()
  const first = forget()
  return {
    note: (address, served, agent) => {
      const { channel, archive, suite, isPinned } = served
      const key = [channel, address, archive, suite, isPinned].join(' ')
      if (waiting.size >= MAX_WAITING && !waiting.has(key)) return
      const seenAt = clock.now()
      waiting.set(key, {
        ...served,
        address: bareAddress(address),
        seenAt,
        agent: shortAgent(agent),
      })
      timer ??= setTimeout(flush, FLUSH_MS).unref()
    },
    flush,
    forget: async (channel) => {
      await flush()
      await forgetChannel(db, channel)
    },
    close: async () => {
      clearInterval(forgetting)
      await first
      await flush()
    },
  }
}

/** IPv4 without the form that IPv6 gives it. */
function bareAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '')
}

/** `apt 2.6.1` for `Debian APT-HTTP/1.3 (2.6.1)`; the first words of others. */
function shortAgent(agent = ''): string {
  const version = /\bAPT-HTTP\/[\d.]+ \(([\w.~+-]{1,30})\)/.exec(agent)?.[1]
  return version === undefined ? agent.replaceAll(/[^ -~]/g, '?').slice(0, 40) : `apt ${version}`
}
