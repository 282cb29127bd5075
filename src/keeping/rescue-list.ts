/**
 * What there is to rescue: files that upstream replaced and kept generations still name. It follows from what the database
 * holds, so that a restart goes on where it was; since when each is missing is written down on the way.
 */
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { missingFiles } from '../channels/missing-files.ts'
import { forgetMissing, listMissing, noteMissing } from '../channels/missing-table.ts'

export interface RescueFile {
  readonly sha256: Sha256
  readonly size: number
  /** Where it may still be had from. */
  readonly archive: string
  /** Epoch milliseconds. */
  readonly since: number
  /** When no URL had it, last: it is lost, and asked for again now and then. */
  readonly goneAt?: number | undefined
}

export interface RescueList {
  /** Those that went missing first come first, of these the small ones. */
  readonly files: readonly RescueFile[]
  /** Files found missing just now that nobody tries to rescue. */
  readonly givenUp: number
}

type ListParts = Pick<ChannelParts, 'db' | 'blobs' | 'clock' | 'ledger'>

/** All files to rescue, and those that were gone when they were asked for last. */
export async function listRescues(
  parts: ListParts,
  signal: AbortSignal | undefined,
): Promise<RescueList> {
  const now = parts.clock.now()
  const files: RescueFile[] = []
  const fresh: Sha256[] = []
  let givenUp = 0
  const old = await parts.ledger.look(
    async (books) => {
      const rows = await listMissing(parts.db)
      for (const [file, { rescueFrom }] of await missingFiles(parts, books)) {
        const sha256 = books.files.sha256Of(file)
        const row = rows.get(sha256)
        rows.delete(sha256)
        if (row === undefined) fresh.push(sha256)
        if (row === undefined && rescueFrom === undefined) givenUp++
        if (rescueFrom === undefined) continue
        const { since = now, goneAt } = row ?? {}
        files.push({ sha256, size: books.files.sizeOf(file), archive: rescueFrom, since, goneAt })
      }
      return [...rows.keys()]
    },
    { signal },
  )
  await noteMissing(parts.db, fresh, now)
  await forgetMissing(parts.db, old)
  files.sort((a, b) => a.since - b.since || a.size - b.size)
  return { files, givenUp }
}
