/**
 * What a derived channel holds: what its base holds, the suites of archives that it follows itself and its base lacks, and
 * its pins on top, without versions that it declines. A function of those alone: whichever way a channel came there, it holds the same bytes.
 *
 * What is promoted to it comes without phasing, unless it keeps that (phasing.ts); what it holds is as it was.
 *
 * Only the chunks that pinned sources touch are made anew; a suite without pins is the very state that the base has. Which
 * indexes there are is decided by what lies below the pins.
 */
import type { IndexEntry, IndexParts } from '../archives/index-parts.ts'
import { encodeState, readState, type SuiteState } from '../archives/suite-state.ts'
import type { Sha256 } from '../base/sha256.ts'
import { putRows } from '../store/blobs.ts'
import { inTransaction } from '../store/database.ts'
import type { DeclinedVersion } from './decline-table.ts'
import { declinedIn } from './declined.ts'
import { diffStates, entriesOfSource, type IndexDiff } from './diff.ts'
import type { SuiteEntry } from './draft-suite.ts'
import { editState } from './edit-state.ts'
import type { Kept } from './keep-declined.ts'
import type { Phasing } from './phasing.ts'
import { isAhead } from './pin-order.ts'
import type { Pin } from './pin-table.ts'

export interface DerivedContent {
  readonly entries: readonly SuiteEntry[]
  /** Promotions that are not ahead of what lies below: it has as new a version. */
  readonly caughtUp: readonly Pin[]
}

/** `below` with these pins on top, of which promotions are taken so, and `without` such versions; states that are new are in the store on return. */
export async function layerPins(
  parts: IndexParts,
  below: readonly SuiteEntry[],
  { pins, without, phasing }: Pick<Kept, 'pins' | 'without'> & { readonly phasing: Phasing },
): Promise<DerivedContent> {
  const entries: SuiteEntry[] = []
  const caughtUp: Pin[] = []
  for (const entry of below) {
    const here = pins.filter((pin) => pin.archive === entry.archive && pin.suite === entry.suite)
    const strangers = heldElsewhere(pins, here)
    const out = without.filter((one) => one.archive === entry.archive && one.suite === entry.suite)
    if (here.length + strangers.size + out.length === 0) {
      entries.push(entry)
      continue
    }
    const base = await readState(parts.blobs, entry.state)
    const layers = new Map<string, Layer>([['', { sources: strangers, phasing }]])
    for (const pin of here) {
      if (pin.kind === 'promotion' && !(await isAhead(parts, pin, base))) {
        caughtUp.push(pin)
        continue
      }
      const how = isPromoted(pin) ? phasing : 'kept'
      const key = `${pin.state} ${how}`
      const layer = layers.get(key) ?? { state: pin.state, sources: new Set(), phasing: how }
      layer.sources.add(pin.source)
      layers.set(key, layer)
    }
    entries.push({
      ...entry,
      state: await layerSuite(parts, entry.state, base, { layers: [...layers.values()], out }),
    })
  }
  return { entries, caughtUp }
}

/** Sources that are held in other suites: one that came after a source was held does not bring it. */
function heldElsewhere(pins: readonly Pin[], here: readonly Pin[]): Set<string> {
  const known = new Set(here.map((pin) => pin.source))
  const held = pins.filter((pin) => pin.kind === 'hold' && !known.has(pin.source))
  return new Set(held.map((pin) => pin.source))
}

/** What a state has of some sources; without a state, nothing. */
interface Layer {
  readonly state?: Sha256 | undefined
  readonly sources: Set<string>
  readonly phasing: Phasing
}

/** Whether its content came by a promotion: also of what was held, which force took. */
function isPromoted({ kind, old, new: versions }: Pin): boolean {
  return kind === 'promotion' || (kind === 'hold' && old.join(' ') !== versions.join(' '))
}

/** The state with these layers on top. */
async function layerSuite(
  parts: IndexParts,
  digest: Sha256,
  base: SuiteState,
  { layers, out }: { readonly layers: readonly Layer[]; readonly out: readonly DeclinedVersion[] },
): Promise<Sha256> {
  const diffs: IndexDiff[] = []
  const donors: SuiteState[] = []
  for (const { state, sources, phasing } of layers) {
    if (sources.size === 0) continue
    const pinned = state === undefined ? undefined : await readState(parts.blobs, state)
    const isOut = declinedIn(out)
    const found = await diffStates(parts, base, pinned, sources, phasing)
    const isIn = (entry: IndexEntry): boolean => !isOut(entry.source, entry.sourceVersion)
    diffs.push(...found.map((diff) => ({ ...diff, added: diff.added.filter(isIn) })))
    if (pinned !== undefined) donors.push(pinned)
  }
  diffs.push(...(await removalsOf(parts, base, out)))
  if (diffs.length === 0) return digest
  const made = encodeState(await editState(parts, base, diffs, donors))
  await inTransaction(parts.db, (trx) => putRows(trx, [made.blob]))
  return made.digest
}

/** What a state loses without these versions. */
async function removalsOf(
  parts: IndexParts,
  base: SuiteState,
  out: readonly DeclinedVersion[],
): Promise<IndexDiff[]> {
  const diffs: IndexDiff[] = []
  for (const { source, version } of out) {
    for (const { index, entries } of await entriesOfSource(parts, base, source)) {
      const { kind, component, architecture } = index
      const removed = entries.filter((entry) => entry.sourceVersion === version)
      if (removed.length > 0) diffs.push({ kind, component, architecture, removed, added: [] })
    }
  }
  return diffs
}
