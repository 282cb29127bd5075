/**
 * Origins that no chunk names any more, or whose archive is gone.
 *
 * An origin that is known already is not written again when a chunk that names it is (origins.ts). So those are deleted
 * only in a transaction in which the newest chunk is still the one whose names were read last: a chunk comes with its
 * origins, or after those that are still there (chunk-batch.ts), and while this goes on no chunk is deleted.
 */
import { listArchives } from '../archives/archive-table.ts'
import { lastChunkId, listChunks } from '../archives/chunk-removal.ts'
import { deleteOrigins, listOrigins, type OriginKey } from '../archives/origins.ts'
import { crashPoint } from '../base/fault.ts'
import { breathe } from '../base/mutex.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Db, inTransaction } from '../store/database.ts'
import { type ChunkNames, filesOf } from './gc-names.ts'

const PAGE = 1000
const CHUNKS_AT_ONCE = 100
const REMOVED_AT_ONCE = 200

/** How many there are. */
export async function countOrphans(
  parts: ChannelParts,
  names: ChunkNames,
  signal: AbortSignal | undefined,
): Promise<number> {
  let count = 0
  for await (const page of orphans(parts, names, signal)) count += page.length
  return count
}

/** Deletes them; `note` is told how many in each transaction. */
export async function removeOrphans(
  parts: ChannelParts,
  names: ChunkNames,
  note: (trx: Db, count: number) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let last = await readNames(parts, names, 0)
  for await (const page of orphans(parts, names, signal)) {
    for (let at = 0; at < page.length; at += REMOVED_AT_ONCE) {
      const some = page.slice(at, at + REMOVED_AT_ONCE)
      for (let isDone = false; !isDone; ) {
        const free = some.filter(({ sha256, isForeign }) => isForeign || !names.has(sha256))
        isDone = await parts.leases.deleting(() => remove(parts, free, last, note))
        if (!isDone) last = await readNames(parts, names, last)
      }
      await breathe()
    }
  }
}

interface Orphan extends OriginKey {
  /** Its archive is gone: nobody can ask there any more. */
  readonly isForeign: boolean
}

async function* orphans(
  parts: ChannelParts,
  names: ChunkNames,
  signal: AbortSignal | undefined,
): AsyncIterable<Orphan[]> {
  const archives = await archiveIds(parts.db)
  for (let after: OriginKey | undefined; ; ) {
    signal?.throwIfAborted()
    const page = await listOrigins(parts.db, after, PAGE)
    yield page.flatMap((origin) => {
      const isForeign = !archives.has(origin.archiveId)
      return isForeign || !names.has(origin.sha256) ? [{ ...origin, isForeign }] : []
    })
    after = page.at(-1) ?? after
    if (page.length < PAGE) return
    await breathe()
  }
}

/** False if there is a chunk that is newer than `last`. */
function remove(
  { db }: ChannelParts,
  origins: readonly Orphan[],
  last: number,
  note: (trx: Db, count: number) => Promise<void>,
): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    if ((await lastChunkId(trx)) !== last) return false
    const archives = await archiveIds(trx)
    // One that was added since is no stranger.
    const gone = origins.filter(
      ({ isForeign, archiveId }) => !isForeign || !archives.has(archiveId),
    )
    await deleteOrigins(trx, gone)
    await note(trx, gone.length)
    crashPoint('gc: origins, before the commit')
    return true
  })
}

async function archiveIds(db: Db): Promise<Set<number>> {
  return new Set((await listArchives(db)).map((archive) => archive.id))
}

/** Adds the names of chunks behind `after` that were not read yet; the id of the last chunk. */
async function readNames(parts: ChannelParts, names: ChunkNames, after: number): Promise<number> {
  let last = after
  for (;;) {
    const page = await listChunks(parts.db, last, CHUNKS_AT_ONCE)
    for (const chunk of page) {
      if (!names.chunks.add(chunk.plain)) continue
      for (const digest of await filesOf(parts, chunk)) names.add(digest)
    }
    last = page.at(-1)?.id ?? last
    if (page.length < CHUNKS_AT_ONCE) return last
    await breathe()
  }
}
