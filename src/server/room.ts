/**
 * Room on the disk and what lies there, as the server keeps it: the size limit is watched, blobs are read again now and
 * then, and what was done and what is wrong are told.
 */
import type { Log } from '../base/log.ts'
import { createScrub, type ScrubStatus } from '../keeping/scrub.ts'
import { createSizeLimit, fullWords } from '../keeping/size-limit.ts'
import { blobTotals } from '../store/blob-lists.ts'
import { measureRoom, type Room } from '../store/disk-reserve.ts'
import type { ServerParts } from './parts.ts'

/** An eviction waits for a promotion that was begun before, and nobody waits so long for it. */
const SETTLE_MS = 10_000

/** Figures since the start of the server, and as it is now. */
export interface RoomStatus extends Room {
  readonly fileBytes: number
  /** What the database keeps of blobs. */
  readonly rowBytes: number
  /** The setting. */
  readonly maxBytes?: number | undefined
  readonly evictedFiles: number
  readonly evictedBytes: number
  /** Why the limit is not kept, or files are not. */
  readonly problem?: string | undefined
  readonly scrub: ScrubStatus
}

export interface RoomKeeper {
  status(): Promise<RoomStatus>
  /** Resolves when the limit is kept, or it was tried, or others have been at work for too long. */
  settle(): Promise<void>
  stop(): Promise<void>
}

/** Begins to watch, and adds to the metrics. */
export function startRoom(parts: ServerParts, log: Log): RoomKeeper {
  const limit = createSizeLimit(parts, parts.config.maxSizeBytes, log)
  // What cannot come again does not go.
  if (!parts.config.offline) limit.start()
  const scrub = createScrub(parts, log, { days: parts.config.scrubDays })
  scrub.start()
  const status = async (): Promise<RoomStatus> => {
    const room = await measureRoom(parts.blobs)
    const { fileBytes, rowBytes } = await blobTotals(parts.db)
    return {
      ...room,
      ...{ fileBytes, rowBytes },
      maxBytes: limit.maxBytes,
      evictedFiles: limit.evicted.files,
      evictedBytes: limit.evicted.bytes,
      problem: limit.problem ?? fullWords(room),
      scrub: await scrub.status(),
    }
  }
  parts.metrics.addGauge({
    name: 'room_bytes',
    help: 'Files of the store, their limit, what is free on its disk and what of that is to stay so; -1 is no limit',
    label: 'what',
    read: async () => {
      const { fileBytes, maxBytes = -1, freeBytes, reserveBytes } = await status()
      return Object.entries({
        files: fileBytes,
        limit: maxBytes,
        free: freeBytes,
        reserve: reserveBytes,
      })
    },
  })
  parts.metrics.addGauge({
    name: 'evicted',
    help: 'Evicted to keep the size limit, since the start: files and bytes',
    label: 'what',
    read: async () => Object.entries(limit.evicted),
  })
  parts.metrics.addGauge({
    name: 'scrub',
    help: 'The pass through all blobs: bytes read, damaged, lost, when it began and ended (seconds)',
    label: 'what',
    read: async () => scrubFigures(await scrub.status()),
  })
  const stop = async (): Promise<void> => {
    await Promise.all([limit.stop(), scrub.stop()])
  }
  const settle = (): Promise<void> => limit.settle({ signal: AbortSignal.timeout(SETTLE_MS) })
  return { status, settle, stop }
}

/** The same in figures; none before the server has started. */
export function roomFigures(status: RoomStatus | undefined): Record<string, number> {
  if (status === undefined) return {}
  const { fileBytes, rowBytes, maxBytes, reserveBytes, evictedFiles, evictedBytes } = status
  const { bytes = 0, damaged = 0, lost = 0 } = status.scrub
  return {
    ...(maxBytes === undefined ? {} : { limitBytes: maxBytes }),
    ...{ reserveBytes, evictedFiles, evictedBytes },
    ...{ scrubbedBytes: bytes, ofBytes: fileBytes + rowBytes },
    ...{ foundDamaged: damaged, foundLost: lost },
  }
}

function scrubFigures(status: ScrubStatus): (readonly [string, number])[] {
  const { bytes = 0, damaged = 0, lost = 0, beganAt, endedAt } = status
  const seconds = (at: number | undefined): number => Math.floor((at ?? 0) / 1000)
  return Object.entries({
    ...{ bytes, damaged, lost },
    ...{ began_at: seconds(beganAt), ended_at: seconds(endedAt) },
  })
}
