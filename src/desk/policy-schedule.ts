/**
 * Runs policies when they are due, one after the other, and goes on with runs that a crash left.
 *
 * What was due while the server was off, or while the clock leapt ahead, is made up for by one run. A clock that is set back
 * makes nothing due again; one that was wrong by more than a day is not held against a policy: its schedule begins anew.
 */
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { findOpenRun } from './policy-runs.ts'
import { listPolicies, notePolicyDone, type Policy } from './policy-table.ts'
import { dueTime, nextDue, runPolicy } from './run-policy.ts'

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS
/** By the machine's own timer, whatever its clock does meanwhile. */
const LOOK_AGAIN_MS = 60_000
/** After what should not fail at all. */
const PAUSE_MS = 2 * 60_000

export interface PolicySchedule {
  /** Looks again: policies were changed. */
  wake(): void
  /** Resolves when the run under way has ended. */
  stop(): Promise<void>
}

/** Starts it. */
export function startPolicies(parts: ChannelParts, log: Log): PolicySchedule {
  const stopping = new AbortController()
  const { signal } = stopping
  let woken = new AbortController()
  const wait = async (until: number): Promise<void> => {
    const signals = [signal, woken.signal, AbortSignal.timeout(LOOK_AGAIN_MS)]
    await parts.clock.until(until, { signal: AbortSignal.any(signals) }).catch(() => undefined)
  }
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      // Before looking: a change that comes while it looks is seen by the next look.
      woken = new AbortController()
      let until = parts.clock.now() + PAUSE_MS
      try {
        until = await runDue(parts, log, signal)
      } catch (error) {
        if (signal.aborted) return
        const { code, message } = toAppError(error)
        log.error({ code, problem: message }, 'policies not looked at')
      }
      await wait(until)
    }
  }
  const running = loop()
  return {
    wake: () => woken.abort(),
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

/** Runs what is due; says when something will be. */
async function runDue(parts: ChannelParts, log: Log, signal: AbortSignal): Promise<number> {
  for (const found of await listPolicies(parts.db)) {
    signal.throwIfAborted()
    const now = parts.clock.now()
    const policy = await righted(parts, log, found, now)
    const isLeft = (await findOpenRun(parts.db, policy.id)) !== undefined
    if (!isLeft && dueTime(policy, now) === undefined) continue
    await runOne(parts, log, policy, signal)
  }
  const now = parts.clock.now()
  const times = (await listPolicies(parts.db)).map((one) =>
    one.enabled ? nextDue(one) : undefined,
  )
  return Math.min(now + HOUR_MS, ...times.filter((at) => at !== undefined))
}

async function runOne(
  parts: ChannelParts,
  log: Log,
  { name, to }: Policy,
  signal: AbortSignal,
): Promise<void> {
  try {
    const input = { name, who: 'system', isScheduled: true }
    const run = await runPolicy(parts, input, { signal })
    if (run === undefined) return
    const { went, stayed, problem } = run
    if (problem !== undefined) log.warn({ policy: name, problem }, 'policy failed')
    else if (went > 0) log.info({ policy: name, channel: to, went, stayed }, 'policy promoted')
  } catch (error) {
    if (signal.aborted) throw error
    const { code, message } = toAppError(error)
    log.error({ policy: name, code, problem: message }, 'policy not run')
  }
}

async function righted(
  parts: ChannelParts,
  log: Log,
  policy: Policy,
  now: number,
): Promise<Policy> {
  const { id, name, doneUntil } = policy
  if (doneUntil <= now + DAY_MS) return policy
  log.warn({ policy: name, doneUntil }, 'the clock was set back: the schedule begins anew')
  await notePolicyDone(parts.db, id, { doneUntil: now, retryAt: undefined, retries: 0 })
  return { ...policy, doneUntil: now, retryAt: undefined, retries: 0 }
}
