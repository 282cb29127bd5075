/**
 * Which files the kept generations of all channels name, and which of them are here: every file is
 *
 *   held       its blob is here
 *   listed     a suite of somebody else's archive names it now: upstream has it
 *   missing    neither: it is lost, unless it can still be rescued (superseded.ts)
 *
 * Figures are made when they are asked for, from what the database holds then; they cost what changed since they were made
 * last, and one walk over the digests of all blobs. Whoever looks has the books for himself, and nothing waits for him but
 * others who want to look.
 */
import { type Archive, listArchives, listSuites } from '../archives/archive-table.ts'
import type { IndexParts } from '../archives/index-parts.ts'
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import { breathe, createMutex } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { readDigests } from '../store/blob-lists.ts'
import { changeCount } from '../store/database.ts'
import { type Channel, listChannels } from './channel-table.ts'
import type { FileSet } from './file-set.ts'
import { listKeptSuites } from './generation-table.ts'
import {
  type ChunkFiles,
  createNamedFiles,
  type IndexFiles,
  type NamedFiles,
} from './named-files.ts'

/** One suite of a generation, or of an archive as it is now. */
export interface SuiteFiles {
  readonly archive: string
  readonly suite: string
  readonly indexes: readonly IndexFiles[]
}

/** A generation that is kept. */
export interface GenerationFiles {
  readonly channel: Channel
  readonly serial: number
  readonly suites: readonly SuiteFiles[]
}

/** The books as they are while one looks at them; files are known by their numbers. */
export interface Books {
  readonly files: FileSet
  isHeld(file: number): boolean
  isListed(file: number): boolean
  readonly archives: readonly Archive[]
  /** Suites of archives as upstream has them, as far as they were ever refreshed. */
  readonly current: readonly SuiteFiles[]
  /** All channels, with their generations, oldest first. */
  readonly generations: readonly GenerationFiles[]
  /** False where a state could not be read: then there may be files that are named and not in here. */
  readonly isWhole: boolean
}

export interface FileLedger {
  /** Brings the books up to date and has `work` look at them; one at a time. */
  look<T>(work: (books: Books) => T | Promise<T>, abortable?: Abortable): Promise<T>
}

const HELD = 1
const LISTED = 2
const PAGE = 4000
const DIGEST_BYTES = 32

/** A ledger that reads nothing before somebody looks. */
export function createFileLedger(parts: IndexParts): FileLedger {
  const oneAtATime = createMutex()
  const named = createNamedFiles(parts)
  let mark = -1
  let books: Books | undefined
  return {
    look: (work, { signal } = {}) =>
      oneAtATime(async () => {
        const count = await changeCount(parts.db)
        if (books === undefined || count !== mark) {
          books = undefined
          books = await makeBooks(parts, named, signal)
          mark = count
        }
        return work(books)
      }),
  }
}

async function makeBooks(
  parts: IndexParts,
  named: NamedFiles,
  signal: AbortSignal | undefined,
): Promise<Books> {
  const states = new Set<Sha256>()
  const reader = wholeReader(named, signal)
  const archives = await listArchives(parts.db)
  const current: SuiteFiles[] = []
  for (const archive of archives) {
    for (const { suite, state } of await listSuites(parts.db, archive)) {
      const indexes = state && (await reader.read(state))
      if (state === undefined || indexes === undefined) continue
      states.add(state)
      current.push({ archive: archive.name, suite, indexes })
    }
  }
  const generations: GenerationFiles[] = []
  for (const channel of await listChannels(parts.db)) {
    generations.push(...(await readGenerations(parts, reader, channel, states)))
  }
  named.keep(states)
  const flags = new Uint8Array(named.files.count)
  const others = archives.filter(({ settings }) => settings.kind !== 'local')
  const isOthers = new Set(others.map(({ name }) => name))
  for (const chunk of chunksOf(current.filter(({ archive }) => isOthers.has(archive)))) {
    for (const file of chunk.files) flags[file] = LISTED
  }
  await markHeld(parts, named.files, flags)
  return {
    files: named.files,
    isHeld: (file) => ((flags[file] ?? 0) & HELD) !== 0,
    isListed: (file) => ((flags[file] ?? 0) & LISTED) !== 0,
    archives,
    current,
    generations,
    isWhole: reader.isWhole(),
  }
}

async function readGenerations(
  parts: IndexParts,
  { read }: WholeReader,
  channel: Channel,
  states: Set<Sha256>,
): Promise<GenerationFiles[]> {
  const made = new Map<number, SuiteFiles[]>()
  for (const { serial, archive, suite, state } of await listKeptSuites(parts.db, channel.id)) {
    const suites = made.get(serial) ?? []
    made.set(serial, suites)
    const indexes = await read(state)
    if (indexes === undefined) continue
    suites.push({ archive, suite, indexes })
    states.add(state)
  }
  return [...made].map(([serial, suites]) => ({ channel, serial, suites }))
}

interface WholeReader {
  /** Undefined for a state that went with its generation meanwhile, or is damaged, which `sluice verify` tells. */
  read(state: Sha256): Promise<readonly IndexFiles[] | undefined>
  /** Whether all that were asked for could be read. */
  isWhole(): boolean
}

function wholeReader(named: NamedFiles, signal: AbortSignal | undefined): WholeReader {
  let isWhole = true
  return {
    isWhole: () => isWhole,
    read: async (state) => {
      try {
        return await named.read(state, signal)
      } catch (error) {
        if (!isAppError(error) || isAppError(error, 'ERR_INTERRUPTED')) throw error
        isWhole = false
        return undefined
      }
    },
  }
}

async function markHeld(parts: IndexParts, files: FileSet, flags: Uint8Array): Promise<void> {
  let after: Buffer = Buffer.alloc(0)
  for (;;) {
    const page = await readDigests(parts.db, after, PAGE)
    for (let at = 0; at < page.length; at += DIGEST_BYTES) {
      const file = files.find(page, at)
      if (file >= 0) flags[file] = (flags[file] ?? 0) | HELD
    }
    if (page.length < PAGE * DIGEST_BYTES) return
    after = page.subarray(page.length - DIGEST_BYTES)
    await breathe()
  }
}

/** The chunks that these suites consist of, each once. */
export function chunksOf(suites: Iterable<SuiteFiles>): Set<ChunkFiles> {
  const leaves = new Set<readonly ChunkFiles[]>()
  const indexes = new Set<readonly (readonly ChunkFiles[])[]>()
  const chunks = new Set<ChunkFiles>()
  for (const suite of suites) for (const index of suite.indexes) indexes.add(index.leaves)
  for (const index of indexes) for (const leaf of index) leaves.add(leaf)
  for (const leaf of leaves) for (const chunk of leaf) chunks.add(chunk)
  return chunks
}
