/**
 * What happens behind a client that asks for an index of a learned suite: it is fetched, though the client may go away; it
 * is noted that it is asked for, so that it is fetched ahead with the next Release; and what it names is remembered.
 */
import type { Downloads } from '../archives/download.ts'
import { indexForms } from '../archives/fetch-index.ts'
import type { Clock } from '../base/clock.ts'
import { isAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { createMutex, type Mutex } from '../base/mutex.ts'
import type { Release, ReleaseFile } from '../debian/release.ts'
import type { BlobStore } from '../store/blobs.ts'
import { learnedUrls } from './learned-place.ts'
import type { LearnedSuites } from './learned-suites.ts'
import {
  type LearnedFacts,
  type LearnedState,
  type LearnedSuite,
  type SuitePlace,
  stateKey,
} from './learned-table.ts'
import { makePathTable, namesFiles } from './path-table.ts'

const DAY_MS = 24 * 3600_000
const MOST_ASKED = 64

export interface IndexParts {
  readonly blobs: BlobStore
  readonly downloads: Pick<Downloads, 'fetch'>
  readonly clock: Clock
  readonly suites: LearnedSuites
  /** Upstream has another file than the Release that is here says. */
  readonly onMoved: (place: SuitePlace) => void
}

/** An index file, and the Release that names it. */
export interface NamedIndex {
  readonly release: Release
  readonly file: ReleaseFile
}

export interface LearnedIndexes {
  /** A client asked for this file of that state. */
  want(suite: LearnedSuite, state: LearnedState, index: NamedIndex): void
  /** What this file of that state names is to be remembered. */
  wantTable(place: SuitePlace, state: LearnedState, index: NamedIndex): void
  /** Resolves when the file is in the store. */
  fetch(place: SuitePlace, index: NamedIndex): Promise<void>
  /** Resolves when what is under way for this host is done; undefined if nothing is. */
  pending(origin: string): Promise<unknown> | undefined
  /** Days since 1970. */
  today(): number
  close(): Promise<void>
}

interface State extends IndexParts {
  readonly works: Map<string, { readonly origin: string; readonly done: Promise<void> }>
  readonly stop: AbortController
  /** One index is unpacked at a time. */
  readonly alone: Mutex
}

/** Nothing under way. */
export function createLearnedIndexes(parts: IndexParts): LearnedIndexes {
  const state: State = {
    ...parts,
    works: new Map(),
    stop: new AbortController(),
    alone: createMutex(),
  }
  return {
    want: (suite, of, index) => want(state, suite, of, index),
    wantTable: (place, of, index) => wantTable(state, place, of, index),
    fetch: (place, index) => fetchFile(state, place, index),
    pending: (origin) => {
      const own = [...state.works.values()].filter((work) => work.origin === origin)
      return own.length === 0 ? undefined : Promise.all(own.map(({ done }) => done))
    },
    today: () => dayOf(state),
    close: async () => {
      state.stop.abort()
      await Promise.allSettled([...state.works.values()].map(({ done }) => done))
    },
  }
}

async function fetchFile(
  { blobs, downloads, stop }: State,
  place: SuitePlace,
  { release, file }: NamedIndex,
): Promise<void> {
  const { sha256, size, path } = file
  if (await blobs.has(sha256)) return
  const wanted = { sha256, size, label: `${place.origin}/${place.base} ${place.suite} ${path}` }
  const source = { urls: learnedUrls(place, release, file) }
  await downloads.fetch(wanted, source, { signal: stop.signal })
}

function want(
  state: State,
  suite: LearnedSuite,
  of: LearnedState,
  { release, file }: NamedIndex,
): void {
  // Who has the last index takes what changed since (pdiffs), and goes on to ask for what the new one names.
  const plain = /^(.*\/Packages)\.diff\/Index$/.exec(file.path)?.[1]
  const [whole] = plain === undefined ? [] : indexForms(release, plain)
  if (whole !== undefined) want(state, suite, of, { release, file: whole })
  if (file.size === 0) return
  const isNoted = of.files[file.path] === file.sha256 && suite.asked[file.path] === dayOf(state)
  if (!isNoted) {
    work(state, suite, `note ${file.sha256}`, async () => {
      try {
        await fetchFile(state, suite, { release, file })
      } catch (error) {
        if (of === suite.states[0] && isMoved(error)) state.onMoved(suite)
        throw error
      }
      await note(state, suite, of, file)
    })
  }
  wantTable(state, suite, of, { release, file })
}

/** What the index names is remembered. */
function wantTable(
  state: State,
  suite: SuitePlace,
  of: LearnedState,
  { release, file }: NamedIndex,
): void {
  const { path, sha256 } = file
  if (!namesFiles(path) || of.tables[sha256] !== undefined) return
  work(state, suite, `table ${sha256}`, async () => {
    await fetchFile(state, suite, { release, file })
    await state.alone(async () => {
      const table = await makePathTable(state.blobs, { path, sha256 }, state.stop)
      crashPoint('learning: table made, not named')
      await state.suites.change(suite, (now) => {
        const names = ({ files }: LearnedState): boolean => Object.values(files).includes(sha256)
        return inStates(now, names, ({ tables }) => ({ tables: { ...tables, [sha256]: table } }))
      })
    })
  })
}

/** Whether it says that upstream published anew. */
function isMoved(error: unknown): boolean {
  if (isAppError(error, 'ERR_UPSTREAM_STATUS')) return error.details?.status === 404
  return isAppError(error, 'ERR_DIGEST_MISMATCH') || isAppError(error, 'ERR_SIZE_MISMATCH')
}

function dayOf({ clock }: State): number {
  return Math.floor(clock.now() / DAY_MS)
}

/** Work behind a client's back, once at a time. What fails comes again with the next who asks. */
function work(
  { works, stop }: State,
  { origin }: SuitePlace,
  what: string,
  todo: () => Promise<void>,
): void {
  const key = `${origin} ${what}`
  if (works.has(key) || stop.signal.aborted) return
  const done = todo()
    .catch(() => undefined)
    .finally(() => works.delete(key))
  works.set(key, { origin, done })
}

async function note(
  state: State,
  suite: LearnedSuite,
  of: LearnedState,
  { path, sha256 }: ReleaseFile,
): Promise<void> {
  const key = stateKey(of)
  await state.suites.change(suite, (now) => {
    if (now === undefined) return undefined
    const isRoom = path in now.asked || Object.keys(now.asked).length < MOST_ASKED
    if (!isRoom) return undefined
    const asked = { ...now.asked, [path]: dayOf(state) }
    const isIt = (one: LearnedState): boolean => stateKey(one) === key
    return inStates({ ...now, asked }, isIt, ({ files }) => ({
      files: { ...files, [path]: sha256 },
    }))
  })
}

function inStates(
  suite: LearnedSuite | undefined,
  isMeant: (state: LearnedState) => boolean,
  change: (state: LearnedState) => Partial<LearnedState>,
): LearnedFacts | undefined {
  return (
    suite && {
      ...suite,
      states: suite.states.map((one) => (isMeant(one) ? { ...one, ...change(one) } : one)),
    }
  )
}
