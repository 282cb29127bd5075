/**
 * After uploads: the channels that follow local archives are brought up to date, one generation for a burst of uploads. That
 * begins when nobody uploads for a moment, and after some seconds at the latest.
 *
 * What is over, or older than what an archive keeps, is taken out in the same turn. A crash between an upload and its generation is made up for at the start. What cannot be published is tried again.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { listArchives } from '../archives/archive-table.ts'
import { createBell } from '../archives/bell.ts'
import { tidyArchive } from '../archives/unpublish.ts'
import type { Abortable } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Log } from '../base/log.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { followInAll } from '../channels/follow.ts'
import { startUploadEnds, type UploadEnds } from './upload-ends-job.ts'

const QUIET_MS = 200
const LONGEST_MS = 15_000
const LOOK_MS = 50
const RETRY_MS = 60_000

/** A channel that has a new generation since. */
export interface Followed {
  readonly channel: string
  readonly serial: number
}

export interface UploadFollow {
  /** Somebody uploads: until what is given is called, no quiet begins. */
  begin(): () => void
  /** The archive has another state. */
  note(archive: string): void
  /** Packages are to be taken out at other times. */
  endsChanged(): void
  /** Resolves when channels have all that was noted before; throws what kept them from it. */
  settled(abortable?: Abortable): Promise<Followed[]>
  /** Begins to work: before that nothing is published. */
  start(parts: ChannelParts, log: Log): void
  stop(): Promise<void>
}

interface Round {
  readonly archives: Set<string>
  /** By the machine's own timer. */
  readonly since: number
  readonly done: PromiseWithResolvers<Followed[]>
}

/** One that has not begun. */
export function createUploadFollow(): UploadFollow {
  const bell = createBell()
  const stopping = new AbortController()
  let uploading = 0
  let lastAt = 0
  let next: Round | undefined
  let current: Round | undefined
  let running: Promise<void> | undefined
  let ends: UploadEnds | undefined

  const note = (archive: string): void => {
    lastAt = performance.now()
    if (next === undefined) {
      next = { archives: new Set(), since: lastAt, done: Promise.withResolvers() }
      next.done.promise.catch(() => undefined)
    }
    next.archives.add(archive)
    bell.ring()
  }
  const isQuiet = ({ since }: Round): boolean => {
    const now = performance.now()
    return (uploading === 0 && now - lastAt >= QUIET_MS) || now - since >= LONGEST_MS
  }
  const runRound = async (parts: ChannelParts, log: Log, round: Round): Promise<void> => {
    const { signal } = stopping
    while (!isQuiet(round) && !signal.aborted)
      await pause(LOOK_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    current = round
    next = undefined
    if (!(await follow(parts, log, round, signal)))
      setTimeout(() => [...round.archives].forEach(note), RETRY_MS).unref()
    current = undefined
  }
  return {
    begin: () => {
      uploading += 1
      let isOpen = true
      return () => {
        if (isOpen) uploading -= 1
        isOpen = false
      }
    },
    note,
    endsChanged: () => ends?.wake(),
    settled: async ({ signal } = {}) => {
      const rounds = [current, next].filter((round) => round !== undefined)
      const made = await Promise.all(rounds.map(({ done }) => done.promise))
      signal?.throwIfAborted()
      return made.flat()
    },
    start: (parts, log) => {
      ends = startUploadEnds(parts, note, log)
      running = (async () => {
        // What a crash left undone.
        for (const { name, settings } of await listArchives(parts.db))
          if (settings.kind === 'local') note(name)
        while (!stopping.signal.aborted) {
          if (next === undefined) await bell.wait(stopping.signal)
          else await runRound(parts, log, next)
        }
      })().catch(() => undefined)
    },
    stop: async () => {
      stopping.abort()
      for (const round of [current, next]) round?.done.reject(stopping.signal.reason)
      await running
      await ends?.stop()
    },
  }
}

/** Brings channels up to date; false if that failed and is to be tried again. */
async function follow(
  parts: ChannelParts,
  log: Log,
  { archives, done }: Round,
  signal: AbortSignal,
): Promise<boolean> {
  crashPoint('upload: before the channels follow')
  try {
    for (const archive of archives) await tidyArchive(parts, archive)
    const reason = { who: 'system', why: 'packages were published' }
    const made = await followInAll(parts, [...archives], reason, { signal })
    done.resolve(made.map(({ channel, generation }) => ({ channel, serial: generation.serial })))
    return true
  } catch (error) {
    done.reject(error)
    if (signal.aborted) return true
    const { code, message } = toAppError(error)
    log.error({ code, problem: message, archives: [...archives] }, 'uploads not published')
    return false
  }
}
