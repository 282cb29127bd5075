/**
 * Files of learned suites as answers: indexes by the word of a Release, packages by the word of an index.
 *
 * An index that is called by name is that of the Release which the same client was given last: between its two requests
 * there may have come another one.
 */
import { type Answer, contentType } from '../archives/answer.ts'
import { countChanges } from '../archives/changes.ts'
import { indexForms } from '../archives/fetch-index.ts'
import { waitFor, withTimeout } from '../base/abortable.ts'
import { createLru, type Lru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ArchivePath } from '../debian/archive-path.ts'
import type { ReleaseFile } from '../debian/release.ts'
import type { BlobStore } from '../store/blobs.ts'
import { type Asking, createGivenStates, type GivenStates } from './given-states.ts'
import type { LearnedIndexes } from './learned-indexes.ts'
import { learnedUrls, pathsInIndexes, releaseDir, urlAt } from './learned-place.ts'
import type { LearnedSuites } from './learned-suites.ts'
import {
  type LearnedFacts,
  type LearnedState,
  type LearnedSuite,
  stateKey,
} from './learned-table.ts'
import { findPath, type NamedFile } from './path-table.ts'
import type { ReadRelease } from './read-release.ts'

/** How long a client waits for an index that is being looked into. */
const TABLES_MS = 15_000
/** The same for one that it did not ask for. */
const LIKELY_MS = 5_000
const REMEMBERED = 20_000

export interface FileParts {
  readonly blobs: BlobStore
  readonly suites: LearnedSuites
  readonly indexes: LearnedIndexes
  readonly given: GivenStates
  readonly found: Lru<string, { readonly changes: number; readonly file: NamedFile }>
}

/** What is remembered of clients and look-ups. */
export function createFileMemory(): Pick<FileParts, 'given' | 'found'> {
  return { given: createGivenStates(), found: createLru(REMEMBERED) }
}

type IndexPath = Extract<ArchivePath, { kind: 'index' | 'by-hash' }>

/** An index of the suite; undefined for what its Release does not name. */
export async function indexAnswer(
  parts: FileParts,
  suite: LearnedSuite,
  path: IndexPath,
  asking: Asking,
): Promise<Answer | undefined> {
  if (path.kind === 'by-hash') {
    for (const state of suite.states) {
      const read = await parts.suites.read(state)
      const file = read?.byDigest.get(path.digest)
      if (read !== undefined && file !== undefined)
        return fileAnswer(parts, { suite, state, read, file }, false)
    }
    return undefined
  }
  const key = parts.given.of(asking, suite)
  const state = suite.states.find((one) => stateKey(one) === key) ?? suite.states[0]
  const read = state && (await parts.suites.read(state))
  const file = read?.release.files.get(path.path)
  if (state === undefined || read === undefined || file === undefined) return undefined
  return fileAnswer(parts, { suite, state, read, file }, true)
}

interface FoundIndex {
  readonly suite: LearnedSuite
  readonly state: LearnedState
  readonly read: ReadRelease
  readonly file: ReleaseFile
}

function fileAnswer(
  { indexes }: FileParts,
  { suite, state, read: { release }, file }: FoundIndex,
  isMutable: boolean,
): Answer {
  const { sha256, size, path } = file
  indexes.want(suite, state, { release, file })
  return {
    kind: 'blob',
    sha256,
    type: contentType(path),
    isMutable,
    ...(isMutable ? { modifiedAt: state.modifiedAt } : {}),
    archive: suite.origin,
    locate: async () => ({
      wanted: { sha256, size, label: `${urlAt(suite, releaseDir(suite))} ${path}` },
      source: { urls: learnedUrls(suite, release, file) },
      archive: suite.origin,
    }),
  }
}

/** A file that an index of a learned suite on this host names; undefined if none does. */
export async function namedAnswer(
  parts: FileParts,
  origin: string,
  path: string,
  { signal }: Asking,
): Promise<Answer | undefined> {
  // An archive that is added has the say from then on.
  const count = (): number => countChanges('learned') + countChanges('archives')
  const changes = count()
  const file = await findNamed(parts, origin, path, signal)
  if (file === undefined) return undefined
  const { sha256, size } = file
  const archive = origin
  const label = path.slice(path.lastIndexOf('/') + 1)
  return {
    kind: 'blob',
    sha256,
    type: contentType(path),
    isMutable: false,
    archive,
    holds: () => count() === changes,
    locate: async () => ({
      wanted: { sha256, size, label },
      source: { urls: [urlAt({ origin }, path)] },
      archive,
    }),
  }
}

async function findNamed(
  parts: FileParts,
  origin: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<NamedFile | undefined> {
  const { found, indexes } = parts
  const changes = countChanges('learned')
  const known = found.get(`${origin}/${path}`)
  if (known?.changes === changes) return known.file
  let file = await lookUp(parts, origin, path)
  if (file === undefined) {
    // The index that names it may have come a moment ago, or not at all.
    const isAsked = indexes.pending(origin) !== undefined
    if (!isAsked) await wantLikely(parts, origin, path)
    const pending = indexes.pending(origin)
    if (pending === undefined) return undefined
    const patience = withTimeout(signal, isAsked ? TABLES_MS : LIKELY_MS)
    await waitFor(pending, patience).catch(() => undefined)
    signal?.throwIfAborted()
    file = await lookUp(parts, origin, path)
  }
  if (file !== undefined) found.set(`${origin}/${path}`, { changes, file })
  return file
}

/**
 * A client that had its indexes before this server knew of the archive does not ask for them. Those that are likely to
 * name the package are fetched, so that it can be verified, or at least the next ones.
 */
async function wantLikely(
  { suites, indexes }: FileParts,
  origin: string,
  path: string,
): Promise<void> {
  const [, architecture] = /_([a-z0-9-]+)\.deb$/.exec(path) ?? []
  if (architecture === undefined) return
  for (const suite of suites.on(origin)) {
    const [state] = suite.states
    const [rest] = suite.suite === '' ? [] : pathsInIndexes(suite, path)
    const read = state && rest !== undefined ? await suites.read(state) : undefined
    const component = /^pool\/([^/]+)\//.exec(rest ?? '')?.[1]
    if (state === undefined || read === undefined || component === undefined) continue
    const { release } = read
    const [file] = indexForms(release, `${component}/binary-${architecture}/Packages`)
    if (file !== undefined) indexes.want(suite, state, { release, file })
  }
}

/** What is newest in a suite comes first. Tables that the disk lost are forgotten, so that they are made anew. */
async function lookUp(
  { blobs, suites }: FileParts,
  origin: string,
  path: string,
): Promise<NamedFile | undefined> {
  const own = suites.on(origin).map((suite) => ({ suite, paths: pathsInIndexes(suite, path) }))
  const near = own.filter(({ paths }) => paths.length > 0)
  const depth = Math.max(0, ...near.map(({ suite }) => suite.states.length))
  const looked = new Set<Sha256>()
  const lost = new Set<Sha256>()
  let found: NamedFile | undefined
  for (let age = 0; age < depth && found === undefined; age++) {
    for (const { suite, paths } of near) {
      for (const table of Object.values(suite.states[age]?.tables ?? {})) {
        if (found !== undefined || looked.has(table)) continue
        looked.add(table)
        const file = await findFirst(blobs, table, paths)
        if (file === 'lost') lost.add(table)
        else found = file
      }
    }
  }
  if (lost.size > 0) for (const { suite } of near) await suites.change(suite, without(lost))
  return found
}

async function findFirst(
  blobs: BlobStore,
  table: Sha256,
  paths: readonly string[],
): Promise<NamedFile | 'lost' | undefined> {
  for (const path of paths) {
    const file = await findPath(blobs, table, path)
    if (file !== undefined) return file
  }
  return undefined
}

function without(lost: ReadonlySet<Sha256>) {
  return (suite: LearnedSuite | undefined): LearnedFacts | undefined =>
    suite && {
      ...suite,
      states: suite.states.map((state) => {
        const left = Object.entries(state.tables).filter(([, table]) => !lost.has(table))
        return { ...state, tables: Object.fromEntries(left) }
      }),
    }
}
