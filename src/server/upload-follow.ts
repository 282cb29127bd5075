/**
 * After uploads: the channels that follow local archives are brought up to date, one generation for a burst of uploads. That
 * begins when nobody uploads for a moment, and after some seconds at the latest.
 *
 * What is over, or older than what an archive keeps, is taken out in the same turn. A crash between an upload and its
 * generation is made up for at the start. What cannot be published is tried again; one archive keeps no other from it.
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

interface Settling extends Abortable {
  readonly archive?: string | undefined
}

export interface UploadFollow {
  /** Somebody uploads: until what is given is called, no quiet begins. */
  begin(): () => void
  /** The archive has another state. */
  note(archive: string): void
  /** Packages are to be taken out at other times. */
  endsChanged(): void
  /** Resolves when channels have all that was noted before; throws what kept those of this archive from it, or of any. */
  settled(input?: Settling): Promise<Followed[]>
  /** Begins to work: before that nothing is published. */
  start(parts: ChannelParts, log: Log): void
  stop(): Promise<void>
}

interface Round {
  readonly archives: Set<string>
  /** By the machine's own timer. */
  readonly since: number
  readonly done: PromiseWithResolvers<Outcome>
}

interface Outcome {
  readonly made: readonly Followed[]
  /** What kept channels of an archive from following it. */
  readonly failures: ReadonlyMap<string, unknown>
}

const nothing: Outcome = { made: [], failures: new Map() }

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
    const outcome = await follow(parts, log, round, signal)
    if (signal.aborted) round.done.reject(signal.reason)
    round.done.resolve(outcome)
    const again = [...outcome.failures.keys()]
    if (again.length > 0 && !signal.aborted) setTimeout(() => again.forEach(note), RETRY_MS).unref()
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
    settled: (input) => settle([current, next], input),
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

async function settle(
  rounds: readonly (Round | undefined)[],
  { archive, signal }: Settling = {},
): Promise<Followed[]> {
  const outcomes = await Promise.all(rounds.map((round) => round?.done.promise ?? nothing))
  signal?.throwIfAborted()
  for (const { failures } of outcomes)
    for (const [name, error] of failures) if (archive === undefined || archive === name) throw error
  return outcomes.flatMap(({ made }) => made)
}

/** Brings channels up to date: archive by archive, so that each is told its own failures. */
async function follow(
  parts: ChannelParts,
  log: Log,
  { archives }: Round,
  signal: AbortSignal,
): Promise<Outcome> {
  crashPoint('upload: before the channels follow')
  const reason = { who: 'system', why: 'packages were published' }
  const made: Followed[] = []
  const failures = new Map<string, unknown>()
  for (const archive of archives) {
    if (signal.aborted) break
    const failed = (error: unknown): void => {
      if (signal.aborted) return
      failures.set(archive, error)
      const { code, message } = toAppError(error)
      log.error({ code, problem: message, archive }, 'uploads not published')
    }
    await tidyArchive(parts, archive).catch(failed)
    const some = await followInAll(parts, [archive], reason, { signal }).catch(failed)
    for (const { channel, generation } of some ?? [])
      made.push({ channel, serial: generation.serial })
  }
  return { made, failures }
}
