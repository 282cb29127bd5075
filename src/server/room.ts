/**
 * Room on the disk, as the server keeps it: the size limit is watched, and what was done and what is wrong are told.
 */
import type { Log } from '../base/log.ts'
import { createSizeLimit } from '../keeping/size-limit.ts'
import { blobTotals } from '../store/blob-lists.ts'
import { measureRoom, type Room } from '../store/disk-reserve.ts'
import type { ServerParts } from './parts.ts'

/** Figures since the start of the server, and as it is now. */
export interface RoomStatus extends Room {
  readonly fileBytes: number
  /** The setting. */
  readonly maxBytes?: number | undefined
  readonly evictedFiles: number
  readonly evictedBytes: number
  /** Why the limit is not kept, or files are not. */
  readonly problem?: string | undefined
}

export interface RoomKeeper {
  status(): Promise<RoomStatus>
  /** Resolves when the limit is kept, or it was tried. */
  settle(): Promise<void>
  stop(): Promise<void>
}

/** Begins to watch, and adds to the metrics. */
export function startRoom(parts: ServerParts, log: Log): RoomKeeper {
  const limit = createSizeLimit(parts, parts.config.maxSizeBytes, log)
  limit.start()
  const status = async (): Promise<RoomStatus> => {
    const room = await measureRoom(parts.blobs)
    return {
      ...room,
      fileBytes: (await blobTotals(parts.db)).fileBytes,
      maxBytes: limit.maxBytes,
      evictedFiles: limit.evicted.files,
      evictedBytes: limit.evicted.bytes,
      problem: limit.problem ?? fullWords(room),
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
  return { status, settle: limit.settle, stop: limit.stop }
}

function fullWords({ freeBytes, reserveBytes }: Room): string | undefined {
  if (freeBytes >= reserveBytes) return undefined
  const mega = (count: number): string => `${Math.ceil(count / 1e6)} MB`
  return `${mega(freeBytes)} of the disk are free where ${mega(reserveBytes)} are to be: files are handed on and not kept`
}
