/**
 * Going back: a new generation with the content of an old one, and a newer Date. What was revoked since does not come back.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { getBase } from './channel-base.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel, titleOf } from './channel-table.ts'
import { changesAgainstHead } from './follow.ts'
import { absent } from './generation-name.ts'
import { type Generation, listGenerationSuites, listGenerations } from './generation-table.ts'
import { inverseChanges } from './inverse-changes.ts'
import { publishGeneration } from './publish.ts'
import { withoutRevoked } from './without-revoked.ts'

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
    if (channel.baseId !== undefined) throw movesOn(channel, await getBase(parts.db, channel))
    const old = await listGenerationSuites(parts.db, channel.id, input.to)
    if (old.length === 0) throw absent(channel, input.to)
    const { entries, removed } = await withoutRevoked(parts, old)
    const since = await listGenerations(parts.db, channel.id, channel.head - input.to)
    const inverse = inverseChanges(since.filter(({ serial }) => serial > input.to))
    const changes =
      removed.length === 0 && inverse !== undefined
        ? inverse
        : await changesAgainstHead(parts, channel, entries)
    return publishGeneration(
      parts,
      { ...input, channel, kind: 'rollback', entries, changes },
      { signal },
    )
  })
}

function movesOn({ name, kind }: Channel, base: Channel): AppError {
  const back = `go back with ${base.name}: sluice rollback ${base.name} --to SERIAL`
  return kind === 'class'
    ? new AppError('ERR_REFUSED', {
        message: `${titleOf(name)} is what channel ${base.name} is, and would move on with it`,
        hint: `${back}; or move the class: sluice class set ${name.slice(name.indexOf('/') + 1)} --channel CHANNEL`,
      })
    : new AppError('ERR_REFUSED', {
        message: `channel ${name} is based on ${base.name} and would move on with it`,
        hint: `${back}; or keep single sources where they are: sluice hold SOURCE --channel ${name}`,
      })
}
