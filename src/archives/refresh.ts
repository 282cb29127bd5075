/**
 * Refreshing an archive: for each suite, fetch and verify its Release, fetch the indexes that changed, cut them into
 * chunks, and write a new suite state in one transaction. What fails leaves the last good state where it is, and says
 * in the suite's `problem` what is wrong and since when.
 */
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { toAppError } from '../base/errors.ts'
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
import { countStanzas } from './count-stanzas.ts'
import { noteReplaced } from './earlier-states.ts'
import { assertNotExpired, type FetchedRelease, fetchRelease } from './fetch-release.ts'
import { withdrawRevoked } from './find-revoked.ts'
import type { SkippedStanza } from './index-build.ts'
import type { Urgency } from './origin-circuit.ts'
import { addOrigins } from './origins.ts'
import { type RefreshEvent, readIndexes } from './read-indexes.ts'
import { isFlatSuite } from './suite-place.ts'
import { encodeState, readState, type SuiteState } from './suite-state.ts'

export interface RefreshInput {
  readonly archive: string
  /** `command` where a person asks for it: it does not wait for the time that a server told. */
  readonly urgency?: Urgency | undefined
  readonly onEvent?: ((event: RefreshEvent) => void) | undefined
}

/** What came of one suite. */
export interface SuiteOutcome {
  readonly archive: string
  readonly suite: string
  readonly kind: 'unchanged' | 'changed' | 'failed'
  readonly state?: Sha256 | undefined
  /** Binary packages in all its indexes, and source packages. */
  readonly packages?: number | undefined
  readonly sources?: number | undefined
  readonly problem?: SuiteProblem | undefined
  readonly skipped: readonly SkippedStanza[]
  /** What is not good for ever of who signed a Release that was taken now. */
  readonly warnings?: readonly string[] | undefined
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
      if (archive.settings.kind === 'local') outcomes.push(ownSuite(archive, known))
      else outcomes.push(await refreshSuite(parts, archive, known, { ...input, signal }))
    }
    return outcomes
  })
}

/** What is ours is always as it was uploaded. */
function ownSuite({ name }: Archive, { suite, state }: ArchiveSuite): SuiteOutcome {
  return { archive: name, suite, kind: 'unchanged', state, skipped: [], durationMs: 0 }
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
      crashPoint('refresh: unchanged suite noted')
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
    const problem = toProblem(archive.name, error, known.problem, startedAt)
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

function toProblem(
  archive: string,
  error: unknown,
  before: SuiteProblem | undefined,
  now: number,
): SuiteProblem {
  const { code, message, hint: general } = toAppError(error)
  // Who verifies knows no names of archives.
  const hint = general?.replace('archive set NAME', `archive set ${archive}`)
  return { code, message, hint, since: before?.code === code ? before.since : now }
}

async function takeRelease(
  parts: ArchiveParts,
  archive: Archive,
  known: ArchiveSuite,
  fetched: FetchedRelease,
  input: SuiteInput,
): Promise<Pick<SuiteOutcome, 'kind' | 'state' | 'packages' | 'sources' | 'skipped' | 'warnings'>> {
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
  const state: SuiteState = {
    archive: archive.name,
    suite: known.suite,
    identity: identityIn(archive, known.suite, release),
    indexes: read.indexes,
    extras: read.extras.extras,
    plainForms: read.extras.plainForms,
    upstream: {
      date: release.date,
      ...digestsOf(fetched),
      files: read.files,
    },
  }
  const { digest, blob } = encodeState(state)
  await withdrawRevoked(parts, state)
  crashPoint('refresh: before the suite state')
  await inTransaction(parts.db, async (trx) => {
    const { inRelease, releaseText, releaseGpg } = fetched
    await putRows(
      trx,
      [blob, inRelease, releaseText, releaseGpg].filter((one) => one !== undefined),
    )
    await addOrigins(trx, archive.id, read.extras.origins)
    if (known.state !== undefined && known.state !== digest) {
      const replaced = { archiveId: archive.id, suite: known.suite, state: known.state }
      await noteReplaced(trx, { ...replaced, replacedAt: parts.clock.now() })
    }
    await saveSuite(trx, archive.id, {
      suite: known.suite,
      state: digest,
      releaseDate: release.date,
      validUntil: release.validUntil,
      lastModified: fetched.lastModified,
      etag: fetched.etag,
      signers: fetched.signers.map(({ fingerprint, keyId }) => ({ fingerprint, keyId })),
      checkedAt: parts.clock.now(),
      changedAt: digest === known.state ? known.changedAt : parts.clock.now(),
    })
    crashPoint('refresh: suite state, before the commit')
  })
  crashPoint('refresh: suite state written')
  const counts = countStanzas([state])
  return {
    kind: digest === known.state ? 'unchanged' : 'changed',
    state: digest,
    packages: counts.packages,
    sources: counts.sources,
    skipped: read.skipped,
    warnings: fetched.warnings,
  }
}

/** Machines look for a flat suite by a name that its Release does not have: apt would tell that another is there. */
function identityIn({ settings }: Archive, name: string, release: Release): SuiteState['identity'] {
  const identity = identityOf(release)
  const { suite = identity.codename, codename = suite } = identity
  if (!isFlatSuite(settings, name) || suite === name || codename === name) return identity
  return { ...identity, codename: name }
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
