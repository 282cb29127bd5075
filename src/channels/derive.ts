/**
 * Bringing a derived channel or a class up to what it is based on, in at most one new generation.
 */
import type { Abortable } from '../base/abortable.ts'
import { crashPoint } from '../base/fault.ts'
import { type Db, inTransaction } from '../store/database.ts'
import { getBase, headOfBase } from './channel-base.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel } from './channel-table.ts'
import { type DeclinedVersion, listDeclines } from './decline-table.ts'
import { type DerivedContent, layerPins } from './derived-content.ts'
import type { SuiteEntry } from './draft-suite.ts'
import { changesAgainstHead, followedEntries } from './follow.ts'
import type { Generation, GenerationKind } from './generation-table.ts'
import { isOver, lifted, settleHolds } from './hold-end.ts'
import { keepDeclined } from './keep-declined.ts'
import { phasingOf } from './phasing.ts'
import { dropPins, listPins, type Pin, putPins } from './pin-table.ts'
import { publishGeneration } from './publish.ts'
import { withoutRevoked } from './without-revoked.ts'

/** What lies below a channel's own pins, and which generation of its base that is; 0 before its base has one. */
export interface Below {
  readonly base: Channel
  readonly serial: number
  readonly entries: readonly SuiteEntry[]
}

/** What the channel has by its base, and by the archives that it follows itself where its base lacks the suite. */
export async function readBelow(
  parts: ChannelParts,
  channel: Pick<Channel, 'follows'>,
  base: Channel,
): Promise<Below> {
  const view = await headOfBase(parts, base)
  const based = (view?.suites ?? []).map(({ archive, suite, state }) => ({ archive, suite, state }))
  const followed = (await followedEntries(parts, channel.follows)).filter(
    (one) => !based.some((old) => old.archive === one.archive && old.suite === one.suite),
  )
  return { base, serial: base.head, entries: [...based, ...followed] }
}

/** Brings the channel up to its base; undefined if it is there already, or the base holds nothing yet. */
export function deriveChannel(
  parts: ChannelParts,
  input: Reason & { readonly channel: string },
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const pins = await listPins(parts.db, channel.id)
    return publishDerived(parts, { ...input, channel, pins }, { signal })
  })
}

export interface DeriveInput extends Reason {
  readonly channel: Channel
  readonly pins: readonly Pin[]
  /** What it declines; as it is, unless told. */
  readonly declines?: readonly DeclinedVersion[] | undefined
  /** `follow` unless told. */
  readonly kind?: GenerationKind | undefined
  /** What the audit tells besides. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined
  /** What else is written with the generation; also when there is none to be made. */
  readonly also?: ((trx: Db) => Promise<void>) | undefined
}

/** The same with the channel's pins as they shall be; the caller holds its lock. Holds that are over are settled. */
export async function publishDerived(
  parts: ChannelParts,
  input: DeriveInput,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  const { channel, who, detail } = input
  const at = parts.clock.now()
  const over = input.pins.filter((pin) => isOver(pin, at))
  const revoked = input.pins.filter((pin) => isRevoked(parts, pin))
  const counting = input.pins
    .filter((pin) => !revoked.includes(pin))
    .map((pin) => (over.includes(pin) ? lifted(pin) : pin))
  const below = await readBelow(parts, channel, await getBase(parts.db, channel))
  const head = parts.views.head(channel.name)?.suites ?? []
  const declines = input.declines ?? (await listDeclines(parts.db, channel.id))
  const { entries: under } = below
  const kept = await keepDeclined(parts, { below: under, head, pins: counting, declines, now: at })
  const layered = await layerPins(parts, under, { ...kept, phasing: phasingOf(channel) })
  const { caughtUp } = layered
  const { entries } = await withoutRevoked(parts, layered.entries)
  const also = async (trx: Db): Promise<void> => {
    await input.also?.(trx)
    await settleHolds(trx, channel, { over, at })
    await dropPins(trx, channel.id, [...caughtUp, ...kept.over, ...revoked])
    await putPins(trx, channel.id, kept.fresh)
  }
  let generation: Generation | undefined
  if (entries.length > 0) {
    const changes = await changesAgainstHead(parts, channel, entries)
    if (changes?.length !== 0) crashPoint('derive: content made')
    const kind = channel.head === 0 ? 'create' : (input.kind ?? 'follow')
    const why = input.why ?? (kind === 'promote' ? undefined : whyFollowed(below, caughtUp))
    const made = { channel, kind, entries, changes, who, why, also, detail }
    generation = await publishGeneration(parts, made, { signal })
  } else {
    await inTransaction(parts.db, also)
  }
  parts.derivation.noteDone(channel.id, below.serial)
  return generation
}

/** Whether a promotion brought nothing but what is revoked: then the channel has again what its base has. */
function isRevoked({ revocations }: ChannelParts, { kind, source, new: versions }: Pin): boolean {
  const isOut = (version: string): boolean => revocations.ofSource(source, version) !== undefined
  return kind === 'promotion' && versions.length > 0 && versions.every(isOut)
}

/** `approved generation 18; hello as approved has it again` */
export function whyFollowed({ base, serial }: Below, caughtUp: DerivedContent['caughtUp']): string {
  const sources = [...new Set(caughtUp.map((pin) => pin.source))]
  const back = sources.length === 0 ? '' : `; ${sources.join(', ')} as ${base.name} has it again`
  return `${base.name} generation ${serial}${back}`
}
