/**
 * The gate: which packages of one architecture a change makes uninstallable, among indexes that a machine has side by side.
 *
 * Nothing that it keeps (stocks.ts) is written down, and all of it can be read again.
 */
import type { IndexParts } from '../archives/index-parts.ts'
import type { Abortable } from '../base/abortable.ts'
import { breathe } from '../base/mutex.ts'
import { findBroken, versionsOn, withoutInstallable } from './judge.ts'
import { type Breakage, findReasons } from './reasons.ts'
import { createStocks, type GateView, type StanzaChange } from './stocks.ts'
import { BEFORE } from './universe.ts'

/** A change of what machines of one architecture have. */
export interface GateChange extends GateView, StanzaChange {}

export interface Gate {
  /** Those of these names that are there, and of which no version can be installed. */
  uninstallable(
    view: GateView,
    names: readonly string[],
    abortable?: Abortable,
  ): Promise<Set<string>>
  /** What the change breaks, and why; nothing if all goes on. */
  judge(change: GateChange, abortable?: Abortable): Promise<Breakage[]>
}

/** A gate over the indexes of this store. */
export function createGate(parts: IndexParts): Gate {
  const stocks = createStocks(parts)
  return {
    judge: async (change, { signal } = {}) => {
      const pause = createPause(signal)
      const universe = await stocks.open(change, change, pause)
      return findReasons(universe, await findBroken(universe, pause), pause)
    },
    uninstallable: async (view, names, { signal } = {}) => {
      const pause = createPause(signal)
      const universe = await stocks.open(view, { removed: [], added: [] }, pause)
      const numbers = names.flatMap((name) => universe.vocabulary.names.find(name) ?? [])
      const there = numbers.filter((name) => versionsOn(universe, name, BEFORE).length > 0)
      const bad = await withoutInstallable(universe, BEFORE, there, pause)
      return new Set([...bad].map((name) => universe.vocabulary.names.text(name)))
    },
  }
}

/** Milliseconds of work after which others get their turn. */
const TURN_MS = 5

/** Lets others have their turn now and then; throws when the signal says so. */
function createPause(signal: AbortSignal | undefined): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < TURN_MS) return
    signal?.throwIfAborted()
    await breathe()
    since = performance.now()
  }
}
