/**
 * The gate: which packages of one architecture a change makes uninstallable, among indexes that a machine has side by side.
 *
 * It keeps what it has read of chunks, which are named by their digests and mostly shared between channels; nothing of it
 * is written down, and all of it can be read again.
 */
import { chunksAt, type IndexParts, readChunk } from '../archives/index-parts.ts'
import type { Abortable } from '../base/abortable.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { findBroken, withoutInstallable } from './judge.ts'
import { readFacts } from './package-facts.ts'
import { type Breakage, findReasons } from './reasons.ts'
import { BEFORE, openUniverse, type Universe } from './universe.ts'
import { createVocabulary } from './vocabulary.ts'

/** A change of what machines of one architecture have. */
export interface GateChange {
  readonly architecture: string
  /** Roots of the indexes that they have side by side, before the change. */
  readonly roots: readonly Sha256[]
  /** Stanzas of binary packages. */
  readonly removed: readonly Buffer[]
  readonly added: readonly Buffer[]
}

/** What machines of one architecture have. */
export type GateView = Pick<GateChange, 'architecture' | 'roots'>

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
  const vocabulary = createVocabulary()
  const known = new Map<Sha256, Int32Array>()
  const factsAt = async (root: Sha256): Promise<Int32Array[]> => {
    const pieces: Int32Array[] = []
    for (const chunk of await chunksAt(parts, root)) {
      const facts = known.get(chunk.plain) ?? readFacts(vocabulary, await readChunk(parts, chunk))
      known.set(chunk.plain, facts)
      pieces.push(facts)
      await breathe()
    }
    return pieces
  }
  const open = async ({ architecture, roots, removed, added }: GateChange): Promise<Universe> => {
    const base: Int32Array[] = []
    for (const root of roots) base.push(...(await factsAt(root)))
    const factsOf = (texts: readonly Buffer[]): Int32Array[] =>
      texts.map((text) => readFacts(vocabulary, text))
    return openUniverse(vocabulary, {
      architecture,
      base,
      removed: factsOf(removed),
      added: factsOf(added),
    })
  }
  return {
    judge: async (change, { signal } = {}) => {
      const pause = createPause(signal)
      const universe = await open(change)
      return findReasons(universe, await findBroken(universe, pause), pause)
    },
    uninstallable: async (view, names, { signal } = {}) => {
      const universe = await open({ ...view, removed: [], added: [] })
      const numbers = names.flatMap((name) => universe.vocabulary.names.find(name) ?? [])
      const there = numbers.filter((name) => universe.named(name).length > 0)
      const bad = await withoutInstallable(universe, BEFORE, there, createPause(signal))
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
