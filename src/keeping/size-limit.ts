/**
 * The size limit (`max-size`): watches how much the files of the store take, and evicts when it is more, down to a
 * twentieth below, so that it has not to look again with each file. What all nothing can go of is told, and looked at
 * again after some minutes.
 */
import { type Bell, createBell } from '../archives/bell.ts'
import { withTimeout } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { blobTotals } from '../store/blob-lists.ts'
import { measureRoom } from '../store/disk-reserve.ts'
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
  /** Resolves when it was looked at what there was at the call. */
  settle(): Promise<void>
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
    problem: undefined,
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
      if (maxBytes === undefined || running !== undefined) return
      running = run(state).catch(() => undefined)
      const added = (_: unknown, size: number): void => {
        state.bytes += size
        // One that cannot be kept is looked at now and then: each look goes through all files.
        if (state.bytes > maxBytes && state.problem === undefined) wake()
      }
      parts.blobs.news.listen({ added })
    },
    settle: async () => {
      wake()
      const { asked } = state
      while (running !== undefined && state.settled < asked && !state.stopping.signal.aborted)
        await state.done.wait(state.stopping.signal)
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
    const { freeBytes, reserveBytes } = await measureRoom(parts.blobs)
    const tooMuch = state.bytes > maxBytes ? state.bytes - maxBytes * DOWN_TO : 0
    const tooFull = freeBytes < reserveBytes ? reserveBytes - freeBytes : 0
    const needed = Math.ceil(Math.max(tooMuch, tooFull))
    if (needed === 0) return tell(state, undefined)
    const gone = await evictFiles(parts, needed, { signal })
    evicted.files += gone.evicted.files
    evicted.bytes += gone.evicted.bytes
    state.bytes = (await blobTotals(parts.db)).fileBytes
    if (gone.evicted.files > 0) log.info({ ...gone.evicted, left: state.bytes }, 'files evicted')
    tell(state, state.bytes > maxBytes ? pinnedWords(state) : undefined)
  } catch (error) {
    if (signal.aborted) return
    tell(state, `nothing could be evicted: ${toAppError(error).message}`)
  }
}

function pinnedWords({ bytes, maxBytes }: State): string {
  const mega = (count: number): string => `${Math.ceil(count / 1e6)} MB`
  return `the files take ${mega(bytes)} where max-size is ${mega(maxBytes)}, and what is left is pinned by channels`
}

/** Once for each beginning. */
function tell(state: State, problem: string | undefined): void {
  if (problem !== undefined && state.problem === undefined) {
    const hint =
      'give it more room, or let channels keep less: sluice channel set --keep, --keep-days'
    state.log.warn({ problem, hint }, 'the size limit is not kept')
  }
  state.problem = problem
}
