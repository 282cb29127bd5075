/**
 * The gate's verdict on a change, with what it takes: facts of a state are read once, in pieces as large as an index's chunks.
 */
import { breathe } from '../src/base/mutex.ts'
import { findBroken } from '../src/gate/judge.ts'
import { readFacts } from '../src/gate/package-facts.ts'
import { openUniverse } from '../src/gate/universe.ts'
import { createVocabulary } from '../src/gate/vocabulary.ts'
import type { Timing } from './figures.ts'
import type { Change } from './gate-dose.ts'
import type { Package, State } from './gate-states.ts'

export interface Ours {
  /** Reads the facts of a state, if that was not done yet. */
  read(state: State): Timing
  /** The names that the change breaks. */
  broken(change: Change): Promise<{ readonly names: string[]; readonly timing: Timing }>
}

const CHUNK = 62

/** The gate for one architecture. */
export function openOurs(architecture = 'amd64'): Ours {
  const vocabulary = createVocabulary()
  const known = new WeakMap<State, Int32Array[]>()
  const factsOf = (packages: readonly Package[]): Int32Array[] => {
    const facts: Int32Array[] = []
    for (let at = 0; at < packages.length; at += CHUNK) {
      const texts = packages.slice(at, at + CHUNK).map(({ text }) => text)
      facts.push(readFacts(vocabulary, Buffer.from(texts.join('\n'), 'latin1')))
    }
    return facts
  }
  const read = (state: State): Int32Array[] => {
    const facts = known.get(state) ?? factsOf(state.packages)
    known.set(state, facts)
    return facts
  }
  return {
    read: (state) => {
      const meter = startMeter()
      read(state)
      return meter()
    },
    broken: async ({ before, removed, added }) => {
      const base = read(before)
      const meter = startMeter()
      const change = { removed: factsOf(removed), added: factsOf(added) }
      const universe = openUniverse(vocabulary, { architecture, base, ...change })
      const broken = await findBroken(universe, breathe)
      const names = [...broken].map((name) => vocabulary.names.text(name)).sort()
      return { names, timing: meter() }
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
