/**
 * Following: a channel is brought to what its archives hold now, in at most one new generation.
 */
import { getArchive, listSuites } from '../archives/archive-table.ts'
import { readState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, findChannelById, getChannel, listChannels } from './channel-table.ts'
import { changesOf, diffStates } from './diff.ts'
import type { SuiteEntry } from './draft-suite.ts'
import type { Generation, SourceChange } from './generation-table.ts'
import { publishGeneration } from './publish.ts'
import { withContents } from './with-contents.ts'
import { withoutRevoked } from './without-revoked.ts'

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

/**
 * Follows in every channel that tracks one of these archives; a derived one does so in the background. One that cannot
 * be published keeps no other from it: the first failure is thrown after all were tried.
 */
export async function followInAll(
  parts: ChannelParts,
  archives: readonly string[],
  reason: Reason,
  { signal }: Abortable = {},
): Promise<{ channel: string; generation: Generation }[]> {
  const made: { channel: string; generation: Generation }[] = []
  const failures: unknown[] = []
  for (const channel of await listChannels(parts.db)) {
    if (!channel.follows.some((archive) => archives.includes(archive))) continue
    if (channel.baseId !== undefined) {
      parts.derivation.wake(channel.id)
      continue
    }
    try {
      const input = { ...reason, channel: channel.name }
      const generation = await followArchives(parts, input, { signal })
      if (generation !== undefined) made.push({ channel: channel.name, generation })
    } catch (error) {
      signal?.throwIfAborted()
      // It may have been deleted since the list was made; or renamed: then it is followed at the next round.
      const now = await findChannelById(parts.db, channel.id)
      if (now?.name === channel.name) failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return made
}

/** What the archives hold now, as suites of a generation: without what is revoked. */
export async function followedEntries(
  parts: ChannelParts,
  archives: readonly string[],
): Promise<readonly SuiteEntry[]> {
  const entries: SuiteEntry[] = []
  for (const name of archives) {
    const archive = await getArchive(parts.db, name)
    for (const { suite, state } of await listSuites(parts.db, archive)) {
      if (state !== undefined) entries.push({ archive: name, suite, state })
    }
  }
  return (await withoutRevoked(parts, await withContents(parts, entries))).entries
}

/**
 * What these entries change in the channel, by source package, more than its phasing: a percentage that upstream raises makes
 * no version young again. Undefined where the channel serves nothing yet.
 */
export async function changesAgainstHead(
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
    changes.push(...changesOf(after, await diffStates(parts, before, after, 'all', 'ignored')))
  }
  return changes
}
