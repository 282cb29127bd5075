/**
 * How many of the files that generations name are held, reachable and lost, each file once; and which are lost.
 */
import type { IndexParts } from '../archives/index-parts.ts'
import { type Books, chunksOf, type GenerationFiles } from '../channels/file-ledger.ts'
import { missingFiles } from '../channels/missing-files.ts'
import { type FoundFile, findFiles } from './find-files.ts'

export interface Amount {
  readonly files: number
  readonly bytes: number
}

/** `rescuing` is a part of `reachable`: replaced upstream, not yet here. */
export interface FileCounts {
  readonly held: Amount
  readonly reachable: Amount
  readonly rescuing: Amount
  readonly lost: Amount
}

export interface LostFile extends FoundFile {
  /** Epoch milliseconds, where that is written down yet. */
  readonly since?: number | undefined
  /** What its URLs said when they were asked last; absent if nobody asks them. */
  readonly said?: string | undefined
}

/** Counts over these generations; what is withdrawn is none of these. */
export async function countFiles(
  parts: Pick<IndexParts, 'db' | 'blobs'>,
  books: Books,
  generations: readonly GenerationFiles[],
): Promise<FileCounts> {
  const missing = await missingFiles(parts, books)
  const seen = new Uint8Array(books.files.count)
  const { withdrawn } = parts.blobs
  const areSome = withdrawn.size > 0
  const counts = { held: zero(), reachable: zero(), rescuing: zero(), lost: zero() }
  for (const { files } of chunksOf(generations.flatMap(({ suites }) => suites))) {
    for (const file of files) {
      if (seen[file] === 1) continue
      seen[file] = 1
      const one = missing.get(file)
      const isHeld = books.isHeld(file)
      if (!isHeld && areSome && withdrawn.has(books.files.sha256Of(file))) continue
      const state = isHeld ? 'held' : one?.isLost === true ? 'lost' : 'reachable'
      add(counts[state], books.files.sizeOf(file))
      if (one?.isLost === false) add(counts.rescuing, books.files.sizeOf(file))
    }
  }
  return counts
}

function zero(): { files: number; bytes: number } {
  return { files: 0, bytes: 0 }
}

function add(sum: { files: number; bytes: number }, bytes: number): void {
  sum.files += 1
  sum.bytes += bytes
}

/** The lost files of these generations, by package; at most `limit` of them. */
export async function listLost(
  parts: IndexParts,
  books: Books,
  generations: readonly GenerationFiles[],
  limit: number,
): Promise<LostFile[]> {
  const missing = await missingFiles(parts, books)
  if (missing.size === 0) return []
  const isLost = (file: number): boolean => missing.get(file)?.isLost === true
  const found = await findFiles(parts, books, { generations, isWanted: isLost, limit })
  return found.map((one) => {
    const { row, rescueFrom } = missing.get(one.file) ?? {}
    return { ...one, since: row?.since, said: rescueFrom === undefined ? undefined : row?.said }
  })
}
