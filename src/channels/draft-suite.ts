/**
 * One suite of a new generation: its Release, with all that it lists, signed.
 *
 *   Date = max(the publication's floor + 1 s, now - 5 min): it only goes up, and never passes the clock;
 *   Valid-Until = Date + 14 days; SHA256 only; Packages (listed, as apt wants it), Packages.gz, and
 *   the Index of its pdiffs (pdiffs.ts).
 * If the floor comes near now, publishing waits.
 */
import {
  binaryIndexes,
  encodeState,
  indexPath,
  type ReleaseIdentity,
  readState,
  type SuiteState,
} from '../archives/suite-state.ts'
import { nowSeconds } from '../base/clock.ts'
import { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import { formatRelease, type ReleaseFile } from '../debian/release.ts'
import { findPublishedIdentity, type Publication } from '../signing/publication-table.ts'
import { signRelease } from '../signing/sign-release.ts'
import type { ChannelParts } from './channel-parts.ts'
import { titleOf } from './channel-table.ts'
import { channelOf } from './ensure-publication.ts'
import { describeIndex, type IndexForms } from './index-forms.ts'
import { type PdiffDraft, pdiffIndexes } from './pdiffs.ts'
import { releaseUrls } from './release-urls.ts'
import { type SuiteView, suiteNames } from './views.ts'

const BACK_DATED_S = 300
/** How far a clock may be behind what was signed: longer than that nobody waits, not knowing why. */
const PATIENCE_S = 60
/** How long what is signed is good. */
export const VALID_S = 14 * 24 * 3600
/** It is signed again when half of that is over. */
export const RESIGN_AFTER_S = 7 * 24 * 3600

/** What one suite of the new generation holds. */
export interface SuiteEntry {
  readonly archive: string
  readonly suite: string
  readonly state: Sha256
  /** What clients shall hold on to from now on; what they do already, unless told. */
  readonly identity?: ReleaseIdentity | undefined
}

/** A suite to publish: as it is, or with a Release that was just signed. */
export interface SuiteDraft {
  readonly view: Omit<SuiteView, 'releaseId'> & { readonly releaseId?: number }
  readonly fresh?: FreshSuite | undefined
}

/** What is written with a suite that was just signed. */
export interface FreshSuite {
  readonly identity: ReleaseIdentity
  readonly stateBlob: Buffer
  readonly pdiffs: PdiffDraft
}

/** The suite with a Release signed now; waits if the last one's Date is too near to the clock. */
export async function draftSuite(
  parts: ChannelParts,
  publication: Publication,
  entry: SuiteEntry,
  signal: AbortSignal | undefined,
): Promise<SuiteDraft> {
  const state = await readState(parts.blobs, entry.state)
  const known = await findPublishedIdentity(parts.db, publication.id, entry.archive, entry.suite)
  const identity = frozenIdentity(entry.suite, entry.identity ?? known?.identity, state)
  const indexes = new Map<string, IndexForms>()
  for (const index of state.indexes) {
    indexes.set(`${indexPath(index)}.gz`, await describeIndex(parts, index.root))
  }
  const extras = new Map(Object.entries(state.extras ?? {}))
  const plainForms = Object.entries(state.plainForms ?? {})
  const { suite, archive } = entry
  const pdiffDraft = await parts.pdiffs.draft(
    { publicationId: publication.id, archive, suite },
    indexes,
  )
  const pdiffs = pdiffIndexes(pdiffDraft)
  const title = titleOf(channelOf(publication.name))
  const last = { floor: known?.dateFloor ?? 0, what: title }
  const date = await nextDate(parts, last, signal)
  const validUntil = date + VALID_S
  const text = formatRelease({
    ...identity,
    date,
    validUntil,
    acquireByHash: true,
    noSupportForArchitectureAll: 'Packages',
    ...releaseUrls(parts.address, channelOf(publication.name), entry.archive),
    architectures: ['all', ...unique(binaryIndexes(state).map((index) => index.architecture))],
    components: unique(binaryIndexes(state).map((index) => index.component)),
    files: [
      ...[...indexes].flatMap(([path, forms]) => releaseFiles(path, forms)),
      ...[...pdiffs, ...extras, ...plainForms].map(([path, file]) => ({ path, ...file })),
    ],
  })
  const what = `${archive} ${suite}`
  const signed = await signRelease(parts, publication, { what, text, date }, { signal })
  const release = Buffer.from(text)
  const names = suiteNames(suite, release)
  return {
    view: {
      archive,
      suite,
      names,
      state: entry.state,
      date,
      validUntil,
      release,
      ...signed,
      indexes,
      pdiffs,
      extras,
    },
    fresh: { identity, stateBlob: encodeState(state).blob, pdiffs: pdiffDraft },
  }
}

function releaseFiles(path: string, forms: IndexForms): ReleaseFile[] {
  return [
    { path, ...forms.gz },
    { path: path.replace(/\.gz$/, ''), ...forms.plain },
  ]
}

/** What clients hold on to stays as it was when the suite came; Version and Description may follow upstream. */
function frozenIdentity(
  suite: string,
  frozen: ReleaseIdentity | undefined,
  { identity }: SuiteState,
): ReleaseIdentity {
  const { version, description } = identity
  if (frozen !== undefined) return { ...frozen, version, description: description?.split('\n')[0] }
  return publishedForm(suite, identity)
}

/** An identity as a suite of this path is published with it: with both names, and a Description of one line. */
export function publishedForm(suite: string, identity: ReleaseIdentity): ReleaseIdentity {
  return {
    ...identity,
    suite: identity.suite ?? identity.codename ?? suite,
    codename: identity.codename ?? identity.suite ?? suite,
    description: identity.description?.split('\n')[0],
  }
}

/** The Date to sign with, after the floor; resolves when the clock has reached it. `what` was signed at the floor. */
export async function nextDate(
  parts: Pick<ChannelParts, 'clock'>,
  { floor, what }: { readonly floor: number; readonly what: string },
  signal: AbortSignal | undefined,
): Promise<number> {
  refuseEarlyClock(parts, floor, what)
  refuseLeap(parts, what)
  const date = Math.max(floor + 1, nowSeconds(parts.clock) - BACK_DATED_S)
  await parts.clock.until(date * 1000, { signal })
  return date
}

/** A Release never passes the clock: `ERR_CONFIG` if that one is behind, or was ahead when `what` was signed. */
export function refuseEarlyClock(
  { clock }: Pick<ChannelParts, 'clock'>,
  floor: number,
  what: string,
): void {
  if (floor <= nowSeconds(clock) + PATIENCE_S) return
  throw new AppError('ERR_CONFIG', {
    message: `the clock of this machine is behind: ${what} was signed at ${new Date(floor * 1000).toISOString()}`,
    hint: 'set it right, then try again',
  })
}

/** A Date of the future could not be taken back. */
function refuseLeap({ clock }: Pick<ChannelParts, 'clock'>, what: string): void {
  const leaptMs = clock.leaptMs?.() ?? 0
  if (leaptMs === 0) return
  const days = Math.round(leaptMs / (24 * 3600_000))
  throw new AppError('ERR_CONFIG', {
    message: `the clock of this machine leapt ahead by ${days} days a moment ago: ${what} is not signed yet`,
    hint: 'where it is right now, wait for ten minutes; else set it right: timedatectl',
  })
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].sort()
}
