/**
 * Stocks that are kept, so that a change of what a channel holds is judged in milliseconds.
 *
 * Chunks are named by their digests and mostly shared: between a channel's generations, and between channels. So a stock
 * serves whatever is made of about the same chunks; what differs is laid over it. Where too much does, another is made, in
 * the background of all else. What was not used for longest goes, and all of it when nothing was asked for a while: nothing
 * here cannot be read again.
 */
import { createRoom } from '../archives/chunk-cache.ts'
import { chunksAt, type IndexParts, readChunk } from '../archives/index-parts.ts'
import { type Chunk, measure } from '../archives/index-tree.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { breathe, createMutex } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { readFacts } from './package-facts.ts'
import { createStockMaker, type Stock } from './stock.ts'
import { layOver, type Universe } from './universe.ts'
import { createVocabulary, type Vocabulary } from './vocabulary.ts'

/** Packages in all stocks, some 100 bytes each: two architectures of a large archive. */
const PACKAGES = 160_000
/** Numbers of facts of single chunks. */
const FACTS = 500_000
/** So many chunks may differ, or one of so many. */
const FEW_CHUNKS = 40
const SHARE = 8
/** A vocabulary that has grown by half, and this, is made anew. */
const CLAUSES = 50_000
const IDLE_MS = 2 * 60_000

/** What machines of one architecture have. */
export interface GateView {
  readonly architecture: string
  /** Roots of the indexes that they have side by side. */
  readonly roots: readonly Sha256[]
}

/** Stanzas of binary packages that come and go. */
export interface StanzaChange {
  readonly removed: readonly Buffer[]
  readonly added: readonly Buffer[]
}

export interface Stocks {
  /** The view and the change of it as a universe; `pause` is awaited now and then. */
  open(view: GateView, change: StanzaChange, pause: () => Promise<void>): Promise<Universe>
}

interface Kept {
  readonly stock: Stock
  /** The chunks that it was made of, in order. */
  readonly chunks: readonly Sha256[]
}

/** Stocks that share a vocabulary. */
interface Era {
  readonly vocabulary: Vocabulary
  readonly facts: Lru<Sha256, Int32Array>
  /** Last used last. */
  readonly kept: Kept[]
  /** Clauses from which on it is over. */
  limit: number
}

/** Stocks of the indexes of this store; none at first. */
export function createStocks(parts: IndexParts): Stocks {
  let era = newEra()
  let idle: NodeJS.Timeout | undefined
  const oneAtATime = createMutex()
  const stay = (): void => {
    clearTimeout(idle)
    idle = setTimeout(() => {
      era = newEra()
    }, IDLE_MS).unref()
  }
  const find = async (
    { architecture, roots }: GateView,
    pause: () => Promise<void>,
  ): Promise<Found> => {
    const chunks: Chunk[] = []
    for (const root of roots) chunks.push(...(await chunksAt(parts, root)))
    const known = nearest(era, architecture, chunks)
    if (known !== undefined) return { era, chunks, kept: known }
    return oneAtATime(async () => {
      const made = nearest(era, architecture, chunks)
      if (made !== undefined) return { era, chunks, kept: made }
      if (era.vocabulary.clauses.size > era.limit) era = newEra()
      const own = era
      const kept = await makeStock(parts, own, { architecture, chunks }, pause)
      own.limit = Math.max(own.limit, CLAUSES + 1.5 * own.vocabulary.clauses.size)
      own.kept.push(kept)
      shrink(own)
      return { era: own, chunks, kept }
    })
  }
  return {
    open: async (view, { removed, added }, pause) => {
      stay()
      const found = await find(view, pause)
      const { vocabulary } = found.era
      const factsOf = async (texts: readonly Buffer[]): Promise<Int32Array[]> => {
        const facts: Int32Array[] = []
        for (const text of texts) {
          facts.push(readFacts(vocabulary, text))
          await pause()
        }
        return facts
      }
      const { gone, more } = await differences(parts, found)
      const change = { removed: await factsOf(removed), added: await factsOf(added) }
      return layOver(found.kept.stock, { gone, more, ...change })
    },
  }
}

function newEra(): Era {
  return { vocabulary: createVocabulary(), facts: createLru(FACTS), kept: [], limit: CLAUSES }
}

interface Found {
  readonly era: Era
  readonly chunks: readonly Chunk[]
  readonly kept: Kept
}

/** The stock that is most like these chunks, if one is like enough; it counts as used. */
function nearest({ kept }: Era, architecture: string, chunks: readonly Chunk[]): Kept | undefined {
  const most = Math.max(FEW_CHUNKS, chunks.length / SHARE)
  const wanted = countsOf(chunks.map(({ plain }) => plain))
  let best: { readonly one: Kept; readonly distance: number } | undefined
  for (const one of kept.filter(({ stock }) => stock.architecture === architecture)) {
    const distance = distanceTo(one, wanted, chunks.length)
    if (distance <= (best?.distance ?? most)) best = { one, distance }
  }
  if (best === undefined) return undefined
  kept.splice(kept.indexOf(best.one), 1)
  kept.push(best.one)
  return best.one
}

function countsOf(digests: readonly Sha256[]): Map<Sha256, number> {
  const counts = new Map<Sha256, number>()
  for (const digest of digests) counts.set(digest, (counts.get(digest) ?? 0) + 1)
  return counts
}

/** How many chunks the one has that the other lacks, both ways. */
function distanceTo({ chunks }: Kept, wanted: ReadonlyMap<Sha256, number>, count: number): number {
  let shared = 0
  for (const [digest, own] of countsOf(chunks)) shared += Math.min(own, wanted.get(digest) ?? 0)
  return chunks.length - shared + (count - shared)
}

async function makeStock(
  parts: IndexParts,
  { vocabulary }: Era,
  { architecture, chunks }: { readonly architecture: string; readonly chunks: readonly Chunk[] },
  pause: () => Promise<void>,
): Promise<Kept> {
  const { stanzas } = measure(chunks)
  const maker = createStockMaker(vocabulary, architecture, stanzas)
  const room = createRoom()
  for (const chunk of chunks) {
    const text = await readChunk(parts, chunk, room)
    // Who publishes next reads it again.
    await parts.texts.put([[chunk.plain, text]])
    maker.add(readFacts(vocabulary, text))
    await pause()
  }
  const steps = maker.finish()
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) {
      return { stock: step.value, chunks: chunks.map(({ plain }) => plain) }
    }
    await breathe()
  }
}

/** Drops what was not used for longest, but the last one. */
function shrink({ kept }: Era): void {
  const size = (): number => kept.reduce((sum, { stock }) => sum + stock.size, 0)
  while (kept.length > 1 && size() > PACKAGES) kept.shift()
}

/** What of the stock is not among the chunks, and the facts of those that it lacks. */
async function differences(
  parts: IndexParts,
  { era, chunks, kept }: Found,
): Promise<{ gone: (readonly [number, number])[]; more: Int32Array[] }> {
  const wanted = countsOf(chunks.map(({ plain }) => plain))
  const gone: (readonly [number, number])[] = []
  const { pieces } = kept.stock
  for (const [at, digest] of kept.chunks.entries()) {
    const left = wanted.get(digest) ?? 0
    if (left > 0) wanted.set(digest, left - 1)
    else gone.push([pieces[at] ?? 0, pieces[at + 1] ?? 0])
  }
  const more: Int32Array[] = []
  for (const chunk of chunks) {
    const left = wanted.get(chunk.plain) ?? 0
    if (left === 0) continue
    wanted.set(chunk.plain, left - 1)
    const facts =
      era.facts.get(chunk.plain) ?? readFacts(era.vocabulary, await readChunk(parts, chunk))
    era.facts.set(chunk.plain, facts, facts.length)
    more.push(facts)
  }
  return { gone, more }
}
