/**
 * What a digest tells: what waits, what went since the last one, and what needs somebody to look at it. Data alone: mails
 * and webhooks make of it what they show.
 *
 * What went is what came to the second channel after `since` and not after `until`, a time that does not move while a
 * digest is tried again: no generation is told twice, or left out. What waits is told as it is now.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Channel, findChannelById } from '../channels/channel-table.ts'
import {
  type GenerationKind,
  listGenerations,
  type SourceChange,
} from '../channels/generation-table.ts'
import { type Attention, listAttention } from './attention.ts'
import { type Digest, listDigests } from './digest-table.ts'
import { listWaiting, type WaitingSource } from './digest-waiting.ts'
import type { DeskParts } from './pending-details.ts'

/** So much of a list is told; counts are of all. */
const MOST_WAITING = 500
const MOST_GENERATIONS = 50
const MOST_CHANGES = 100
const LOOKED_AT = 1000

/** A channel and the serial of its head; 0 before the first. */
export interface DigestPoint {
  readonly channel: string
  readonly serial: number
}

/** A generation that came to the channel. */
export interface WentGeneration {
  readonly serial: number
  /** Epoch milliseconds. */
  readonly madeAt: number
  readonly kind: GenerationKind
  readonly who: string
  readonly why?: string | undefined
  /** How many sources changed, and the first of them. */
  readonly changed: number
  readonly changes: readonly SourceChange[]
}

export interface DigestContent {
  readonly name: string
  readonly from: DigestPoint
  readonly to: DigestPoint
  /** Epoch milliseconds: what went is told between them. */
  readonly since: number
  readonly until: number
  readonly timeZone: string
  /** What clients call this server. */
  readonly server: string
  readonly waits: {
    /** Sources that wait for somebody's decision, and how many of these for security. */
    readonly sources: number
    readonly security: number
    /** Sources that differ and are held, or declined: they wait for nobody. */
    readonly held: number
    readonly declined: number
    readonly entries: readonly WaitingSource[]
  }
  readonly went: {
    readonly generations: number
    readonly sources: number
    /** Newest first. */
    readonly entries: readonly WentGeneration[]
  }
  readonly attention: readonly Attention[]
}

/** What the digest tells; `ERR_NOT_FOUND` if a channel of it is gone. */
export async function readDigest(
  parts: DeskParts,
  digest: Digest,
  { since, until }: { readonly since: number; readonly until: number },
  abortable: Abortable = {},
): Promise<DigestContent> {
  const from = await channelOf(parts, digest, digest.fromId)
  const to = await channelOf(parts, digest, digest.toId)
  const waiting = await listWaiting(parts, { from, to }, abortable)
  const waits = waiting.filter((one) => !one.isHeld && !one.isDeclined)
  return {
    name: digest.name,
    from: { channel: from.name, serial: from.head },
    to: { channel: to.name, serial: to.head },
    since,
    until,
    timeZone: digest.timeZone,
    server: parts.address.configured ?? parts.address.told,
    waits: {
      sources: waits.length,
      security: waits.filter((one) => one.isSecurity).length,
      held: waiting.filter((one) => one.isHeld).length,
      declined: waiting.filter((one) => one.isDeclined && !one.isHeld).length,
      entries: waits.slice(0, MOST_WAITING),
    },
    went: await readWent(parts, to, since, until),
    attention: [
      ...(await digestTroubles(parts, digest)),
      ...(await listAttention(parts, abortable)),
    ],
  }
}

/** Whether there is nothing that anybody would want to be told. */
export function isNothing({ waits, went, attention }: DigestContent): boolean {
  return waits.sources === 0 && went.generations === 0 && attention.length === 0
}

async function readWent(
  parts: ChannelParts,
  channel: Channel,
  since: number,
  until: number,
): Promise<DigestContent['went']> {
  const made = await listGenerations(parts.db, channel.id, LOOKED_AT, { since: since + 1 })
  // A Release that is signed anew brings nothing.
  const told = made.filter(({ madeAt, kind }) => madeAt <= until && kind !== 're-sign')
  const entries = told.slice(0, MOST_GENERATIONS).map(
    ({ serial, madeAt, kind, who, why, changes = [] }): WentGeneration => ({
      serial,
      madeAt,
      kind,
      who,
      why,
      changed: changes.length,
      changes: changes.slice(0, MOST_CHANGES),
    }),
  )
  const sources = told.reduce((sum, { changes = [] }) => sum + changes.length, 0)
  return { generations: told.length, sources, entries }
}

/** That one before this, or another one, was not sent: whoever reads this should know. */
async function digestTroubles({ db }: ChannelParts, told: Digest): Promise<Attention[]> {
  return (await listDigests(db)).flatMap(({ id, name, trouble, isEnabled }): Attention[] => {
    if (trouble === undefined || (id === told.id && trouble.retryAt !== undefined)) return []
    if (id !== told.id && !isEnabled) return []
    const which = id === told.id ? 'the digest before this one' : `the last digest ${name}`
    const what = trouble.isPartly === true ? 'was not sent to all' : 'was not sent'
    return [
      {
        kind: 'digest',
        message: `${which} ${what}: ${trouble.message}`,
        hint: trouble.hint ?? `sluice digest show ${name}`,
      },
    ]
  })
}

async function channelOf({ db }: ChannelParts, { name }: Digest, id: number): Promise<Channel> {
  const channel = await findChannelById(db, id)
  if (channel !== undefined) return channel
  throw new AppError('ERR_NOT_FOUND', {
    message: `a channel that the digest ${name} tells of is deleted`,
    hint: `sluice digest set ${name} --from CHANNEL --to CHANNEL, or sluice digest delete ${name}`,
  })
}
