/**
 * Promotion: what one channel has of some source packages becomes what another one has of them, in one flip.
 *
 * The files are fetched and checked before anything is published, so that what a curated channel offers is here.
 */
import type { Abortable } from '../base/abortable.ts'
import type { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { LetGo } from '../base/leases.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Db } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel } from './channel-table.ts'
import { type Decline, listDeclines } from './decline-table.ts'
import { declinedIn } from './declined.ts'
import { publishDerived } from './derive.ts'
import type { SuiteEntry } from './draft-suite.ts'
import type { FetchProgress } from './fetch-files.ts'
import { findGeneration } from './generation-name.ts'
import type { Generation } from './generation-table.ts'
import { settledPins } from './hold-end.ts'
import { fetchNeeded, findLost } from './needed-files.ts'
import { breakageWords, type GatedPlan, type GatePlanInput, gatePlan } from './pass-gate.ts'
import { phasingOf } from './phasing.ts'
import { listPins, type Pin, putPins } from './pin-table.ts'
import { type PlannedFile, type PromotionPlan, planPromotion } from './plan.ts'
import { assertPlan, digestOfPlan, type PlanFacts } from './plan-digest.ts'
import { beginEntries, promotedEntries } from './promoted-entries.ts'
import {
  assertNothingLeftOut,
  assertTakesPromotions,
  pinsOf,
  refusals,
  withPins,
} from './promotion-target.ts'
import { publishGeneration } from './publish.ts'
import { isWhole, namedSources, type Selection } from './selection.ts'
import type { GenerationView } from './views.ts'

export interface PromoteInput extends Reason {
  /** `testing`, or one generation of it: `testing@41`. */
  readonly from: string
  readonly to: string
  readonly selection: Selection
  /** Takes sources out of `to` that `from` no longer has. */
  readonly removals?: boolean | undefined
  /** Takes what is held in `to` too, and what would break others there. */
  readonly force?: boolean | undefined
  /** Takes what has to go with it for nothing to break, the smallest such set. */
  readonly withDeps?: boolean | undefined
  /** Refuses without looking for what could go with it. */
  readonly isBrief?: boolean | undefined
  /** The digest of the plan that was shown: that happens, or `ERR_REFUSED` (plan-digest.ts). */
  readonly plan?: string | undefined
  /** Tells the plan, and changes nothing. */
  readonly dryRun?: boolean | undefined
  readonly onFile?: ((progress: FetchProgress) => void) | undefined
}

/** What would happen, and the digest of that. */
export interface DigestedPlan extends PromotionPlan {
  readonly digest: Sha256
  /** What it breaks: by force, or on a dry run, which tells the refusal besides. */
  readonly broken: GatedPlan['broken']
  readonly refusal?: AppError | undefined
  /** What goes with it because it has to. */
  readonly companions: GatedPlan['companions']
}

export interface Promotion {
  readonly plan: DigestedPlan
  /** Serial of what was promoted from. */
  readonly fromSerial: number
  /** Files of the plan that were not here yet. */
  readonly missing: readonly PlannedFile[]
  /** Told on a dry run: those of them that are lost, as far as that is known. */
  readonly lost?: readonly PlannedFile[] | undefined
  /** Serial of the target's head before. */
  readonly before: number
  /** Told on a dry run: whether more than packages would come. */
  readonly hasMore?: boolean | undefined
  /** Told on a dry run: why it would not be done. */
  readonly refusal?: AppError | undefined
  /** Absent on a dry run, and when there was nothing to do. */
  readonly generation?: Generation | undefined
  /** Milliseconds from the last file to the flip. */
  readonly publishMs?: number | undefined
}

/**
 * Promotes; see `planPromotion` for what it refuses. What the target does not take is left out, and `ERR_REFUSED` if it was
 * named (promotion-target.ts); so are files that are lost (needed-files.ts). Upstream errors leave the target as it was.
 */
export async function promote(
  parts: ChannelParts,
  input: PromoteInput,
  { signal }: Abortable = {},
): Promise<Promotion> {
  // What is begun before the channel is locked is named by what is written then: until then it is not deleted.
  const letGo = parts.leases.begin()
  try {
    return await promoteLeased(parts, input, letGo, { signal })
  } finally {
    letGo()
  }
}

async function promoteLeased(
  parts: ChannelParts,
  input: PromoteInput,
  letGo: LetGo,
  { signal }: Abortable,
): Promise<Promotion> {
  const from = await findGeneration(parts, input.from)
  let target = await readTarget(parts, input.to)
  let { plan, entries } = await planFor(parts, from, target, input, { signal })
  const missing = await missingFiles(parts, plan.files)
  const told = { fromSerial: from.serial, missing }
  if (input.dryRun === true || plan.suites.length === 0) {
    const lost = await findLost(parts, missing, { signal })
    const isEdited = target.channel.baseId === undefined
    const hasMore = isEdited && plan.suites.some(({ changes }) => changes.length === 0)
    return { ...told, plan, lost, before: target.channel.head, hasMore, refusal: plan.refusal }
  }
  for (let needed = missing; ; needed = await missingFiles(parts, plan.files)) {
    if (needed.length > 0) {
      // That may take hours, and what nobody uses goes meanwhile: the states are made afterwards.
      letGo()
      entries = undefined
    }
    await fetchNeeded(parts, needed, input.onFile, { signal })
    crashPoint('promote: files fetched')
    const made = await parts.channelLock(input.to)(async () => {
      const startedAt = performance.now()
      // The target may have changed while files came: then the plan is made anew against what it is now.
      const now = await readTarget(parts, input.to)
      if (!isSameTarget(now, target)) {
        target = now
        ;({ plan, entries } = await planFor(parts, from, now, input, { signal }))
        // What it needs besides is fetched without the lock: nobody waits for upstream to sign this channel anew.
        if ((await missingFiles(parts, plan.files)).length > 0) return undefined
      }
      const { channel } = now
      const generation = await publishPlan(
        parts,
        { ...input, channel, from, plan, entries },
        { signal },
      )
      return { before: channel.head, generation, publishMs: performance.now() - startedAt }
    })
    if (made !== undefined) return { ...told, plan, ...made }
  }
}

/** The channel that is promoted to, what it serves, and what it holds back. */
interface Target {
  readonly channel: Channel
  readonly view: GenerationView | undefined
  readonly pins: readonly Pin[]
  readonly declines: readonly Decline[]
}

async function readTarget(parts: ChannelParts, name: string): Promise<Target> {
  const channel = await getChannel(parts.db, name)
  assertTakesPromotions(channel)
  const pins = await listPins(parts.db, channel.id)
  const declines = await listDeclines(parts.db, channel.id)
  return { channel, view: parts.views.head(name), pins, declines }
}

/** Whether a plan for the one is a plan for the other: it may be another channel of the same name by now. */
function isSameTarget(a: Target, b: Target): boolean {
  const { id, baseId, keepsPhasing } = a.channel
  return (
    id === b.channel.id &&
    baseId === b.channel.baseId &&
    keepsPhasing === b.channel.keepsPhasing &&
    a.view?.serial === b.view?.serial &&
    JSON.stringify([a.pins, a.declines]) === JSON.stringify([b.pins, b.declines])
  )
}

/** A plan of so many changes at the most is begun before it was judged: of a large one, the gate often leaves out some. */
const AHEAD = 50

interface JudgedPlan {
  readonly plan: DigestedPlan
  /** What the suites hold after it, if that was begun already; for the target that it was made for. */
  readonly entries?: Promise<SuiteEntry[]> | undefined
}

/** Causes of breakage that the audit tells of a forced promotion. */
const AUDITED = 20

interface PublishPlanInput extends Reason, JudgedPlan {
  readonly channel: Channel
  readonly from: GenerationView
}

async function publishPlan(
  parts: ChannelParts,
  { channel, from, plan, entries, who, why }: PublishPlanInput,
  { signal }: Abortable,
): Promise<Generation | undefined> {
  const pins = await pinsOf(parts, channel, { from, plan, who, why })
  const before = await settledPins(parts, channel)
  const also = async (trx: Db): Promise<void> => {
    await before.settle(trx)
    await putPins(trx, channel.id, pins)
  }
  const forced = [...new Set(pins.filter((pin) => pin.kind === 'hold').map((pin) => pin.source))]
  const broken = plan.broken.slice(0, AUDITED).map(breakageWords)
  const detail = {
    ...(forced.length === 0 ? {} : { forced }),
    ...(broken.length === 0 ? {} : { broken, breaks: plan.broken.length }),
  }
  const made = { channel, kind: 'promote', who, why, also, detail } as const
  if (channel.baseId !== undefined) {
    const all = withPins(before.pins, pins)
    return publishDerived(parts, { ...made, pins: all }, { signal })
  }
  const head = parts.views.head(channel.name)
  const changed = await (entries ?? promotedEntries(parts, plan, head))
  crashPoint('promote: states written')
  return publishGeneration(parts, { ...made, entries: changed, changes: plan.changes }, { signal })
}

async function planFor(
  parts: ChannelParts,
  from: GenerationView,
  { channel, view, declines }: Target,
  input: PromoteInput,
  { signal }: Abortable,
): Promise<JudgedPlan> {
  const to = view ?? { channel: input.to, serial: 0, archives: new Map(), suites: [] }
  const refused = await refusals(parts, channel, { from, isForced: input.force === true })
  const { selection, removals = false, force = false } = input
  const phasing = phasingOf(channel)
  const asked = { from, to, removals, refused, isDeclined: declinedIn(declines), phasing }
  const planned = await planPromotion(parts, { ...asked, selection })
  assertNothingLeftOut(channel, input.from, planned, namedSources(selection))
  const all: Selection = { kind: 'all', except: selection.except }
  const gate: GatePlanInput = {
    from,
    to,
    plan: planned,
    named: namedSources(selection),
    offered: () => planPromotion(parts, { ...asked, selection: all }),
    withDeps: input.withDeps === true,
    force,
    dryRun: input.dryRun === true,
    isBrief: input.isBrief === true,
  }
  const isAhead = input.dryRun !== true && channel.baseId === undefined
  const { plan, entries, ...gated } = await gateBeside(parts, gate, isAhead ? view : undefined, {
    signal,
  })
  const facts: PlanFacts = {
    from: { channel: from.channel, serial: from.serial },
    to: { channel: channel.name, serial: to.serial },
    options: { whole: isWhole(selection), removals, force, keepsPhasing: phasing === 'kept' },
    changes: plan.changes,
  }
  if (input.plan !== undefined) assertPlan(parts.plans, input.plan, facts)
  return { plan: { ...plan, ...gated, digest: digestOfPlan(parts.plans, facts) }, entries }
}

/** The gate, and while it judges, what the plan makes of the target's suites: most plans go as they are. */
async function gateBeside(
  parts: ChannelParts,
  gate: GatePlanInput,
  head: GenerationView | undefined,
  { signal }: Abortable,
): Promise<GatedPlan & Pick<JudgedPlan, 'entries'>> {
  const isSmall = gate.plan.changes.length <= AHEAD
  const entries = head && isSmall ? beginEntries(parts, gate.plan, head) : undefined
  try {
    const gated = await gatePlan(parts, gate, { signal })
    return gated.plan === gate.plan ? { ...gated, entries } : gated
  } catch (error) {
    await entries?.catch(() => undefined)
    throw error
  }
}

async function missingFiles(
  parts: ChannelParts,
  files: readonly PlannedFile[],
): Promise<PlannedFile[]> {
  const here = await parts.blobs.present(files.map((file) => file.sha256))
  return files.filter((file) => !here.has(file.sha256))
}
