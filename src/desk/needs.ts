/**
 * What must come along: for each source that waits, whether it could go by itself, and if not, the smallest set of others
 * that has to go with it, as the gate finds it (channels/pass-gate.ts).
 *
 * Asking the gate takes some tens of milliseconds a source: it is done once for what two channels hold and what the second
 * one keeps back, one pair at a time, and kept in memory.
 */
import { type Abortable, waitFor } from '../base/abortable.ts'
import { createLru } from '../base/lru.ts'
import { breathe, createMutex } from '../base/mutex.ts'
import { sha256Of } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { getChannel } from '../channels/channel-table.ts'
import { listDeclines } from '../channels/decline-table.ts'
import { declinedIn } from '../channels/declined.ts'
import type { SourceChange } from '../channels/generation-table.ts'
import { listHolds } from '../channels/hold-end.ts'
import { judgePlan } from '../channels/judge-plan.ts'
import { breakageWords, gatePlan } from '../channels/pass-gate.ts'
import { phasingOf } from '../channels/phasing.ts'
import { type PromotionPlan, planPromotion } from '../channels/plan.ts'
import { changeKey, subsetOf } from '../channels/plan-subset.ts'
import { refusals } from '../channels/promotion-target.ts'
import type { PendingPair } from './pending-details.ts'

/** What a source needs to go. */
export interface Needs {
  /** Empty if it can go by itself, and where nothing helps. */
  readonly with: readonly SourceChange[]
  /** What would break without; absent if it can go by itself. */
  readonly words?: string | undefined
  /** Whether that, if need be, is enough. */
  readonly isEnough: boolean
}

export interface NeedsProgress {
  readonly done: number
  readonly total: number
}

export interface NeedsFinder {
  /** What is known by now, by the names of sources. */
  known(parts: ChannelParts, pair: PendingPair): Promise<ReadonlyMap<string, Needs>>
  /** Begins to look, unless it looks at something already. */
  start(parts: ChannelParts, pair: PendingPair): Promise<void>
  /** Looks, and waits until all is known: how many sources. The signal ends the waiting, not the looking. */
  find(parts: ChannelParts, pair: PendingPair, waiting?: NeedsWaiting): Promise<number>
  /** Ends what is under way, and waits for its end. */
  close(): Promise<void>
}

interface NeedsWaiting extends Abortable {
  readonly onProgress?: ((progress: NeedsProgress) => void) | undefined
}

interface Found {
  readonly needs: Map<string, Needs>
  progress: NeedsProgress
  /** Settles when it is whole, while it is looked for; undefined before and, unless it failed, after that. */
  work?: Promise<void> | undefined
  isWhole: boolean
}

/** Pairs of contents of which it is kept. */
const KEPT = 8
const TELL_EVERY_MS = 200

/** Nothing is known yet. */
export function createNeedsFinder(): NeedsFinder {
  const pairs = createLru<string, Found>(KEPT)
  const oneAtATime = createMutex()
  const stop = new AbortController()
  const running = new Set<Promise<void>>()
  const foundOf = async (parts: ChannelParts, pair: PendingPair): Promise<Found> => {
    const key = await keyOf(parts, pair)
    const found: Found = pairs.get(key) ?? {
      needs: new Map(),
      progress: { done: 0, total: 0 },
      isWhole: false,
    }
    pairs.set(key, found)
    return found
  }
  const begin = (parts: ChannelParts, pair: PendingPair, found: Found): Promise<void> => {
    if (found.isWhole) return Promise.resolve()
    if (found.work !== undefined) return found.work
    const work = oneAtATime(() => findAll(parts, pair, found, stop))
    found.work = work
    running.add(work)
    work
      .catch(() => undefined)
      .finally(() => {
        found.work = undefined
        running.delete(work)
      })
    return work
  }
  return {
    known: async (parts, pair) => (await foundOf(parts, pair)).needs,
    start: async (parts, pair) => {
      const found = await foundOf(parts, pair)
      // Whoever asks waits for it; else nobody does, and the next who looks begins anew.
      if (running.size === 0) begin(parts, pair, found).catch(() => undefined)
    },
    find: async (parts, pair, { signal, onProgress } = {}) => {
      const found = await foundOf(parts, pair)
      const timer = setInterval(() => onProgress?.(found.progress), TELL_EVERY_MS)
      try {
        await waitFor(begin(parts, pair, found), signal)
      } finally {
        clearInterval(timer)
      }
      return found.needs.size
    },
    close: async () => {
      stop.abort()
      await Promise.allSettled(running)
    },
  }
}

/** What both hold, and what the second one keeps back. */
async function keyOf(parts: ChannelParts, { from, to }: PendingPair): Promise<string> {
  const { id } = await getChannel(parts.db, to.channel)
  const holds = (await listHolds(parts, id)).map(({ source }) => source)
  const declines = (await listDeclines(parts.db, id)).map((one) => [one.source, one.version])
  const states = [from, to].map(({ suites }) =>
    suites.map(({ archive, suite, state }) => [archive, suite, state]),
  )
  return sha256Of(Buffer.from(JSON.stringify([id, holds, declines, states])))
}

async function findAll(
  parts: ChannelParts,
  pair: PendingPair,
  found: Found,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  signal.throwIfAborted()
  const offered = await planAll(parts, pair)
  const sources = [...new Set(offered.changes.map(({ source }) => source))]
  for (const [done, source] of sources.entries()) {
    signal.throwIfAborted()
    found.progress = { done, total: sources.length }
    const { needs } = found
    if (!needs.has(source)) {
      needs.set(source, await findNeeds(parts, pair, offered, source, { signal }))
    }
    await breathe()
  }
  found.isWhole = true
}

/** All that could go; what is held or declined is no part of it. */
async function planAll(parts: ChannelParts, { from, to }: PendingPair): Promise<PromotionPlan> {
  const target = await getChannel(parts.db, to.channel)
  const refused = await refusals(parts, target, { from, isForced: false })
  const isDeclined = declinedIn(await listDeclines(parts.db, target.id))
  const phasing = phasingOf(target)
  const asked = { from, to, removals: true, refused, isDeclined, phasing }
  return planPromotion(parts, { ...asked, selection: { kind: 'all' } })
}

async function findNeeds(
  parts: ChannelParts,
  { from, to }: PendingPair,
  offered: PromotionPlan,
  source: string,
  abortable: Abortable,
): Promise<Needs> {
  const own = new Set(offered.changes.filter((one) => one.source === source).map(changeKey))
  const plan = subsetOf(offered, (key) => own.has(key))
  const [broken] = await judgePlan(parts, { from, to, plan }, abortable)
  if (broken === undefined) return { with: [], isEnough: true }
  const gated = await gatePlan(
    parts,
    {
      ...{ from, to, plan, named: new Set([source]), offered: async () => offered },
      ...{ withDeps: true, force: false, dryRun: true, isBrief: true },
    },
    abortable,
  )
  return {
    with: gated.companions,
    words: breakageWords(broken),
    isEnough: gated.broken.length === 0,
  }
}
