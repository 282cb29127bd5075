/**
 * Refreshing an archive: for each suite, fetch and verify its Release, fetch the indexes that changed, cut them into
 * chunks, and write a new suite state in one transaction. What fails leaves the last good state where it is, and says
 * in the suite's `problem` what is wrong and since when.
 */
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { AppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import type { Release } from '../debian/release.ts'
import { putRows } from '../store/blobs.ts'
import { inTransaction } from '../store/database.ts'
import type { ArchiveParts } from './archive-parts.ts'
import {
  type Archive,
  type ArchiveSuite,
  getArchive,
  listSuites,
  type SuiteProblem,
  saveSuite,
} from './archive-table.ts'
import { type FetchedIndex, fetchIndex, type IndexSource, indexForms } from './fetch-index.ts'
import { assertNotExpired, type FetchedRelease, fetchRelease } from './fetch-release.ts'
import { buildIndex, type SkippedStanza } from './index-build.ts'
import { measure } from './index-tree.ts'
import {
  encodeState,
  findIndex,
  type IndexState,
  indexPath,
  readState,
  type SuiteState,
} from './suite-state.ts'

/** What a refresh tells while it works. */
export type RefreshEvent =
  | {
      readonly kind: 'suite'
      readonly archive: string
      readonly suite: string
      readonly signers: readonly string[]
      readonly date?: number | undefined
    }
  | {
      readonly kind: 'index'
      readonly archive: string
      readonly suite: string
      readonly path: string
      readonly sizeBytes: number
      readonly done: number
      readonly total: number
    }

export interface RefreshInput {
  readonly archive: string
  readonly onEvent?: ((event: RefreshEvent) => void) | undefined
}

/** What came of one suite. */
export interface SuiteOutcome {
  readonly archive: string
  readonly suite: string
  readonly kind: 'unchanged' | 'changed' | 'failed'
  readonly state?: Sha256 | undefined
  /** Stanzas in all its indexes. */
  readonly packages?: number | undefined
  readonly problem?: SuiteProblem | undefined
  readonly skipped: readonly SkippedStanza[]
  readonly durationMs: number
}

/** Refreshes all suites of an archive, one after the other; a suite that fails does not stop the next. */
export function refreshArchive(
  parts: ArchiveParts,
  input: RefreshInput,
  { signal }: Abortable = {},
): Promise<SuiteOutcome[]> {
  return parts.archiveLock(input.archive)(async () => {
    const archive = await getArchive(parts.db, input.archive)
    const outcomes: SuiteOutcome[] = []
    for (const known of await listSuites(parts.db, archive)) {
      signal?.throwIfAborted()
      outcomes.push(await refreshSuite(parts, archive, known, { ...input, signal }))
    }
    return outcomes
  })
}

type SuiteInput = RefreshInput & Abortable

async function refreshSuite(
  parts: ArchiveParts,
  archive: Archive,
  known: ArchiveSuite,
  input: SuiteInput,
): Promise<SuiteOutcome> {
  const startedAt = parts.clock.now()
  const base = { archive: archive.name, suite: known.suite, skipped: [] }
  try {
    const fetched = await fetchRelease(parts, archive, known, input)
    if (fetched === undefined) {
      assertNotExpired(known.suite, archive, known.validUntil, nowSeconds(parts.clock))
      await saveSuite(parts.db, archive.id, { ...known, checkedAt: startedAt, problem: undefined })
      return {
        ...base,
        kind: 'unchanged',
        state: known.state,
        durationMs: parts.clock.now() - startedAt,
      }
    }
    const taken = await takeRelease(parts, archive, known, fetched, input)
    return { ...base, ...taken, durationMs: parts.clock.now() - startedAt }
  } catch (error) {
    if (input.signal?.aborted) throw error
    const problem = toProblem(error, known.problem, startedAt)
    await saveSuite(parts.db, archive.id, { ...known, checkedAt: startedAt, problem })
    return {
      ...base,
      kind: 'failed',
      state: known.state,
      problem,
      durationMs: parts.clock.now() - startedAt,
    }
  }
}

function toProblem(error: unknown, before: SuiteProblem | undefined, now: number): SuiteProblem {
  const { code, message, hint } = toAppError(error)
  return { code, message, hint, since: before?.code === code ? before.since : now }
}

async function takeRelease(
  parts: ArchiveParts,
  archive: Archive,
  known: ArchiveSuite,
  fetched: FetchedRelease,
  input: SuiteInput,
): Promise<Pick<SuiteOutcome, 'kind' | 'state' | 'packages' | 'skipped'>> {
  const { release } = fetched
  input.onEvent?.({
    kind: 'suite',
    archive: archive.name,
    suite: known.suite,
    signers: fetched.signers.map((signer) => signer.userId ?? signer.fingerprint),
    date: release.date,
  })
  const old = known.state === undefined ? undefined : await readState(parts.blobs, known.state)
  const read = await readIndexes(parts, archive, known.suite, fetched, old, input)
  const { digest, blob } = encodeState({
    archive: archive.name,
    suite: known.suite,
    identity: identityOf(release),
    indexes: read.indexes,
    upstream: {
      date: release.date,
      ...digestsOf(fetched),
      files: read.files,
    },
  })
  crashPoint('refresh: before the suite state')
  await inTransaction(parts.db, async (trx) => {
    const { inRelease, releaseText, releaseGpg } = fetched
    await putRows(
      trx,
      [blob, inRelease, releaseText, releaseGpg].filter((one) => one !== undefined),
    )
    await saveSuite(trx, archive.id, {
      suite: known.suite,
      state: digest,
      releaseDate: release.date,
      validUntil: release.validUntil,
      lastModified: fetched.lastModified,
      etag: fetched.etag,
      checkedAt: parts.clock.now(),
      changedAt: digest === known.state ? known.changedAt : parts.clock.now(),
    })
  })
  crashPoint('refresh: suite state written')
  const packages = read.indexes.reduce((sum, index) => sum + index.stanzas, 0)
  return {
    kind: digest === known.state ? 'unchanged' : 'changed',
    state: digest,
    packages,
    skipped: read.skipped,
  }
}

interface ReadIndexes {
  readonly indexes: readonly IndexState[]
  readonly files: Readonly<Record<string, Sha256>>
  readonly skipped: readonly SkippedStanza[]
}

async function readIndexes(
  parts: ArchiveParts,
  archive: Archive,
  suite: string,
  fetched: FetchedRelease,
  old: SuiteState | undefined,
  input: SuiteInput,
): Promise<ReadIndexes> {
  const { release } = fetched
  const urls = [fetched.url, ...archive.settings.urls.filter((url) => url !== fetched.url)]
  const source: IndexSource = { urls, suite, release }
  const indexes: IndexState[] = []
  const files: Record<string, Sha256> = {}
  const skipped: SkippedStanza[] = []
  for (const wanted of wantedIndexes(archive, suite, release)) {
    const kept = unchangedIndex(wanted, release, old)
    if (kept !== undefined) {
      indexes.push(kept.index)
      Object.assign(files, kept.files)
      continue
    }
    const made = await readIndex(parts, archive, source, wanted, input)
    indexes.push(made.index)
    Object.assign(files, made.files)
    skipped.push(...made.skipped)
  }
  return { indexes, files, skipped }
}

/** An index to take: its own file, and that of `all` where the archive keeps it apart. */
interface WantedIndex {
  readonly component: string
  readonly architecture: string
  readonly paths: readonly string[]
}

function wantedIndexes(archive: Archive, suite: string, release: Release): WantedIndex[] {
  const { components, architectures } = archive.settings
  const isAllApart = release.noSupportForArchitectureAll !== 'Packages'
  const wanted: WantedIndex[] = []
  for (const component of components) {
    const all = indexPath({ component, architecture: 'all' })
    for (const architecture of architectures) {
      const path = indexPath({ component, architecture })
      const own = indexForms(release, path).length > 0 ? [path] : []
      const more = isAllApart && path !== all && indexForms(release, all).length > 0 ? [all] : []
      if (own.length + more.length > 0)
        wanted.push({ component, architecture, paths: [...own, ...more] })
    }
  }
  if (wanted.length > 0) return wanted
  throw new AppError('ERR_FORMAT', {
    message: `${suite}: Release names no Packages for ${components.join(', ')} on ${architectures.join(', ')}`,
    hint: `it has the components ${release.components.join(', ')} and the architectures ${release.architectures.join(', ')}: sluice archive set ${archive.name} …`,
  })
}

/** The index of the last state, if upstream still names the files that it was made of. */
function unchangedIndex(
  wanted: WantedIndex,
  release: Release,
  old: SuiteState | undefined,
): { index: IndexState; files: Record<string, Sha256> } | undefined {
  const index = findIndex(old, wanted)
  if (index === undefined) return undefined
  const files: Record<string, Sha256> = {}
  for (const path of wanted.paths) {
    const same = indexForms(release, path).find(
      (file) => old?.upstream?.files[file.path] === file.sha256,
    )
    if (same === undefined) return undefined
    files[same.path] = same.sha256
  }
  return { index, files }
}

async function readIndex(
  parts: ArchiveParts,
  archive: Archive,
  source: IndexSource,
  { component, architecture, paths }: WantedIndex,
  { onEvent, signal }: SuiteInput,
): Promise<{
  index: IndexState
  files: Record<string, Sha256>
  skipped: readonly SkippedStanza[]
}> {
  const fetched: FetchedIndex[] = []
  for (const path of paths) fetched.push(await fetchIndex(parts, source, path, { signal }))
  const files = Object.fromEntries(fetched.map(({ file }) => [file.path, file.sha256]))
  crashPoint('refresh: index fetched')
  const path = indexPath({ component, architecture })
  const sizeBytes = fetched.reduce((sum, { file }) => sum + file.size, 0)
  const built = await buildIndex(
    parts,
    fetched.map(({ text }) => text),
    {
      archiveId: archive.id,
      signal,
      onProgress: (done, total) =>
        onEvent?.({
          kind: 'index',
          archive: archive.name,
          suite: source.suite,
          path,
          sizeBytes,
          done,
          total,
        }),
    },
  )
  const { stanzas, plainSize } = measure(built.chunks)
  return {
    index: { component, architecture, root: built.root, stanzas, plainSize },
    files,
    skipped: built.skipped,
  }
}

function identityOf(release: Release): SuiteState['identity'] {
  const { origin, label, suite, codename, version, description } = release
  const { notAutomatic, butAutomaticUpgrades } = release
  return {
    origin,
    label,
    suite,
    codename,
    version,
    description,
    notAutomatic,
    butAutomaticUpgrades,
  }
}

function digestsOf(
  fetched: FetchedRelease,
): Pick<NonNullable<SuiteState['upstream']>, 'inRelease' | 'release' | 'releaseGpg'> {
  const digest = (data: Buffer | undefined): Sha256 | undefined =>
    data === undefined ? undefined : sha256Of(data)
  return {
    inRelease: digest(fetched.inRelease),
    release: digest(fetched.releaseText),
    releaseGpg: digest(fetched.releaseGpg),
  }
}
