/**
 * How a derived channel keeps out what it declines of what its base has. A declined version is taken out where the channel
 * does not have it; where nothing as new as what it has would be left by that, it keeps what it has of the source, by a pin of
 * kind `decline`, until the base has another version. What it has already stays.
 */
import type { IndexParts } from '../archives/index-parts.ts'
import { readState } from '../archives/suite-state.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { DeclinedVersion } from './decline-table.ts'
import { type IsDeclined, leavesNothing } from './declined.ts'
import type { SuiteEntry } from './draft-suite.ts'
import { isAhead, versionsIn } from './pin-order.ts'
import type { Pin, PinnedSource } from './pin-table.ts'

export interface KeepInput {
  /** What lies below the channel's pins. */
  readonly below: readonly SuiteEntry[]
  /** What the channel serves. */
  readonly head: readonly SuiteEntry[]
  readonly pins: readonly Pin[]
  readonly declines: readonly DeclinedVersion[]
  readonly now: number
}

export interface Kept {
  /** The pins, with those that declines need, and without those that they need no more. */
  readonly pins: readonly Pin[]
  /** Of them, those that are new. */
  readonly fresh: readonly Pin[]
  /** Of those there were, what is needed no more. */
  readonly over: readonly Pin[]
  /** What must not be in each suite. */
  readonly without: readonly (DeclinedVersion & Pick<SuiteEntry, 'archive' | 'suite'>)[]
}

/** What the channel's declines make of its pins. */
export async function keepDeclined(parts: IndexParts, input: KeepInput): Promise<Kept> {
  const { below, head, declines } = input
  const bySource = Map.groupBy(declines, ({ source }) => source)
  const fresh: Pin[] = []
  const needed = new Set<Pin>()
  const without: (DeclinedVersion & Pick<SuiteEntry, 'archive' | 'suite'>)[] = []
  for (const { archive, suite, state } of below) {
    const own = head.find((one) => one.archive === archive && one.suite === suite)?.state
    for (const [source, some] of bySource) {
      const at = { archive, suite, source }
      const versions = some.map(({ version }) => version)
      const { out, pin } = await keepOne(parts, input, { at, state, own, versions })
      without.push(...out.map((version) => ({ ...at, version })))
      if (pin === undefined) continue
      needed.add(pin)
      if (!input.pins.includes(pin)) fresh.push(pin)
    }
  }
  const over = input.pins.filter((pin) => pin.kind === 'decline' && !needed.has(pin))
  const isReplaced = (pin: Pin): boolean => fresh.some((one) => isSame(one, pin))
  const rest = input.pins.filter((pin) => !over.includes(pin) && !isReplaced(pin))
  return { pins: [...rest, ...fresh], fresh, over, without }
}

async function keepOne(
  parts: IndexParts,
  { pins, now }: KeepInput,
  wanted: {
    readonly at: PinnedSource
    readonly state: Sha256
    /** What the channel serves of the suite. */
    readonly own: Sha256 | undefined
    readonly versions: readonly string[]
  },
): Promise<{ readonly out: readonly string[]; readonly pin?: Pin | undefined }> {
  const { at, state, own, versions } = wanted
  const { source } = at
  const offer = await readState(parts.blobs, state)
  const offered = await versionsIn(parts, offer, source)
  const isOffered = offered.some((version) => versions.includes(version))
  const known = pins.find((pin) => isSame(pin, at))
  if (!isOffered && known === undefined) return { out: [] }
  const had =
    own === undefined ? [] : await versionsIn(parts, await readState(parts.blobs, own), source)
  // A pin's state may have it too, where an archive keeps several versions.
  const out = versions.filter((version) => !had.includes(version))
  const isOut: IsDeclined = (_source, version) => out.includes(version)
  const isKept = had.length > 0 && leavesNothing({ source, old: had, new: offered }, isOut)
  if (own === undefined || !isKept) return { out }
  if (known?.kind === 'hold') return { out }
  if (known?.kind === 'promotion' && (await isAhead(parts, known, offer))) return { out }
  if (known?.kind === 'decline') return { out, pin: known }
  const why = `${out.filter((version) => offered.includes(version)).join(', ')} is declined`
  const made = { kind: 'decline', state: own, madeAt: now, who: 'system', why } as const
  return { out, pin: { ...at, ...made, old: had, new: had } }
}

function isSame(a: PinnedSource, b: PinnedSource): boolean {
  return a.archive === b.archive && a.suite === b.suite && a.source === b.source
}
