/**
 * What the server does by itself: refreshing archives, following them, signing anew. One archive at a time; a round has
 * jitter, so that many servers do not ask a mirror at the same minute.
 */
import { listArchives } from '../archives/archive-table.ts'
import type { RefreshEvent } from '../archives/read-indexes.ts'
import { refreshArchive, type SuiteOutcome } from '../archives/refresh.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { listChannels } from '../channels/channel-table.ts'
import { followInAll } from '../channels/follow.ts'
import type { Generation } from '../channels/generation-table.ts'
import { resignIfDue } from '../channels/re-sign.ts'
import type { ServerParts } from './parts.ts'

const RETRY_MS = 2 * 60_000
const JITTER = 0.2

export interface RefreshTask {
  readonly archives: readonly string[]
  readonly who: string
  readonly onEvent?: ((event: RefreshEvent) => void) | undefined
  readonly onOutcome?: ((outcome: SuiteOutcome) => void) | undefined
}

export interface Jobs {
  /** Epoch milliseconds of the next round. */
  readonly nextRefreshAt: number
  /** Resolves when the round under way has ended. */
  stop(): Promise<void>
}

/** Refreshes archives, and brings the channels that follow them up to what they hold now. */
export async function refreshAndFollow(
  parts: ServerParts,
  task: RefreshTask,
  signal: AbortSignal | undefined,
): Promise<{
  outcomes: SuiteOutcome[]
  generations: { channel: string; generation: Generation }[]
}> {
  const outcomes: SuiteOutcome[] = []
  for (const archive of task.archives) {
    const some = await refreshArchive(parts, { archive, onEvent: task.onEvent }, { signal })
    for (const outcome of some) {
      parts.metrics.countRefresh(outcome.kind)
      task.onOutcome?.(outcome)
    }
    outcomes.push(...some)
  }
  const changed = new Set(
    outcomes.filter((one) => one.kind === 'changed').map((one) => one.archive),
  )
  // Also what did not change just now: a crash may have come between a refresh and the channel's flip.
  const archives = [...new Set([...changed, ...task.archives])]
  const generations = await followInAll(
    parts,
    archives,
    { who: task.who, why: 'its archives changed' },
    { signal },
  )
  return { outcomes, generations }
}

export interface JobOptions {
  /** When the first round begins. */
  readonly firstInMs: number
  /** What to do when a round has ended, besides. */
  readonly afterRound: (signal: AbortSignal) => Promise<unknown>
}

/** Starts the rounds. */
export function startJobs(
  parts: ServerParts,
  log: Log,
  { firstInMs, afterRound }: JobOptions,
): Jobs {
  const stopping = new AbortController()
  const everyMs = parts.config.refreshMinutes * 60_000
  let nextRefreshAt = parts.clock.now() + firstInMs
  const round = async (): Promise<boolean> => {
    const archives = (await listArchives(parts.db)).map((archive) => archive.name)
    const task = { archives, who: 'system' }
    const { outcomes } = await refreshAndFollow(parts, task, stopping.signal)
    for (const { archive, suite, problem } of outcomes) {
      if (problem !== undefined) log.warn({ archive, suite, ...problem }, 'suite not refreshed')
    }
    await afterRound(stopping.signal)
    for (const channel of await listChannels(parts.db))
      await resignIfDue(parts, channel.name, stopping)
    return outcomes.every((outcome) => outcome.kind !== 'failed')
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await parts.clock.until(nextRefreshAt, stopping)
      let isGood = false
      try {
        isGood = await round()
      } catch (error) {
        if (stopping.signal.aborted) return
        const { code, message } = toAppError(error)
        log.error({ code, problem: message }, 'refresh round failed')
      }
      const pauseMs = isGood ? everyMs : Math.min(RETRY_MS, everyMs)
      nextRefreshAt = parts.clock.now() + pauseMs * (1 + JITTER * Math.random())
    }
  }
  const running = run().catch(() => undefined)
  return {
    get nextRefreshAt() {
      return nextRefreshAt
    },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}
