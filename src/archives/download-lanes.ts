/**
 * Which downloads may begin. A client's burst of requests is a hint what to fetch, and its files begin to come before their
 * turn; but what is asked for ahead takes no more than some of a mirror's connections, in the order of asking, so that
 * whoever waits for a file right now finds one free.
 */

import { type Bell, createBell } from './bell.ts'
import type { Job } from './download-job.ts'

/** Of what is asked for ahead, from one server at a time: of the 64 connections that there can be to each. */
const MOST_AHEAD = 8

export interface Lanes {
  /**
   * Resolves when the job may begin: at once if somebody waits for it, or begins to. Call what it gives when it has ended.
   * An abort of the signal ends the waiting, too.
   */
  enter(job: Job, url: string | undefined, signal: AbortSignal): Promise<() => void>
}

interface Lane {
  ahead: number
  readonly bell: Bell
}

/** All lanes are free. */
export function createLanes(): Lanes {
  const lanes = new Map<string, Lane>()
  return {
    enter: async (job, url, signal) => {
      const origin = URL.parse(url ?? '')?.origin ?? ''
      const lane = lanes.get(origin) ?? { ahead: 0, bell: createBell() }
      lanes.set(origin, lane)
      while (!job.isUrgent && lane.ahead >= MOST_AHEAD && !signal.aborted) {
        await eitherRings(job.bell, lane.bell, signal)
      }
      if (job.isUrgent) return () => undefined
      lane.ahead += 1
      return () => {
        lane.ahead -= 1
        lane.bell.ring()
      }
    },
  }
}

async function eitherRings(one: Bell, other: Bell, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const both = AbortSignal.any([signal, over.signal])
  await Promise.race([one.wait(both), other.wait(both)])
  over.abort()
}

/** Says that somebody waits for this file right now. */
export function hurry(job: Job): void {
  if (job.isUrgent) return
  job.isUrgent = true
  job.bell.ring()
}
