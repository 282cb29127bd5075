/**
 * Chunks on their way to the database, with the origins of what they name. Digests come in no order, so that a transaction
 * writes to most pages of their table: few large ones cost a fifth of many small ones. Between statements others get
 * their turn. Where crash points are counted, transactions are small.
 */
import { crashPoint, hasCrashPlan } from '../base/fault.ts'
import { breathe } from '../base/mutex.ts'
import { inTransaction } from '../store/database.ts'
import { type ChangeCount, countChanges } from './changes.ts'
import { addChunks, type NewChunk } from './chunk-table.ts'
import type { IndexParts } from './index-parts.ts'
import { CHUNKS_TOGETHER } from './make-chunks.ts'
import { addOrigins, newOrigins, type Origin } from './origins.ts'

/** Written in one transaction. */
const BATCH_CHUNKS = 8 * CHUNKS_TOGETHER
/** Written in one statement, which takes some 10 ms. */
const ORIGINS_TOGETHER = 1500

/** What is written in a while. */
export interface ChunkBatch {
  /** Where the files of chunks come from that are being made: written with them. */
  addOrigins(origins: readonly Omit<Origin, 'archiveId'>[]): Promise<void>
  add(chunks: readonly NewChunk[]): Promise<void>
  /** Writes what waits. */
  flush(): Promise<void>
}

/** A batch for `expected` chunks that are made of what this archive has. */
export function createChunkBatch(
  parts: IndexParts,
  archiveId: number,
  expected: number,
): ChunkBatch {
  const limit = hasCrashPlan() ? CHUNKS_TOGETHER : BATCH_CHUNKS
  let chunks: NewChunk[] = []
  let origins: Omit<Origin, 'archiveId'>[] = []
  // Those of them that were not known when they were looked for, and how often the table had been written to by then.
  let fresh: Omit<Origin, 'archiveId'>[] = []
  let writes: ChangeCount | undefined
  const flush = async (): Promise<void> => {
    if (chunks.length === 0) return
    const someChunks = chunks
    chunks = []
    await inTransaction(parts.db, async (trx) => {
      // A collection may have found that no chunk names them (gc-origins.ts): this is the transaction in which they have one.
      const wanted = countChanges('origins') === writes ? fresh : origins
      origins = []
      fresh = []
      writes = undefined
      for (const some of slices(wanted.sort(byDigest), ORIGINS_TOGETHER)) {
        await addOrigins(trx, archiveId, some)
        await breathe()
      }
      for (const some of slices(someChunks, CHUNKS_TOGETHER)) {
        await addChunks(trx, some)
        await breathe()
      }
      crashPoint('refresh: chunks, before the commit')
    })
    crashPoint('refresh: chunks written')
  }
  return {
    flush,
    addOrigins: async (more) => {
      origins.push(...more)
      // Where few chunks are made, in one transaction at the end, most of these are known: they are looked for while threads compress.
      if (expected > limit) return
      writes ??= countChanges('origins')
      for (const some of slices(more.toSorted(byDigest), ORIGINS_TOGETHER)) {
        fresh.push(...(await newOrigins(parts.db, archiveId, some)))
        await breathe()
      }
    },
    add: async (more) => {
      chunks.push(...more)
      if (chunks.length >= limit) await flush()
    },
  }
}

function byDigest(a: Pick<Origin, 'sha256'>, b: Pick<Origin, 'sha256'>): number {
  return a.sha256 < b.sha256 ? -1 : 1
}

/** The items in pieces of this size. */
export function slices<Item>(items: readonly Item[], size: number): Item[][] {
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, nth) => items.slice(nth * size, (nth + 1) * size))
}
