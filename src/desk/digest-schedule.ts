/**
 * Sends digests when they are due, and tries again those that could not be sent; what of it counts is send-digest.ts's.
 */
import { waitFor, withTimeout } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { nextDigestTime } from './describe-digest.ts'
import { listDigests } from './digest-table.ts'
import { type DigestParts, sendDueDigests } from './send-digest.ts'

const HOUR_MS = 3600_000
/** By the machine's own timer, whatever its clock does meanwhile; a digest that is made or changed is seen by then. */
const LOOK_AGAIN_MS = 60_000
/** After what should not fail at all. */
const PAUSE_MS = 2 * 60_000
const LEAST_MS = 1000
/** What takes longer than this at a start is wrong, and has to be told. */
const READY_MS = 5 * 60_000

export interface DigestSchedule {
  /** Resolves when the one under way has ended. */
  stop(): Promise<void>
}

/** Starts it when `ready`, or after five minutes: what a server puts in order at its start is not told as something that is wrong. */
export function startDigests(parts: DigestParts, log: Log, ready: Promise<void>): DigestSchedule {
  const stopping = new AbortController()
  const { signal } = stopping
  const loop = async (): Promise<void> => {
    await waitFor(ready, withTimeout(signal, READY_MS)).catch(() => undefined)
    while (!signal.aborted) {
      let until = parts.clock.now() + PAUSE_MS
      try {
        await sendDueDigests(parts, log, { signal })
        until = await nextLook(parts)
      } catch (error) {
        if (signal.aborted) return
        const { code, message } = toAppError(error)
        log.error({ code, problem: message }, 'digests not looked at')
      }
      const waking = AbortSignal.any([signal, AbortSignal.timeout(LOOK_AGAIN_MS)])
      await parts.clock.until(until, { signal: waking }).catch(() => undefined)
    }
  }
  const running = loop()
  return {
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

async function nextLook({ db, clock }: DigestParts): Promise<number> {
  const digests = (await listDigests(db)).filter(({ isEnabled }) => isEnabled)
  const now = clock.now()
  const times = digests.map(nextDigestTime).filter((at) => at !== undefined)
  return Math.max(now + LEAST_MS, Math.min(now + HOUR_MS, ...times))
}
