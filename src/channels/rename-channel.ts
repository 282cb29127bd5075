/**
 * Giving a channel another name: its publication goes along, with its key, its Date floors and its history, so that a
 * machine needs the new URL and nothing else. The old URL is gone.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { findPublication, renamePublication } from '../signing/publication-table.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { getChannel, isChannelName, isClass, renameChannelRow, titleOf } from './channel-table.ts'
import { publicationOf } from './ensure-publication.ts'
import { refreshKeyrings } from './keyring-release.ts'
import { resign } from './re-sign.ts'
import { urlPathOf } from './release-urls.ts'
import { assertCanBeCalled, keepName } from './taken-names.ts'

export interface RenameInput extends Reason {
  readonly channel: string
  /** What it is called from then on. */
  readonly name: string
}

/** Renames a channel; `ERR_CONFLICT` if the name is taken, or was that of a channel whose key machines may still have. */
export async function renameChannel(
  parts: ChannelParts,
  input: RenameInput,
  { signal }: Abortable = {},
): Promise<void> {
  const { channel: old, name } = input
  if (!isChannelName(name) || old === name) {
    throw new AppError('ERR_USAGE', {
      message: `channel ${old} cannot be renamed to ${JSON.stringify(name)}`,
      hint: 'another name: lower-case letters, digits, dots, plus and minus, beginning with a letter or digit',
    })
  }
  // Always in the same order: two renames that swap names would wait for each other.
  const [first = old, second = name] = [old, name].sort()
  await parts.channelLock(first)(() =>
    parts.channelLock(second)(async () => {
      await moveNames(parts, input)
      crashPoint('rename: written, not yet served')
      parts.views.rename(old, name)
      // Its key goes into a file of the new name.
      parts.keyring.startRound((abortable) => refreshKeyrings(parts, abortable))
      const named = Buffer.from(`/${urlPathOf(old)}@`)
      const isNamed = parts.views.head(name)?.suites.some((suite) => suite.release.includes(named))
      // The Releases tell where snapshots of the channel are.
      if (isNamed === true) {
        const why = `it was called ${old}`
        await resign(parts, name, { who: input.who, why }, { signal })
      }
    }),
  )
}

async function moveNames(
  parts: ChannelParts,
  { channel: old, name, who, why }: RenameInput,
): Promise<void> {
  const channel = await getChannel(parts.db, old)
  if (isClass(channel)) {
    throw new AppError('ERR_REFUSED', {
      message: `${titleOf(old)} is no channel`,
      hint: 'make a class of the other name, and move its machines: sluice class create NAME --channel CHANNEL',
    })
  }
  await inTransaction(parts.db, async (trx) => {
    const publication = await findPublication(trx, publicationOf(old))
    await assertCanBeCalled(trx, name, publication?.id)
    if ((await findPublication(trx, publicationOf(name))) !== undefined) {
      throw new AppError('ERR_CONFLICT', {
        message: `${name} was a channel once: machines may still have the key of that one`,
        hint: 'take another name',
      })
    }
    if (publication !== undefined) {
      await keepName(trx, old, publication.id)
      await renamePublication(trx, publication.id, publicationOf(name))
    }
    await renameChannelRow(trx, channel.id, name)
    const detail = { before: old }
    const object = titleOf(name)
    await writeAudit(trx, {
      at: parts.clock.now(),
      who,
      what: 'channel rename',
      object,
      why,
      detail,
    })
  })
}
