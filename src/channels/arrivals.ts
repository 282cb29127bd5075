/**
 * When a channel got the versions that it has: read backwards from its history, whose generations say what they changed.
 *
 * Nothing is ever taken to be older than it is, since promotions wait by it. A generation that does not say what it changed
 * is compared with the one before; one that brought a suite brought all of it; and where history ends, what was there
 * already counts from there. Whatever changed of a source last, in any of its packages, it is as the channel has it since then.
 */
import type { IndexParts } from '../archives/index-parts.ts'
import { readState } from '../archives/suite-state.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Channel } from './channel-table.ts'
import { changesOf, diffStates } from './diff.ts'
import {
  type Generation,
  listGenerations,
  listKeptSuites,
  type SourceChange,
} from './generation-table.ts'

/** Which source package, and in which suite. */
export type Arrived = Pick<SourceChange, 'archive' | 'suite' | 'source'>

export interface Arrival {
  /** Epoch milliseconds. */
  readonly since: number
  /** What the channel had before; empty if nothing, or if that is not known any more. */
  readonly replaced: readonly string[]
  /** Whether it may have been there longer: history does not go further back. */
  readonly isAtLeast: boolean
}

/** Says since when the channel has had each of these as its generation `serial` has it. */
export async function findArrivals(
  parts: IndexParts,
  { channel, serial: from }: { readonly channel: Channel; readonly serial: number },
  wanted: readonly Arrived[],
): Promise<(one: Arrived) => Arrival> {
  const found = new Map<string, Arrival>()
  const open = new Map(wanted.map((one) => [keyOf(one), one]))
  const note = (key: string, arrival: Arrival): void => {
    if (open.delete(key)) found.set(key, arrival)
  }
  const kept = open.size === 0 ? new Map() : await suitesBySerial(parts, channel)
  let oldest = channel.madeAt
  for await (const generation of newestFirst(parts, channel, from)) {
    if (open.size === 0) break
    const { serial, madeAt } = generation
    oldest = madeAt
    const isFirst = serial === 1
    const changes = await changesIn(parts, generation, kept, open)
    for (const change of changes) {
      note(keyOf(change), { since: madeAt, replaced: change.old, isAtLeast: false })
    }
    const before = kept.get(serial - 1)
    if (before === undefined && !isFirst) continue
    for (const [key, { archive, suite }] of open) {
      if (before?.has(suiteKey(archive, suite)) === true) continue
      note(key, { since: madeAt, replaced: [], isAtLeast: false })
    }
  }
  return (one) => found.get(keyOf(one)) ?? { since: oldest, replaced: [], isAtLeast: true }
}

/** States of kept generations: serial, then suite. */
type Kept = ReadonlyMap<number, ReadonlyMap<string, Sha256>>

async function suitesBySerial({ db }: IndexParts, { id }: Channel): Promise<Kept> {
  const kept = new Map<number, Map<string, Sha256>>()
  for (const { serial, archive, suite, state } of await listKeptSuites(db, id)) {
    const suites = kept.get(serial) ?? new Map<string, Sha256>()
    kept.set(serial, suites.set(suiteKey(archive, suite), state))
  }
  return kept
}

const PAGE = 50

async function* newestFirst(
  { db }: IndexParts,
  { id }: Channel,
  from: number,
): AsyncGenerator<Generation> {
  for (let upTo = from; ; ) {
    const page = await listGenerations(db, id, PAGE, { upTo })
    yield* page
    const last = page.at(-1)
    if (last === undefined) return
    upTo = last.serial - 1
  }
}

/** What a generation changed; of one that does not say it, what it changed of the sources that are looked for. */
async function changesIn(
  parts: IndexParts,
  { serial, changes }: Generation,
  kept: Kept,
  open: ReadonlyMap<string, Arrived>,
): Promise<readonly SourceChange[]> {
  if (changes !== undefined) return changes
  const [before, after] = [kept.get(serial - 1), kept.get(serial)]
  if (before === undefined || after === undefined) return []
  const found: SourceChange[] = []
  for (const [key, state] of after) {
    const old = before.get(key)
    if (old === undefined || old === state) continue
    const here = [...open.values()].filter((one) => suiteKey(one.archive, one.suite) === key)
    const sources = new Set(here.map(({ source }) => source))
    const [left, right] = [await readState(parts.blobs, old), await readState(parts.blobs, state)]
    found.push(...changesOf(right, await diffStates(parts, left, right, sources, 'ignored')))
  }
  return found
}

function keyOf({ archive, suite, source }: Arrived): string {
  return [archive, suite, source].join(' ')
}

function suiteKey(archive: string, suite: string): string {
  return `${archive} ${suite}`
}
