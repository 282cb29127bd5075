/**
 * Sees to it that local archives are tidied: when the time of a package is over, and when an archive is to keep fewer versions.
 * What is to be done is done with the next round of uploads (upload-follow.ts), which this begins. What ended while the server
 * was off is found at the start, or within a minute.
 */

import type { ArchiveParts } from '../archives/archive-parts.ts'
import { listArchives } from '../archives/archive-table.ts'
import { createBell } from '../archives/bell.ts'
import { onChange } from '../archives/changes.ts'
import { listUntidy } from '../archives/unpublish.ts'
import { firstEnd } from '../archives/upload-ends.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

const HOUR_MS = 3600_000
/** By the machine's own timer, whatever its clock does meanwhile. */
const LOOK_AGAIN_MS = 60_000

type JobParts = Pick<ArchiveParts, 'db' | 'clock' | 'revocations'>
type Note = (archive: string) => void

export interface UploadEnds {
  /** Something ends at another time. */
  wake(): void
  stop(): Promise<void>
}

/** Starts it; `note` is told of archives that are to be tidied. */
export function startUploadEnds(parts: JobParts, note: Note, log: Log): UploadEnds {
  const { clock } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  const bell = createBell()
  const endListening = onChange(bell.ring)
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      const round = new AbortController()
      const isOver = AbortSignal.any([signal, round.signal])
      // Before looking: what changes while this looks is seen by the next look.
      const rung = bell.wait(isOver)
      const until = await look(parts, note).catch((error: unknown) => {
        const { code, message } = toAppError(error)
        if (!signal.aborted) log.error({ code, problem: message }, 'uploads not looked at')
        return clock.now() + LOOK_AGAIN_MS
      })
      const waking = AbortSignal.any([isOver, AbortSignal.timeout(LOOK_AGAIN_MS)])
      await Promise.race([rung, clock.until(until, { signal: waking }).catch(() => undefined)])
      round.abort()
    }
  }
  const running = loop()
  return {
    wake: bell.ring,
    stop: async () => {
      stopping.abort()
      endListening()
      await running
    },
  }
}

/** Has what is untidy tidied; says when something ends next. */
async function look(parts: JobParts, note: Note): Promise<number> {
  const { db, clock } = parts
  for (const archive of await listArchives(db)) {
    if (archive.settings.kind !== 'local') continue
    const { over, older } = await listUntidy(parts, archive)
    if (over.length + older.length > 0) note(archive.name)
  }
  const first = (await firstEnd(db)) ?? Number.POSITIVE_INFINITY
  const now = clock.now()
  // What is over already is being seen to.
  return first <= now ? now + LOOK_AGAIN_MS : Math.min(now + HOUR_MS, first)
}
