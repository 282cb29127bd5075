/**
 * What the server does by itself: refreshing archives and following them, signing anew, deleting
 * what nothing names any more. One archive at a time.
 *
 * Each kind of work has a schedule of its own (schedule.ts), so that an archive that hangs never keeps a Release from being
 * signed before its Valid-Until.
 */
import { listArchives } from '../archives/archive-table.ts'
import { offlineError } from '../archives/guarded-upstream.ts'
import type { RefreshEvent } from '../archives/read-indexes.ts'
import { refreshArchive, type SuiteOutcome } from '../archives/refresh.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { listChannels } from '../channels/channel-table.ts'
import { startDerivation } from '../channels/derivation.ts'
import { followInAll } from '../channels/follow.ts'
import type { Generation } from '../channels/generation-table.ts'
import { startHoldEnds } from '../channels/hold-schedule.ts'
import { refreshKeyrings } from '../channels/keyring-release.ts'
import { resignIfDue } from '../channels/re-sign.ts'
import { finishRevocations } from '../channels/revoke.ts'
import { startDigests } from '../desk/digest-schedule.ts'
import { startPolicies } from '../desk/policy-schedule.ts'
import { logKeyEnds } from './archive-keys.ts'
import { startFrontFiles } from './front-job.ts'
import { gcJob } from './gc.ts'
import type { ServerParts } from './parts.ts'
import { type RoomKeeper, startRoom } from './room.ts'
import { type Job, type Schedule, startSchedule } from './schedule.ts'
import { startUploads } from './upload-job.ts'
import { watchUpstreamNames } from './upstream-names.ts'

const DAY_MS = 24 * 3600_000
const RETRY_MS = 2 * 60_000
/** How often it is looked whether a Release has to be signed anew. */
const RESIGN_LOOK_MS = 3600_000
/** How often all that is based on a channel is compared with it, besides after each flip. */
const DERIVE_LOOK_MS = 3600_000

export interface RefreshTask {
  readonly archives: readonly string[]
  readonly who: string
  readonly onEvent?: ((event: RefreshEvent) => void) | undefined
  readonly onOutcome?: ((outcome: SuiteOutcome) => void) | undefined
}

export interface Jobs {
  /** Epoch milliseconds of the next round; none comes while the server is offline. */
  readonly nextRefreshAt: number | undefined
  readonly room: RoomKeeper
  /** Policies were changed: what is due is looked for again. */
  wakePolicies(): void
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
  if (parts.upstream.isOffline) throw offlineError(task.archives.join(', ') || 'upstream')
  const outcomes: SuiteOutcome[] = []
  for (const archive of task.archives) {
    const urgency = task.who === 'system' ? 'probe' : 'command'
    const input = { archive, urgency, onEvent: task.onEvent } as const
    const some = await refreshArchive(parts, input, { signal })
    for (const outcome of some) {
      parts.metrics.countRefresh(outcome.kind)
      task.onOutcome?.(outcome)
    }
    if (some.some((outcome) => outcome.kind === 'changed')) parts.rescue.wake()
    if (some.some((outcome) => outcome.kind !== 'failed')) parts.fileProblems.forgive(archive)
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
  /** When the first round of refreshing begins. */
  readonly firstInMs: number
  /** What to do when a round has ended, besides. */
  readonly afterRound: (signal: AbortSignal) => Promise<unknown>
}

/** Starts all of it. */
export function startJobs(
  parts: ServerParts,
  log: Log,
  { firstInMs, afterRound }: JobOptions,
): Jobs {
  const start = (job: Job): Schedule => startSchedule(parts.clock, log, job)
  const lookAtNames = watchUpstreamNames(parts, log)
  const refresh = start({
    name: 'refresh',
    firstInMs,
    everyMs: parts.config.refreshMinutes * 60_000,
    retryMs: RETRY_MS,
    work: async (signal) => {
      // What was told at the start needs no line in the log each hour.
      if (parts.upstream.isOffline) return true
      const archives = (await listArchives(parts.db)).map((archive) => archive.name)
      const isGood = await refreshQuietly(parts, log, archives, signal)
      await afterRound(signal)
      await lookAtNames()
      return isGood
    },
  })
  if (!parts.upstream.isOffline) {
    parts.refreshBehind.start((name, signal) => refreshQuietly(parts, log, [name], signal))
  }
  const resigned = Promise.withResolvers<void>()
  const resign = start({
    name: 're-sign',
    firstInMs: 0,
    everyMs: RESIGN_LOOK_MS,
    retryMs: RETRY_MS,
    work: (signal) => resignAll(parts, log, signal).finally(() => resigned.resolve()),
  })
  const worker = startDerivation(parts, log)
  const derive = start({
    name: 'derive',
    // A crash may have come between the flip of a base and that of what is based on it.
    firstInMs: 0,
    everyMs: DERIVE_LOOK_MS,
    retryMs: RETRY_MS,
    work: () => worker.wakeAll(),
  })
  const keys = start({
    name: 'keys',
    // At the start they are told to whoever starts it.
    firstInMs: DAY_MS,
    everyMs: DAY_MS,
    retryMs: RETRY_MS,
    work: async () => {
      await logKeyEnds(parts, log)
      return true
    },
  })
  const gc = start(gcJob(parts, log))
  const revocations = start(revocationJob(parts, log))
  const policies = startPolicies(parts, log)
  const digests = startDigests(parts, log, resigned.promise)
  const holds = startHoldEnds(parts, log)
  const room = startRoom(parts, log)
  const uploads = startUploads(parts, log)
  const front = startFrontFiles(parts, log)
  const others = [policies, digests, holds, worker, resign, derive, keys, gc, revocations]
  const all = [...others, parts.refreshBehind, uploads, front, room, refresh]
  return {
    get nextRefreshAt() {
      return parts.upstream.isOffline ? undefined : refresh.nextAt
    },
    room,
    wakePolicies: policies.wake,
    stop: async () => {
      await Promise.all(all.map((one) => one.stop()))
    },
  }
}

/** What could not be carried out by whoever revoked it, nor by the start. */
function revocationJob(parts: ServerParts, log: Log): Job {
  return {
    name: 'revocations',
    firstInMs: RETRY_MS,
    everyMs: RETRY_MS,
    retryMs: RETRY_MS,
    work: (signal) => finishRevocations(parts, log, { signal }),
  }
}

async function refreshQuietly(
  parts: ServerParts,
  log: Log,
  archives: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const startedAt = parts.clock.now()
  const { outcomes } = await refreshAndFollow(parts, { archives, who: 'system' }, signal)
  for (const { archive, suite, problem } of outcomes) {
    // Told once: a mirror that is down for a night would fill the log, every two minutes.
    if (problem !== undefined && problem.since >= startedAt) {
      log.warn({ archive, suite, ...problem }, 'suite not refreshed')
    }
  }
  return outcomes.every((outcome) => outcome.kind !== 'failed')
}

/** One that cannot be signed now keeps no other from it. */
async function resignAll(parts: ServerParts, log: Log, signal: AbortSignal): Promise<boolean> {
  let isGood = true
  for (const { name } of await listChannels(parts.db)) {
    try {
      const generation = await resignIfDue(parts, name, { signal })
      if (generation !== undefined) {
        log.info({ channel: name, serial: generation.serial }, 'signed anew')
      }
    } catch (error) {
      if (signal.aborted) throw error
      isGood = false
      const { code, message } = toAppError(error)
      log.error({ channel: name, code, problem: message }, 'not signed anew')
    }
  }
  try {
    await refreshKeyrings(parts, { signal })
  } catch (error) {
    if (signal.aborted) throw error
    isGood = false
    const { code, message } = toAppError(error)
    log.error({ code, problem: message }, 'keyring package not published')
  }
  return isGood
}
