/**
 * What the server does for uploads by itself: channels follow them, and those that nobody goes on with are removed.
 */
import type { Log } from '../base/log.ts'
import type { ServerParts } from './parts.ts'
import { type Schedule, startSchedule } from './schedule.ts'

const LOOK_MS = 3600_000
const RETRY_MS = 2 * 60_000
/** So long after its last byte an upload counts as given up. */
const GIVEN_UP_MS = 24 * 3600_000

/** Starts it. */
export function startUploads(parts: ServerParts, log: Log): Pick<Schedule, 'stop'> {
  parts.uploadFollow.start(parts, log)
  const sweep = startSchedule(parts.clock, log, {
    name: 'uploads',
    firstInMs: 0,
    everyMs: LOOK_MS,
    retryMs: RETRY_MS,
    work: async () => {
      const left = await parts.partFiles.sweep(parts.clock.now() - GIVEN_UP_MS)
      if (left > 0) log.warn({ uploads: left }, 'uploads that never came to their end were removed')
      return true
    },
  })
  return {
    stop: async () => {
      await Promise.all([sweep.stop(), parts.uploadFollow.stop()])
    },
  }
}
