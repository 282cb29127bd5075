/**
 * The size limit (`max-size`): watches how much the files of the store take, and evicts when it is more, down to a
 * twentieth below, so that it has not to look again with each file; so it does where the reserve of the disk is touched.
 * What cannot be mended so is told, and looked at again after some minutes; a full disk also where there is no limit.
 */
import { type Bell, createBell } from '../archives/bell.ts'
import { type Abortable, withTimeout } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { blobTotals } from '../store/blob-lists.ts'
import { measureRoom, type Room } from '../store/disk-reserve.ts'
import { evictFiles } from './evict.ts'
import type { Amount } from './file-counts.ts'

/** Down to this part of the limit. */
const DOWN_TO = 0.95
const AGAIN_MS = 5 * 60_000

export interface SizeLimit {
  readonly maxBytes: number | undefined
  /** Since the start of the process. */
  readonly evicted: Amount
  /** Why the limit is not kept. */
  readonly problem: string | undefined
  start(): void
  /** Resolves when it was looked at what there was at the call, or with the signal. */
  settle(abortable: Abortable): Promise<void>
  stop(): Promise<void>
}

interface State {
  readonly parts: ChannelParts
  readonly maxBytes: number
  readonly log: Log
  readonly stopping: AbortController
  /** Rings when there is something to look at, and when it was. */
  readonly news: Bell
  readonly done: Bell
  readonly evicted: { files: number; bytes: number }
  problem: string | undefined
  /** Why files are not kept. */
  full: string | undefined
  /** At least so much: what comes is added, what goes is not taken off before the next look. */
  bytes: number
  asked: number
  settled: number
}

/** A limit that is not watched yet; without `maxBytes` it never is. */
export function createSizeLimit(
  parts: ChannelParts,
  maxBytes: number | undefined,
  log: Log,
): SizeLimit {
  const state: State = {
    ...{ parts, log, maxBytes: maxBytes ?? Number.POSITIVE_INFINITY },
    stopping: new AbortController(),
    news: createBell(),
    done: createBell(),
    evicted: { files: 0, bytes: 0 },
    ...{ problem: undefined, full: undefined },
    bytes: 0,
    asked: 1,
    settled: 0,
  }
  const wake = (): void => {
    state.asked++
    state.news.ring()
  }
  let running: Promise<void> | undefined
  return {
    maxBytes,
    get evicted() {
      return { ...state.evicted }
    },
    get problem() {
      return state.problem
    },
    start: () => {
      if (running !== undefined) return
      running = run(state).catch(() => undefined)
      const added = (_: unknown, size: number): void => {
        state.bytes += size
        // One that cannot be kept is looked at now and then: each look goes through all files.
        if (state.bytes > state.maxBytes && state.problem === undefined) wake()
      }
      parts.blobs.news.listen({ added })
    },
    settle: async ({ signal }) => {
      wake()
      const { asked } = state
      const isOver = (): boolean => signal?.aborted === true || state.stopping.signal.aborted
      while (running !== undefined && state.settled < asked && !isOver())
        await state.done.wait(signal)
    },
    stop: async () => {
      state.stopping.abort()
      await running
      state.done.ring()
    },
  }
}

async function run(state: State): Promise<void> {
  const { signal } = state.stopping
  while (!signal.aborted) {
    const { asked } = state
    await look(state, signal)
    state.settled = asked
    state.done.ring()
    if (state.asked === asked) await state.news.wait(withTimeout(signal, AGAIN_MS))
  }
}

async function look(state: State, signal: AbortSignal): Promise<void> {
  const { parts, maxBytes, log, evicted } = state
  try {
    state.bytes = (await blobTotals(parts.db)).fileBytes
    const needed = neededBytes(state, await measureRoom(parts.blobs))
    if (needed > 0 && Number.isFinite(maxBytes)) {
      const gone = await evictFiles(parts, needed, { signal })
      evicted.files += gone.evicted.files
      evicted.bytes += gone.evicted.bytes
      state.bytes = (await blobTotals(parts.db)).fileBytes
      if (gone.evicted.files > 0) log.info({ ...gone.evicted, left: state.bytes }, 'files evicted')
    }
    tell(state, 'problem', state.bytes > maxBytes ? pinnedWords(state) : undefined)
    tell(state, 'full', fullWords(await measureRoom(parts.blobs)))
  } catch (error) {
    if (signal.aborted) return
    tell(state, 'problem', `nothing could be evicted: ${toAppError(error).message}`)
  }
}

function neededBytes({ bytes, maxBytes }: State, { freeBytes, reserveBytes }: Room): number {
  const tooMuch = bytes > maxBytes ? bytes - maxBytes * DOWN_TO : 0
  return Math.ceil(Math.max(tooMuch, reserveBytes - freeBytes, 0))
}

/** What a disk that is too full means, if it is. */
export function fullWords({ freeBytes, reserveBytes }: Room): string | undefined {
  if (freeBytes >= reserveBytes) return undefined
  const mega = (count: number): string => `${Math.ceil(count / 1e6)} MB`
  return `${mega(freeBytes)} of the disk are free where ${mega(reserveBytes)} are to be: files are handed on and not kept`
}

function pinnedWords({ bytes, maxBytes }: State): string {
  const mega = (count: number): string => `${Math.ceil(count / 1e6)} MB`
  return `the files take ${mega(bytes)} where max-size is ${mega(maxBytes)}, and what is left is pinned by channels`
}

/** Once for each beginning. */
function tell(state: State, what: 'problem' | 'full', problem: string | undefined): void {
  if (problem !== undefined && state[what] === undefined) {
    const hint =
      'make room or raise max-size, or let channels keep less: channel set --keep, --keep-days'
    state.log.warn({ problem, hint }, 'there is too little room')
  }
  state[what] = problem
}
