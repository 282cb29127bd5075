/**
 * Fetches packages for the sake of their changelogs: of each source that waits one, the smallest, and those that its links
 * lead to. Only where somebody asks for it, within bounds; packages are kept as any other, and will be wanted anyway.
 *
 * What no URL has is told by source, and the others are read all the same. A failure that may pass ends it; what was read
 * by then stays read.
 */
import { isGone } from '../archives/download.ts'
import { locate } from '../archives/locate.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, isAppError, toAppError } from '../base/errors.ts'
import { mapBounded } from '../base/mutex.ts'
import type { OpenBlob } from '../store/blobs.ts'
import { type DeskParts, listCandidates, type PendingPair } from './pending-details.ts'
import { type CandidateFilter, candidateFilter } from './pending-selection.ts'
import { type DebsKnown, lookUp, readSource, type SourceDeb, settledBy } from './read-changelogs.ts'

export interface FetchChangelogsInput extends PendingPair {
  readonly filter: CandidateFilter
  readonly onProgress?: ((progress: ChangelogProgress) => void) | undefined
}

/** Sources whose changelog was looked for; bytes of packages that were fetched for it. */
export interface ChangelogProgress {
  readonly done: number
  readonly total: number
  readonly bytes: number
}

export interface FetchedChangelogs extends ChangelogProgress {
  /** Packages that were fetched. */
  readonly packages: number
  /** Packages that were wanted and could not be had. */
  readonly problems: readonly { readonly package: string; readonly message: string }[]
}

const SOURCES_AT_ONCE = 6
const MAX_SOURCES = 5000
const MAX_PACKAGE_BYTES = 256 * 1024 ** 2
const MAX_BYTES = 2 * 1024 ** 3

/** Reads the changelogs of what waits and is asked for; `ERR_TOO_LARGE` if that is more than is fetched at once. */
export async function fetchChangelogs(
  parts: DeskParts,
  { filter, onProgress, ...pair }: FetchChangelogsInput,
  { signal }: Abortable = {},
): Promise<FetchedChangelogs> {
  const isAskedFor = candidateFilter(filter, parts.clock.now())
  const candidates = (await listCandidates(parts, pair)).filter(isAskedFor)
  const sources = await unsettled(
    parts,
    candidates.map(({ debs }) => debs),
  )
  const fetched: SourceDeb[] = []
  const problems: { package: string; message: string }[] = []
  const open = async (deb: SourceDeb): Promise<OpenBlob | undefined> => {
    const here = await parts.blobs.openFile(deb.sha256)
    if (here !== undefined) return here
    const problem = await fetchOne(parts, deb, { signal })
    if (problem === undefined) fetched.push(deb)
    else problems.push({ package: deb.package, message: problem })
    return parts.blobs.openFile(deb.sha256)
  }
  const bytes = (): number => fetched.reduce((sum, { size }) => sum + size, 0)
  let done = 0
  const total = sources.length
  await mapBounded(sources, SOURCES_AT_ONCE, async (debs) => {
    signal?.throwIfAborted()
    await readSource({ db: parts.db, open, canFetch: true, signal }, debs)
    done += 1
    onProgress?.({ done, total, bytes: bytes() })
  })
  return { done, total, bytes: bytes(), packages: fetched.length, problems }
}

/** Those of the sources of which nothing is known yet. */
async function unsettled(
  { db }: DeskParts,
  sources: readonly (readonly SourceDeb[])[],
): Promise<(readonly SourceDeb[])[]> {
  const facts = await lookUp(db, sources.flat())
  const open = sources.filter((debs) =>
    ['not here', 'unread'].includes(String(settledBy(debs, facts))),
  )
  const bytes = open.reduce((sum, debs) => sum + leastBytes(debs, facts), 0)
  if (open.length > MAX_SOURCES || bytes > MAX_BYTES) {
    throw new AppError('ERR_TOO_LARGE', {
      message: `the changelogs of ${open.length} sources want ${Math.round(bytes / 1e6)} MB of packages: more than is fetched at once`,
      hint: 'name sources or patterns, or ask for less: --security',
    })
  }
  return open
}

/** What is fetched for a source at least. */
function leastBytes(debs: readonly SourceDeb[], { known, absent }: DebsKnown): number {
  const unread = debs.filter(({ sha256 }) => !known.has(sha256))
  if (unread.some(({ sha256 }) => !absent.has(sha256))) return 0
  return Math.min(...unread.map(({ size }) => size))
}

/** Why a package cannot be had, if so. */
async function fetchOne(
  { db, downloads }: DeskParts,
  { sha256, size }: SourceDeb,
  { signal }: Abortable,
): Promise<string | undefined> {
  if (size > MAX_PACKAGE_BYTES) return `it has ${size} bytes: more is not fetched for a changelog`
  try {
    const { wanted, source } = await locate(db, sha256)
    await downloads.fetch(wanted, source, { signal, taker: 'files' })
    return undefined
  } catch (error) {
    signal?.throwIfAborted()
    if (isGone(error) || isAppError(error, 'ERR_NOT_FOUND')) return toAppError(error).message
    throw error
  }
}
