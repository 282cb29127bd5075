/**
 * What a channel takes of a promotion, and how it becomes part of the channel.
 *
 * A curated channel is edited. A derived one gets a pin for each source, and is made of its base and its pins: it takes only
 * what is newer than what it has by its base, or that itself, which ends its own promotion. Held sources are left out, or
 * refused if they were named; `force` takes them, and they are held as they are then.
 */
import { type Revocation, revokedWords } from '../archives/revocations.ts'
import { readState } from '../archives/suite-state.ts'
import { AppError } from '../base/errors.ts'
import { getBase } from './channel-base.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import type { Channel } from './channel-table.ts'
import { listDeclines } from './decline-table.ts'
import { declinedIn, declineWords, leavesNothing } from './declined.ts'
import { type Below, readBelow } from './derive.ts'
import { diffStates } from './diff.ts'
import type { SourceChange } from './generation-table.ts'
import { listHolds } from './hold-end.ts'
import { phasingOf } from './phasing.ts'
import { isAhead, versionsIn } from './pin-order.ts'
import type { Pin } from './pin-table.ts'
import type { LeftOut, LeftOutReason, PlanInput, PromotionPlan } from './plan.ts'
import { isNarrowed } from './selection.ts'
import type { GenerationView } from './views.ts'

/** Throws `ERR_REFUSED` if the channel takes no promotion at all. */
export function assertTakesPromotions({ name, kind }: Channel): void {
  if (kind === 'following') {
    throw new AppError('ERR_REFUSED', {
      message: `channel ${name} follows its archives; it takes no promotion`,
      hint: 'make a curated one: sluice channel create NAME --from CHANNEL',
    })
  }
  if (kind === 'class') {
    throw new AppError('ERR_REFUSED', {
      message: `${name} is what is published for a class: it is what its channel is`,
      hint: 'promote to that channel: sluice class list tells which it is',
    })
  }
}

/** Names of the sources that are held in the channel now. */
export async function heldSources(
  parts: Parameters<typeof listHolds>[0],
  { id }: Pick<Channel, 'id'>,
): Promise<Set<string>> {
  return new Set((await listHolds(parts, id)).map((pin) => pin.source))
}

/** What the target refuses of a promotion from this generation. */
export async function refusals(
  parts: ChannelParts,
  target: Channel,
  { from, isForced }: { readonly from: GenerationView; readonly isForced: boolean },
): Promise<PlanInput['refused']> {
  const held = await heldSources(parts, target)
  const declines = await listDeclines(parts.db, target.id)
  const isDeclined = declinedIn(declines)
  const below =
    target.baseId === undefined
      ? undefined
      : await readBelow(parts, target, await getBase(parts.db, target))
  return async (changes) => {
    const refused: LeftOut[] = []
    for (const change of changes) {
      const isHeld = held.has(change.source)
      let reason: LeftOutReason | undefined
      let words: string | undefined
      const revoked = newestRevoked(parts, change)
      if (revoked !== undefined) {
        reason = 'revoked'
        words = revokedWords(revoked)
      } else if (isHeld && !isForced) reason = 'held'
      else if (leavesNothing(change, isDeclined)) {
        reason = 'declined'
        words = declineWords(declines, change.source, change.new)
      } else if (below !== undefined)
        reason = await whyNotOnTop(parts, { target, below, from }, change, isHeld)
      if (reason !== undefined) refused.push({ ...change, reason, words })
    }
    return refused
  }
}

/** By what the newest of these versions is revoked, where that leaves nothing to come. */
function newestRevoked(
  { revocations }: ChannelParts,
  change: SourceChange,
): Revocation | undefined {
  const isRevoked = (source: string, version: string): boolean =>
    revocations.ofSource(source, version) !== undefined
  if (!leavesNothing(change, isRevoked)) return undefined
  return change.new
    .toReversed()
    .map((version) => revocations.ofSource(change.source, version))
    .find((one) => one !== undefined)
}

async function whyNotOnTop(
  parts: ChannelParts,
  {
    target,
    below,
    from,
  }: { readonly target: Channel; readonly below: Below; readonly from: GenerationView },
  change: SourceChange,
  isHeld: boolean,
): Promise<LeftOutReason | undefined> {
  const base = below.entries.find((one) => isSameSuite(one, change))
  const promoted = from.suites.find((one) => isSameSuite(one, change))
  if (base === undefined || promoted === undefined) return 'no suite'
  if (isHeld) return undefined
  const [state, its] = [
    await readState(parts.blobs, base.state),
    await readState(parts.blobs, promoted.state),
  ]
  const { source, old } = change
  const pin = { source, old, new: await versionsIn(parts, its, source), state: promoted.state }
  if (await isAhead(parts, pin, state)) return undefined
  const differing = await diffStates(parts, state, its, new Set([source]), phasingOf(target))
  return differing.length === 0 ? undefined : 'not newer'
}

/**
 * Throws `ERR_REFUSED` if a source that was named is among those left out. One that the selection itself leaves out in one
 * suite may go in another.
 */
export function assertNothingLeftOut(
  target: Channel,
  from: string,
  { leftOut: all, changes }: PromotionPlan,
  names: ReadonlySet<string>,
): void {
  const taken = new Set(changes.map(({ source }) => source))
  const leftOut = all.filter(
    ({ source, reason }) => names.has(source) && !(isNarrowed(reason) && taken.has(source)),
  )
  const [first] = leftOut
  if (first === undefined) return
  const named = leftOut.filter((one) => one.reason === first.reason).map((one) => one.source)
  const [message, hint] = refusalOf(target, from, first, [...new Set(named)])
  throw new AppError('ERR_REFUSED', { message, hint, details: { leftOut } })
}

/** What is wrong, and what to do about it. */
function refusalOf(
  { name }: Channel,
  from: string,
  first: LeftOut,
  named: readonly string[],
): readonly [message: string, hint: string] {
  const { source, archive, suite } = first
  const sources = named.join(', ')
  const are = named.length === 1 ? 'is' : 'are'
  const reasons: Readonly<Record<LeftOutReason, readonly [string, string]>> = {
    held: [
      `${sources} ${are} held in channel ${name}`,
      `sluice hold --list --channel ${name} tells by whom and why; sluice unhold ${source} --channel ${name}, or --force`,
    ],
    declined: [
      `${name} declined ${sources} ${first.new.join(' ')}`,
      `sluice decline --list --channel ${name} tells by whom and why; a newer version goes as usual, this one after sluice undecline ${source}=${first.new.at(-1)} --channel ${name}`,
    ],
    revoked: [
      first.words ?? `${sources} ${are} revoked`,
      `raise the version; or, if that was a mistake: sluice revoke --undo ${source}=${first.new.at(-1)} --reason TEXT`,
    ],
    'not newer': [
      `${name} has by what it is based on what is as new as ${sources} ${first.new.join(' ')}, and would follow that again at once`,
      `to keep it at that all the same: sluice hold ${source} --channel ${name}, then promote it with --force`,
    ],
    uninstallable: [`${sources} would break others in ${name}`, `--with-deps, or --force`],
    'no suite': [
      `what ${name} is based on has no ${archive} ${suite}`,
      `promote to its base first, or let it follow the archive: sluice channel set ${name} --follow ${archive}`,
    ],
    excepted: [`${sources} ${are} named, and excepted`, 'leave out the one or the other'],
    'not security': [
      `what ${from} has of ${sources} is not of a suite of security updates`,
      `without --security: sluice promote ${source} --from ${from} --to ${name}`,
    ],
    'too young': [
      `${from} has not had ${sources} ${first.new.join(' ')} for so long`,
      `sluice pending --from ${from} --to ${name} tells for how long; without --older-than it goes now`,
    ],
  }
  return reasons[first.reason]
}

/** The pins that a promotion makes: of a derived channel for each change, of a curated one for what is held. */
export async function pinsOf(
  parts: ChannelParts,
  target: Channel,
  {
    from,
    plan,
    who,
    why,
  }: Reason & { readonly from: GenerationView; readonly plan: PromotionPlan },
): Promise<Pin[]> {
  const holds = await listHolds(parts, target.id)
  const isDeclined = declinedIn(await listDeclines(parts.db, target.id))
  const pins: Pin[] = []
  for (const change of plan.changes) {
    const promoted = from.suites.find((one) => isSameSuite(one, change))
    const hold = holds.find((one) => one.source === change.source)
    const isHeld = hold !== undefined
    if (promoted === undefined || (target.baseId === undefined && !isHeld)) continue
    const { archive, suite, source, old } = change
    const versions = await versionsIn(parts, await readState(parts.blobs, promoted.state), source)
    pins.push({
      archive,
      suite,
      source,
      kind: isHeld ? 'hold' : 'promotion',
      state: promoted.state,
      old,
      new: versions.filter(
        (version) =>
          !isDeclined(source, version) && parts.revocations.ofSource(source, version) === undefined,
      ),
      madeAt: parts.clock.now(),
      who,
      why,
      until: hold?.until,
    })
  }
  return pins
}

/** `pins` with the new ones in place of those of the same source and suite. */
export function withPins(pins: readonly Pin[], fresh: readonly Pin[]): Pin[] {
  const isReplaced = (pin: Pin): boolean =>
    fresh.some((one) => isSameSuite(one, pin) && one.source === pin.source)
  return [...pins.filter((pin) => !isReplaced(pin)), ...fresh]
}

function isSameSuite(
  a: { readonly archive: string; readonly suite: string },
  b: { readonly archive: string; readonly suite: string },
): boolean {
  return a.archive === b.archive && a.suite === b.suite
}
