/**
 * What a promotion would do: for each archive and suite where two channels differ, all that the one has of a source
 * package (its versions, binaries, architectures) is put in place of all that the other has of it.
 *
 * A source that the first channel no longer has at all is taken out of the second only when that is asked for. Which
 * sources are meant: selection.ts.
 */
import { chunksOfSource } from '../archives/chunk-table.ts'
import { chunksAt, type IndexParts } from '../archives/index-parts.ts'
import { readState, type SuiteState } from '../archives/suite-state.ts'
import { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from './channel-parts.ts'
import type { IsDeclined } from './declined.ts'
import { changesOf, differsOtherwise, diffStates, entriesOfSource, type IndexDiff } from './diff.ts'
import type { SourceChange } from './generation-table.ts'
import type { Phasing } from './phasing.ts'
import {
  createSelector,
  isWhole,
  type NarrowedReason,
  type Selection,
  type Selector,
  type WantedSource,
} from './selection.ts'
import type { GenerationView, SuiteView } from './views.ts'

export type { Selection, WantedSource }

/** What happens to one suite of the target channel. */
export interface SuitePlan {
  readonly archive: string
  readonly suite: string
  /** The target's state now; absent if it does not have the suite yet. */
  readonly old?: SuiteState | undefined
  readonly from: SuiteState
  readonly diffs: readonly IndexDiff[]
  readonly changes: readonly SourceChange[]
}

export interface PromotionPlan {
  readonly suites: readonly SuitePlan[]
  readonly changes: readonly SourceChange[]
  /** Sources that the first channel lacks and that stay, since their removal was not asked for. */
  readonly keptBack: readonly SourceChange[]
  /** What is selected and stays: the second channel does not take it, or the selection itself excludes it. */
  readonly leftOut: readonly LeftOut[]
  /** The files that the new stanzas name, each once. */
  readonly files: readonly PlannedFile[]
}

/** A change that is not made, and why. */
export interface LeftOut extends SourceChange {
  readonly reason: LeftOutReason
  /** Of one that the gate refuses: what would break. Of one that is declined: by whom and why. */
  readonly words?: string | undefined
}

/**
 * `held`: somebody keeps the source as it is; `declined`: the channel takes no such version; `revoked`: no channel does; `not newer`: a derived channel has
 * by its base what is as new, and would follow that again; `no suite`: a derived channel takes only what its base has the
 * suite of; `uninstallable`: the gate refuses it (pass-gate.ts). The others: selection.ts.
 */
export type LeftOutReason =
  | 'held'
  | 'declined'
  | 'revoked'
  | 'not newer'
  | 'no suite'
  | 'uninstallable'
  | NarrowedReason

export interface PlannedFile {
  readonly sha256: Sha256
  readonly size: number
  readonly package: string
  readonly version: string
  readonly architecture: string
}

export interface PlanInput {
  readonly from: GenerationView
  readonly to: GenerationView
  readonly selection: Selection
  readonly removals: boolean
  /** Says of changes to a suite which the second channel does not take; all are taken unless told. */
  readonly refused?: ((changes: readonly SourceChange[]) => Promise<readonly LeftOut[]>) | undefined
  /** Versions that do not come with the others of their source. */
  readonly isDeclined?: IsDeclined | undefined
  readonly phasing: Phasing
}

/** The plan; `ERR_NOT_FOUND` if a source, or the version named, is not in the first channel. */
export async function planPromotion(parts: ChannelParts, input: PlanInput): Promise<PromotionPlan> {
  const { selection } = input
  const selector = await createSelector(parts, input.from, selection)
  const suites: SuitePlan[] = []
  const keptBack: SourceChange[] = []
  const leftOut: LeftOut[] = []
  for (const { view, ...pair } of await suitePairs(parts, input)) {
    const found = await diffStates(parts, pair.old, pair.from, selector.filter, input.phasing)
    const changes = changesOf(pair, found).filter(selector.means)
    const sorted = await sortOut(parts, input, { selector, view, state: pair.from, changes })
    keptBack.push(...sorted.absent)
    leftOut.push(...sorted.leftOut)
    const diffs = found
      .map((diff) => ({
        ...diff,
        removed: diff.removed.filter((entry) => sorted.taken.has(entry.source)),
        added: diff.added.filter(
          (entry) =>
            sorted.taken.has(entry.source) &&
            input.isDeclined?.(entry.source, entry.sourceVersion) !== true &&
            parts.revocations.of(entry) === undefined,
        ),
      }))
      .filter((diff) => diff.removed.length + diff.added.length > 0)
    const isOther = isWhole(selection) && differsOtherwise(pair.old, pair.from)
    if (diffs.length > 0 || isOther)
      suites.push({ ...pair, diffs, changes: changesOf(pair, diffs) })
  }
  const plan = { suites, changes: suites.flatMap((suite) => suite.changes), keptBack, leftOut }
  if (selection.kind === 'sources') await checkSources(parts, input, selection.sources, plan)
  return { ...plan, files: filesOf(suites) }
}

/** Tells of the selected changes of a suite which are made, by their sources, and which not. */
async function sortOut(
  parts: ChannelParts,
  { removals, refused }: PlanInput,
  suite: {
    readonly selector: Selector
    readonly view: SuiteView
    readonly state: SuiteState
    readonly changes: readonly SourceChange[]
  },
): Promise<{ taken: Set<string>; absent: SourceChange[]; leftOut: LeftOut[] }> {
  const { selector, view, state, changes } = suite
  const narrowed = await selector.narrowed(changes, view)
  const left = new Set(narrowed.map(({ source }) => source))
  const selected = changes.filter(({ source }) => !left.has(source))
  const absent = removals ? [] : await absentSources(parts, state, selected)
  for (const { source } of absent) left.add(source)
  const offered = selected.filter(({ source }) => !left.has(source))
  const untaken = (await refused?.(offered)) ?? []
  for (const { source } of untaken) left.add(source)
  const taken = new Set(changes.map(({ source }) => source).filter((source) => !left.has(source)))
  return { taken, absent, leftOut: [...narrowed, ...untaken] }
}

interface SuitePair {
  readonly archive: string
  readonly suite: string
  readonly old?: SuiteState | undefined
  readonly from: SuiteState
  readonly view: SuiteView
}

async function suitePairs(parts: IndexParts, { from, to }: PlanInput): Promise<SuitePair[]> {
  const pairs: SuitePair[] = []
  for (const view of from.suites) {
    const { archive, suite, state } = view
    const target = to.suites.find((one) => one.archive === archive && one.suite === suite)
    if (target?.state === state) continue
    const old = target === undefined ? undefined : await readState(parts.blobs, target.state)
    pairs.push({ archive, suite, view, old, from: await readState(parts.blobs, state) })
  }
  return pairs
}

/** The changes whose source the state does not have at all: its chunks are asked, shared ones too. */
async function absentSources(
  parts: IndexParts,
  state: SuiteState,
  changes: readonly SourceChange[],
): Promise<SourceChange[]> {
  const suspects = changes.filter((change) => change.new.length === 0)
  if (suspects.length === 0) return []
  const here = new Set<Sha256>()
  for (const index of state.indexes) {
    for (const chunk of await chunksAt(parts, index.root)) here.add(chunk.plain)
  }
  const absent: SourceChange[] = []
  for (const change of suspects) {
    const chunks = await chunksOfSource(parts.db, change.source)
    if (![...chunks].some((plain) => here.has(plain))) absent.push(change)
  }
  return absent
}

async function checkSources(
  parts: IndexParts,
  { from, to }: PlanInput,
  sources: readonly WantedSource[],
  { changes, keptBack }: Pick<PromotionPlan, 'changes' | 'keptBack'>,
): Promise<void> {
  for (const { name, version, in: where } of sources) {
    const isThere = (one: { readonly archive: string; readonly suite: string }): boolean =>
      where === undefined || (one.archive === where.archive && one.suite === where.suite)
    // What comes is there: the chunks need not be read again for that.
    const coming = changes
      .filter((one) => one.source === name && isThere(one))
      .flatMap((one) => one.new)
    if (version === undefined ? coming.length > 0 : coming.includes(version)) continue
    const suites = from.suites.filter(isThere)
    const versions = await versionsOf(parts, { ...from, suites }, name)
    const gone = keptBack.some((change) => change.source === name)
    if (gone && versions.size === 0) {
      throw new AppError('ERR_REFUSED', {
        message: `${from.channel} has no ${name} any more, so that promoting it would remove it from ${to.channel}`,
        hint: 'if that is meant, say so: --removals',
      })
    }
    if (versions.size === 0 && (await versionsOf(parts, to, name)).size === 0) {
      throw new AppError('ERR_NOT_FOUND', {
        message: `${from.channel} has no source package ${name}`,
        hint: `promotion goes by source package: sluice search ${name}`,
      })
    }
    if (version !== undefined && !versions.has(version)) {
      throw new AppError('ERR_NOT_FOUND', {
        message: `${from.channel} has ${name} ${[...versions].join(', ') || 'not at all'}, not ${version}`,
        hint: `sluice promote ${name} --from ${from.channel} --to ${to.channel} takes what is there`,
      })
    }
  }
}

async function versionsOf(
  parts: IndexParts,
  view: GenerationView,
  source: string,
): Promise<Set<string>> {
  const versions = new Set<string>()
  for (const suite of view.suites) {
    const state = await readState(parts.blobs, suite.state)
    for (const { entries } of await entriesOfSource(parts, state, source)) {
      for (const entry of entries) versions.add(entry.sourceVersion)
    }
  }
  return versions
}

/** The files that the stanzas added name, each once. */
export function filesOf(suites: readonly SuitePlan[]): PlannedFile[] {
  const files = new Map<Sha256, PlannedFile>()
  for (const { diffs } of suites) {
    for (const entry of diffs.flatMap((diff) => diff.added)) {
      const { files: named, name, version, architecture } = entry
      for (const { sha256, size } of named)
        files.set(sha256, { sha256, size, package: name, version, architecture })
    }
  }
  return [...files.values()]
}
