/**
 * Files that kept generations name, that are not here, and that no archive lists any more. Each is one of two:
 *
 *   to be rescued  upstream replaced it while we looked on, and did not yet say that it has it no more
 *   lost           no URL has it any more; or nobody tries: its archive or index is no longer looked at, rescue is
 *                  switched off, or so much was replaced at once that fetching it all would be for a person to say
 */
import type { IndexParts } from '../archives/index-parts.ts'
import { isSameIndex } from '../archives/suite-state.ts'
import { type Books, chunksOf, type SuiteFiles } from './file-ledger.ts'
import { listMissing, type MissingRow } from './missing-table.ts'
import type { ChunkFiles } from './named-files.ts'

export interface MissingFile {
  readonly isLost: boolean
  /** The archive that may still have it, if it is tried to get it from there, now or once a day. */
  readonly rescueFrom?: string | undefined
  /** Since when it is missing and what URLs said, where that is written down yet. */
  readonly row?: MissingRow | undefined
}

/** So many files of one suite, and at least that part of it, replaced at once are not fetched without being asked for. */
const MANY_FILES = 5000
const MANY_OF_ALL = 0.2

const known = new WeakMap<Books, Promise<ReadonlyMap<number, MissingFile>>>()

/** The missing files by their numbers. */
export function missingFiles(
  parts: Pick<IndexParts, 'db' | 'blobs'>,
  books: Books,
): Promise<ReadonlyMap<number, MissingFile>> {
  const before = known.get(books)
  if (before !== undefined) return before
  const made = findMissing(parts, books)
  known.set(books, made)
  return made
}

async function findMissing(
  { db, blobs }: Pick<IndexParts, 'db' | 'blobs'>,
  books: Books,
): Promise<ReadonlyMap<number, MissingFile>> {
  const rescueFrom = new Map<number, string | undefined>()
  for (const suites of groupBySuite(books).values()) noteSuite(books, suites, rescueFrom)
  // What was withdrawn is here for nobody, and nobody misses it.
  for (const file of rescueFrom.keys())
    if (blobs.withdrawn.has(books.files.sha256Of(file))) rescueFrom.delete(file)
  if (rescueFrom.size === 0) return new Map()
  const rows = await listMissing(db)
  const missing = new Map<number, MissingFile>()
  for (const [file, archive] of rescueFrom) {
    const row = rows.get(books.files.sha256Of(file))
    const isLost = archive === undefined || row?.goneAt !== undefined
    missing.set(file, { isLost, rescueFrom: archive, row })
  }
  return missing
}

function groupBySuite({ generations }: Books): Map<string, SuiteFiles[]> {
  const groups = new Map<string, SuiteFiles[]>()
  for (const one of generations.flatMap((generation) => generation.suites)) {
    const key = `${one.archive} ${one.suite}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return groups
}

/** Adds what is missing of one suite of one archive, in all its generations. */
function noteSuite(
  books: Books,
  suites: readonly SuiteFiles[],
  rescueFrom: Map<number, string | undefined>,
): void {
  const [first] = suites
  const now = books.current.find(
    (one) => one.archive === first?.archive && one.suite === first.suite,
  )
  const archive = books.archives.find((one) => one.name === first?.archive)
  const isWatched = (index: SuiteFiles['indexes'][number]): boolean =>
    archive?.settings.rescue !== false &&
    archive?.settings.kind !== 'local' &&
    now?.indexes.some((one) => isSameIndex(one, index)) === true
  const part = (wanted: boolean): Set<ChunkFiles> =>
    chunksOf(
      suites.map((suite) => ({
        ...suite,
        indexes: suite.indexes.filter((index) => isWatched(index) === wanted),
      })),
    )
  const replaced = missingIn(books, part(true))
  const all = now?.indexes.reduce((sum, index) => sum + index.stanzas, 0) ?? 0
  const isTooMuch = replaced.size > Math.max(MANY_FILES, all * MANY_OF_ALL)
  for (const file of replaced) {
    rescueFrom.set(file, rescueFrom.get(file) ?? (isTooMuch ? undefined : archive?.name))
  }
  for (const file of missingIn(books, part(false))) {
    if (!rescueFrom.has(file)) rescueFrom.set(file, undefined)
  }
}

function missingIn(books: Books, chunks: ReadonlySet<ChunkFiles>): Set<number> {
  const missing = new Set<number>()
  for (const { files } of chunks) {
    for (const file of files) {
      if (!books.isHeld(file) && !books.isListed(file)) missing.add(file)
    }
  }
  return missing
}
