/**
 * What waits to be promoted from one channel to another: a difference of their heads, told by source package.
 */

import type { IndexParts } from '../archives/index-parts.ts'
import { readState } from '../archives/suite-state.ts'
import { createLru, type Lru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Db } from '../store/database.ts'
import { type Arrival, findArrivals } from './arrivals.ts'
import { type Channel, getChannel } from './channel-table.ts'
import { changesOf, differsOtherwise, diffStates, type IndexDiff } from './diff.ts'
import type { SourceChange } from './generation-table.ts'
import { type Phasing, phasingOf } from './phasing.ts'
import type { GenerationView } from './views.ts'

export interface PendingSource extends SourceChange {
  /** Epoch milliseconds: when the first channel got this version. */
  readonly since: number
  /** Of which more is known. */
  readonly arrival: Arrival
  /** Distinct binary packages, and the bytes of their files and those of the source package. */
  readonly binaries: number
  readonly sizeBytes: number
  /** Whether the suite is one of security updates. */
  readonly isSecurity: boolean
}

/** The file of a binary package that would come. */
export interface PendingDeb {
  readonly package: string
  readonly architecture: string
  readonly sha256: Sha256
  readonly size: number
}

export interface PendingWithDebs extends PendingSource {
  /** Each file once. */
  readonly debs: readonly PendingDeb[]
}

interface PendingInput {
  readonly channel: Channel
  readonly view: GenerationView
}

/** What of `from` differs from `to`, sorted by source, security first. */
export async function listPending(
  parts: IndexParts,
  from: PendingInput,
  to: GenerationView | undefined,
): Promise<PendingSource[]> {
  return (await listPendingDebs(parts, from, to)).map(({ debs: _, ...one }) => one)
}

/** The same, with the binary packages that would come. */
export async function listPendingDebs(
  parts: IndexParts,
  source: PendingInput,
  to: GenerationView | undefined,
): Promise<PendingWithDebs[]> {
  const pending: Omit<PendingWithDebs, 'since' | 'arrival'>[] = []
  const phasing = to === undefined ? 'dropped' : phasingOf(await getChannel(parts.db, to.channel))
  for (const { archive, suite, state, release } of source.view.suites) {
    const target = to?.suites.find((one) => one.archive === archive && one.suite === suite)
    if (target?.state === state) continue
    const isSecurity = isSecuritySuite(suite, release)
    for (const one of await compareStates(parts, [target?.state, state], phasing)) {
      pending.push({ archive, suite, ...one, isSecurity })
    }
  }
  const at = { channel: source.channel, serial: source.view.serial }
  const arrivalOf = await findArrivals(parts, at, pending)
  return pending
    .map((one) => ({ one, arrival: arrivalOf(one) }))
    .map(({ one, arrival }) => ({ ...one, since: arrival.since, arrival }))
    .sort((a, b) => Number(b.isSecurity) - Number(a.isSecurity) || (a.source < b.source ? -1 : 1))
}

/** A source package that differs between two states. */
type Difference = Pick<
  PendingWithDebs,
  'source' | 'old' | 'new' | 'binaries' | 'sizeBytes' | 'debs'
>

/** Binary packages in all that is remembered: some 300 bytes each. */
const REMEMBERED = 12_000

/** States never change, and so neither does what differs between two of them: it is asked again and again. */
const memories = new WeakMap<Db, Lru<string, readonly Difference[]>>()

async function compareStates(
  parts: IndexParts,
  [before, after]: readonly [Sha256 | undefined, Sha256],
  phasing: Phasing,
): Promise<readonly Difference[]> {
  const memory = memories.get(parts.db) ?? createLru(REMEMBERED)
  memories.set(parts.db, memory)
  const key = `${before} ${after} ${phasing}`
  const known = memory.get(key)
  if (known !== undefined) return known
  const now = await readState(parts.blobs, after)
  const old = before === undefined ? undefined : await readState(parts.blobs, before)
  const diffs = await diffStates(parts, old, now, 'all', phasing)
  const files = filesBySource(diffs)
  const found = changesOf(now, diffs).map(({ source, old: had, new: has }): Difference => {
    const { binaries, sizeBytes, debs } = files.get(source) ?? noFiles()
    return { source, old: had, new: has, binaries: binaries.size, sizeBytes, debs }
  })
  memory.set(
    key,
    found,
    found.reduce((sum, { debs }) => sum + 1 + debs.length, 1),
  )
  return found
}

/** Whether `from` has more than `to` besides packages, which a promotion of all brings. */
export async function hasMoreBesides(
  parts: IndexParts,
  from: GenerationView,
  to: GenerationView,
): Promise<boolean> {
  for (const { archive, suite, state } of from.suites) {
    const target = to.suites.find((one) => one.archive === archive && one.suite === suite)
    if (target === undefined || target.state === state) continue
    const [old, now] = [
      await readState(parts.blobs, target.state),
      await readState(parts.blobs, state),
    ]
    if (differsOtherwise(old, now)) return true
  }
  return false
}

/** apt tells security updates by the suite's name, unattended-upgrades by the label. */
export function isSecuritySuite(suite: string, release: Buffer): boolean {
  return (
    suite.endsWith('-security') || /^Label: .*-Security$/im.test(release.toString('utf8', 0, 4096))
  )
}

interface SourceFiles {
  readonly binaries: Set<string>
  readonly debs: PendingDeb[]
  sizeBytes: number
}

function noFiles(): SourceFiles {
  return { binaries: new Set(), debs: [], sizeBytes: 0 }
}

function filesBySource(diffs: readonly IndexDiff[]): Map<string, SourceFiles> {
  const seen = new Set<Sha256>()
  const files = new Map<string, SourceFiles>()
  for (const entry of diffs.flatMap((diff) => diff.added)) {
    const one = files.get(entry.source) ?? noFiles()
    files.set(entry.source, one)
    if (entry.kind === 'Packages') one.binaries.add(entry.name)
    for (const { sha256, size } of entry.files) {
      // An arch:all package stands in every architecture's index, with one file.
      if (seen.has(sha256)) continue
      seen.add(sha256)
      one.sizeBytes += size
      if (entry.kind !== 'Packages') continue
      one.debs.push({ package: entry.name, architecture: entry.architecture, sha256, size })
    }
  }
  return files
}
