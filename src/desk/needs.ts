/**
 * What must come along: for each source that waits, whether it could go by itself, and if not, the smallest set of others
 * that has to go with it, as the gate finds it (channels/pass-gate.ts).
 *
 * Asking the gate takes some tens of milliseconds a source: it is done once for each pair of generations, one pair at a
 * time, while nobody waits for it, and kept in memory. Generations never change; what is held or declined is told beside.
 */
import { setImmediate } from 'node:timers/promises'
import { type Abortable, waitFor } from '../base/abortable.ts'
import { createLru } from '../base/lru.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { getChannel } from '../channels/channel-table.ts'
import { listDeclines } from '../channels/decline-table.ts'
import { declinedIn } from '../channels/declined.ts'
import type { SourceChange } from '../channels/generation-table.ts'
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
  /** What is known by now, by the names of sources; undefined if nobody looked. */
  known(pair: PendingPair): ReadonlyMap<string, Needs> | undefined
  /** Begins to look, unless somebody does already. */
  start(parts: ChannelParts, pair: PendingPair): void
  /** Looks, and waits until all is known. The signal ends the waiting, not the looking. */
  find(
    parts: ChannelParts,
    pair: PendingPair,
    waiting?: Abortable & { readonly onProgress?: ((progress: NeedsProgress) => void) | undefined },
  ): Promise<void>
  /** Ends what is under way, and waits for its end. */
  close(): Promise<void>
}

interface Found {
  readonly needs: Map<string, Needs>
  isWhole: boolean
}

interface Work {
  readonly key: string
  readonly stop: AbortController
  readonly progress: { done: number; total: number }
  readonly ended: Promise<void>
}

/** Pairs of generations of which it is kept. */
const KEPT = 8

/** Nothing is known yet. */
export function createNeedsFinder(): NeedsFinder {
  const pairs = createLru<string, Found>(KEPT)
  let current: Work | undefined
  const begin = (parts: ChannelParts, pair: PendingPair): Work | undefined => {
    const key = keyOf(pair)
    const found: Found = pairs.get(key) ?? { needs: new Map(), isWhole: false }
    if (found.isWhole) return undefined
    if (current?.key === key) return current
    // Another pair is asked about now: most often the same channels, a generation later.
    current?.stop.abort()
    const before = current?.ended
    pairs.set(key, found)
    const stop = new AbortController()
    const progress = { done: 0, total: 0 }
    const ended = (async () => {
      await before?.catch(() => undefined)
      await findAll(parts, pair, { needs: found.needs, progress, signal: stop.signal })
      found.isWhole = true
    })()
    const work: Work = { key, stop, progress, ended }
    ended
      .catch(() => undefined)
      .finally(() => {
        if (current === work) current = undefined
      })
    current = work
    return work
  }
  return {
    known: (pair) => pairs.get(keyOf(pair))?.needs,
    start: (parts, pair) => {
      begin(parts, pair)
    },
    find: async (parts, pair, { signal, onProgress } = {}) => {
      const work = begin(parts, pair)
      if (work === undefined) return
      const timer = setInterval(() => onProgress?.({ ...work.progress }), 200)
      try {
        await waitFor(work.ended, signal)
      } finally {
        clearInterval(timer)
      }
    },
    close: async () => {
      current?.stop.abort()
      await current?.ended.catch(() => undefined)
    },
  }
}

function keyOf({ from, to }: PendingPair): string {
  return `${from.channel}@${from.serial} ${to.channel}@${to.serial}`
}

async function findAll(
  parts: ChannelParts,
  pair: PendingPair,
  {
    needs,
    progress,
    signal,
  }: {
    readonly needs: Map<string, Needs>
    readonly progress: Work['progress']
    readonly signal: AbortSignal
  },
): Promise<void> {
  const offered = await planAll(parts, pair)
  const sources = [...new Set(offered.changes.map(({ source }) => source))]
  progress.total = sources.length
  for (const source of sources) {
    signal.throwIfAborted()
    if (!needs.has(source)) {
      needs.set(source, await findNeeds(parts, pair, offered, source, { signal }))
    }
    progress.done += 1
    await setImmediate()
  }
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
