/**
 * The gate's verdict on a change, with what it takes: a state is read once, in pieces as large as an index's chunks, and a change
 * is laid over it.
 */
import { breathe } from '../src/base/mutex.ts'
import { findBroken } from '../src/gate/judge.ts'
import { readFacts } from '../src/gate/package-facts.ts'
import { type Breakage, findReasons } from '../src/gate/reasons.ts'
import { createStockMaker, type Stock } from '../src/gate/stock.ts'
import { layOver } from '../src/gate/universe.ts'
import { createVocabulary } from '../src/gate/vocabulary.ts'
import type { Timing } from './figures.ts'
import type { Change } from './gate-dose.ts'
import type { Package, State } from './gate-states.ts'

export interface Ours {
  /** Reads the facts of a state, if that was not done yet. */
  read(state: State): Timing
  judge(change: Change): Promise<Verdict>
}

export interface Verdict {
  /** The names that the change breaks. */
  readonly names: readonly string[]
  /** What it took to find them. */
  readonly timing: Timing
  reasons(): Promise<Breakage[]>
}

interface Known {
  readonly stock: Stock
  readonly pieces: readonly Int32Array[]
}

const CHUNK = 62
/** One of so many chunks is not as it was when the stock was made. */
const APART = 30

/** The gate for one architecture. */
export function openOurs(architecture = 'amd64'): Ours {
  const vocabulary = createVocabulary()
  const known = new WeakMap<State, Known>()
  const factsOf = (packages: readonly Package[]): Int32Array => {
    const texts = packages.map(({ text }) => text)
    return readFacts(vocabulary, Buffer.from(texts.join('\n'), 'latin1'))
  }
  const read = (state: State): Known => {
    const there = known.get(state)
    if (there !== undefined) return there
    const pieces: Int32Array[] = []
    for (let at = 0; at < state.packages.length; at += CHUNK) {
      pieces.push(factsOf(state.packages.slice(at, at + CHUNK)))
    }
    const maker = createStockMaker(vocabulary, architecture)
    for (const piece of pieces) maker.add(piece)
    const steps = maker.finish()
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done !== true) continue
      const made = { stock: step.value, pieces }
      known.set(state, made)
      return made
    }
  }
  return {
    read: (state) => {
      const meter = startMeter()
      read(state)
      return meter()
    },
    judge: async ({ before, removed, added }) => {
      const { stock, pieces } = read(before)
      const meter = startMeter()
      // As for a channel whose chunks are partly others than those that the stock was made of.
      const apart = [...pieces.keys()].filter((at) => at % APART === removed.length % APART)
      const universe = layOver(stock, {
        gone: apart.map((at) => [stock.pieces[at] ?? 0, stock.pieces[at + 1] ?? 0]),
        more: apart.flatMap((at) => pieces[at] ?? []),
        removed: [factsOf(removed)],
        added: [factsOf(added)],
      })
      const broken = await findBroken(universe, breathe)
      const names = [...broken].map((name) => vocabulary.names.text(name)).sort()
      const timing = meter()
      return { names, timing, reasons: () => findReasons(universe, broken, breathe) }
    },
  }
}

/** Starts to measure this process; what it gives tells what has passed since. */
export function startMeter(): () => Timing {
  const startedMs = performance.now()
  const started = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(started)
    return { wallMs: performance.now() - startedMs, processorMs: (user + system) / 1000 }
  }
}
