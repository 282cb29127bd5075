/**
 * What the server does for uploads by itself: channels follow them, the watched folder is looked at, and those that nobody goes on
 * with are removed.
 */
import type { Log } from '../base/log.ts'
import { takeIncoming } from './incoming.ts'
import type { ServerParts } from './parts.ts'
import { type Schedule, startSchedule } from './schedule.ts'

const LOOK_MS = 3600_000
const INCOMING_LOOK_MS = 2000
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
  const { incoming } = parts.config
  const watch =
    incoming === undefined
      ? []
      : [
          startSchedule(parts.clock, log, {
            name: 'incoming',
            firstInMs: 0,
            everyMs: INCOMING_LOOK_MS,
            retryMs: INCOMING_LOOK_MS,
            work: (signal) => takeIncoming(parts, incoming, log, { signal }),
          }),
        ]
  return {
    stop: async () => {
      await Promise.all([sweep, ...watch, parts.uploadFollow].map((one) => one.stop()))
    },
  }
}
