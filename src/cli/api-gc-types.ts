/**
 * What the API answers about collections.
 */
import type { GcReport } from '../keeping/gc.ts'
import type { GcRun } from '../keeping/gc-runs.ts'
import type { RoomStatus } from '../server/room.ts'

export type { GcReport }

/** While it works. */
export interface GcEvent {
  readonly kind: 'gc'
  readonly what: string
  readonly done: number
  readonly total: number
}

export interface GcAnswer {
  /** The run that ended last, if there ever was one. */
  readonly last?: GcRun
  /** Absent before the server has started. */
  readonly room?: RoomStatus
}
