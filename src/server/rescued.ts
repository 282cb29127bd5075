/**
 * What a refresh tells of the rescue that it brought about: it waits for it a little, and leaves the rest to the background.
 */
import { withTimeout } from '../base/abortable.ts'
import type { RescueTotals } from '../keeping/rescue.ts'
import type { ServerParts } from './parts.ts'

const WAIT_MS = 10_000

export interface Rescued {
  /** Fetched since. */
  readonly files: number
  readonly bytes: number
  /** Found to be lost since. */
  readonly lost: number
  /** Found to be missing since, and not to be rescued: too many at once, rescue off, an index that is no longer taken. */
  readonly givenUp: number
  /** Still to be fetched. */
  readonly leftFiles: number
  readonly leftBytes: number
  /** Why that waits. */
  readonly problem?: string | undefined
}

/** What came since `before`, at most ten seconds from now. */
export async function rescuedSince(
  { rescue }: ServerParts,
  before: RescueTotals,
  signal: AbortSignal,
): Promise<Rescued> {
  await rescue.settle({ signal: withTimeout(signal, WAIT_MS) })
  const { files, bytes, lost, givenUp } = rescue.totals
  const left = rescue.status()
  return {
    files: files - before.files,
    bytes: bytes - before.bytes,
    lost: lost - before.lost,
    givenUp: givenUp - before.givenUp,
    leftFiles: left.files,
    leftBytes: left.bytes,
    problem: left.problem?.message,
  }
}
