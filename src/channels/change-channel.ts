/**
 * Making, following, rolling back, signing again and deleting channels: each ends in at most one new generation.
 */
import { getArchive, listSuites } from '../archives/archive-table.ts'
import { readState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { AppError } from '../base/errors.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import {
  assertNameIsFree,
  type Channel,
  deleteChannelRows,
  type Generation,
  getChannel,
  insertChannel,
  isChannelName,
  listChannels,
  listGenerationSuites,
  listGenerations,
  type SourceChange,
  setFollows,
} from './channel-table.ts'
import { changesOf, diffStates } from './diff.ts'
import { inverseChanges } from './inverse-changes.ts'
import { findGeneration } from './promote.ts'
import { type NewChannel, publishGeneration, type SuiteEntry } from './publish.ts'

/** A Release is signed again when half of its life is over. */
const RESIGN_AFTER_S = 7 * 24 * 3600

export interface CreateInput extends Reason {
  readonly name: string
  /** Archives to follow; or a channel, or `CHANNEL@SERIAL`, to copy once. */
  readonly source: { readonly follow: readonly string[] } | { readonly from: string }
}

/**
 * Makes a channel together with its first generation; a following one may have none until its archives hold something.
 */
export async function createChannel(
  parts: ChannelParts,
  input: CreateInput,
  { signal }: Abortable = {},
): Promise<Channel> {
  if (!isChannelName(input.name)) {
    throw new AppError('ERR_USAGE', {
      message: `a channel cannot be called ${JSON.stringify(input.name)}`,
      hint: 'lower-case letters, digits, dots, plus and minus, beginning with a letter or digit',
    })
  }
  const follows = 'follow' in input.source ? input.source.follow : []
  for (const archive of follows) await getArchive(parts.db, archive)
  const from = 'from' in input.source ? await findGeneration(parts, input.source.from) : undefined
  const insert = async (trx: Db): Promise<Channel> => {
    const kind = from === undefined ? 'following' : 'curated'
    const made = await insertChannel(trx, {
      name: input.name,
      kind,
      follows,
      madeAt: parts.clock.now(),
    })
    const detail = 'from' in input.source ? { from: input.source.from } : { follow: follows }
    await writeAudit(trx, {
      at: parts.clock.now(),
      who: input.who,
      what: 'channel create',
      object: `channel ${input.name}`,
      why: input.why,
      detail,
    })
    return made
  }
  return parts.channelLock(input.name)(async () => {
    await assertNameIsFree(parts.db, input.name)
    const entries = from?.suites ?? (await followedEntries(parts, follows))
    if (entries.length === 0) return inTransaction(parts.db, insert)
    const channel: NewChannel = { name: input.name, head: 0, insert }
    await publishGeneration(parts, { ...input, channel, kind: 'create', entries }, { signal })
    return getChannel(parts.db, input.name)
  })
}

/** Says anew which archives a following channel tracks, and brings it to what they hold. */
export async function setFollowed(
  parts: ChannelParts,
  input: Reason & { readonly channel: string; readonly follow: readonly string[] },
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  for (const archive of input.follow) await getArchive(parts.db, archive)
  await parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    if (channel.kind !== 'following') {
      throw new AppError('ERR_REFUSED', {
        message: `channel ${channel.name} changes by promotion only; it follows nothing`,
        hint: `let the channel that it is promoted from follow the archive, then: sluice promote --all --to ${channel.name}`,
      })
    }
    await inTransaction(parts.db, async (trx) => {
      await setFollows(trx, channel.id, input.follow)
      await writeAudit(trx, {
        at: parts.clock.now(),
        who: input.who,
        what: 'channel set',
        object: `channel ${channel.name}`,
        why: input.why,
        detail: { before: channel.follows, follow: input.follow },
      })
    })
  })
  return followArchives(parts, input, { signal })
}

/** Brings a following channel to what its archives hold; undefined if it is there already. */
export function followArchives(
  parts: ChannelParts,
  input: Reason & { readonly channel: string },
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const entries = await followedEntries(parts, channel.follows)
    if (entries.length === 0) return undefined
    const kind = channel.head === 0 ? 'create' : 'follow'
    const changes = await changesAgainstHead(parts, channel, entries)
    return publishGeneration(parts, { ...input, channel, kind, entries, changes }, { signal })
  })
}

/** Follows in every channel that tracks one of these archives. */
export async function followInAll(
  parts: ChannelParts,
  archives: readonly string[],
  reason: Reason,
  { signal }: Abortable = {},
): Promise<{ channel: string; generation: Generation }[]> {
  const made: { channel: string; generation: Generation }[] = []
  for (const channel of await listChannels(parts.db)) {
    if (!channel.follows.some((archive) => archives.includes(archive))) continue
    const generation = await followArchives(parts, { ...reason, channel: channel.name }, { signal })
    if (generation !== undefined) made.push({ channel: channel.name, generation })
  }
  return made
}

/** A new generation with the content of an old one, and a newer Date; undefined if the head holds the same. */
export function rollback(
  parts: ChannelParts,
  input: Reason & { readonly channel: string; readonly to: number },
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    if (channel.kind === 'following') {
      throw new AppError('ERR_REFUSED', {
        message: `channel ${channel.name} follows its archives and would move on at the next refresh`,
        hint: 'roll back a curated channel, or make one: sluice channel create NAME --from CHANNEL@SERIAL',
      })
    }
    const entries = await listGenerationSuites(parts.db, channel.id, input.to)
    if (entries.length === 0) {
      throw new AppError('ERR_NOT_FOUND', {
        message: `channel ${channel.name} has no generation ${input.to}`,
        hint: `sluice channel history ${channel.name}`,
      })
    }
    const since = await listGenerations(parts.db, channel.id, channel.head - input.to)
    const changes =
      inverseChanges(since.filter(({ serial }) => serial > input.to)) ??
      (await changesAgainstHead(parts, channel, entries))
    return publishGeneration(
      parts,
      { ...input, channel, kind: 'rollback', entries, changes },
      { signal },
    )
  })
}

/** Signs a channel's suites anew when half of their life is over, so that no client sees one expire. */
export function resignIfDue(
  parts: ChannelParts,
  name: string,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(name)(async () => {
    const channel = await getChannel(parts.db, name)
    const head = parts.views.head(name)
    const oldest = Math.min(...(head?.suites ?? []).map((suite) => suite.date))
    if (head === undefined || oldest > nowSeconds(parts.clock) - RESIGN_AFTER_S) return undefined
    const why = 'half of the time to Valid-Until is over'
    return publishGeneration(
      parts,
      {
        channel,
        kind: 're-sign',
        entries: head.suites,
        changes: [],
        who: 'system',
        why,
        resign: true,
      },
      { signal },
    )
  })
}

/** Removes a channel with its history. Its key and Date floors stay, for a channel made anew under its name. */
export function deleteChannel(
  parts: ChannelParts,
  input: Reason & { readonly channel: string },
): Promise<void> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    await inTransaction(parts.db, async (trx) => {
      await deleteChannelRows(trx, channel.id)
      await writeAudit(trx, {
        at: parts.clock.now(),
        who: input.who,
        what: 'channel delete',
        object: `channel ${channel.name}`,
        why: input.why,
        detail: { head: channel.head },
      })
    })
    parts.views.drop(channel.name)
  })
}

async function followedEntries(
  parts: ChannelParts,
  archives: readonly string[],
): Promise<SuiteEntry[]> {
  const entries: SuiteEntry[] = []
  for (const name of archives) {
    const archive = await getArchive(parts.db, name)
    for (const { suite, state } of await listSuites(parts.db, archive)) {
      if (state !== undefined) entries.push({ archive: name, suite, state })
    }
  }
  return entries
}

async function changesAgainstHead(
  parts: ChannelParts,
  channel: Channel,
  entries: readonly SuiteEntry[],
): Promise<SourceChange[] | undefined> {
  const head = parts.views.head(channel.name)
  if (head === undefined) return undefined
  const changes: SourceChange[] = []
  for (const entry of entries) {
    const old = head.suites.find(
      (one) => one.archive === entry.archive && one.suite === entry.suite,
    )
    if (old === undefined || old.state === entry.state) continue
    const [before, after] = [
      await readState(parts.blobs, old.state),
      await readState(parts.blobs, entry.state),
    ]
    changes.push(...changesOf(after, await diffStates(parts, before, after, 'all')))
  }
  return changes
}
