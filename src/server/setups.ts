/**
 * What to put on a machine so that it follows a channel, put together from the channel's head.
 */
import { binaryIndexes, readState } from '../archives/suite-state.ts'
import { AppError } from '../base/errors.ts'
import { sha256Of } from '../base/sha256.ts'
import { isClass, listChannels, titleOf } from '../channels/channel-table.ts'
import { publicationOf } from '../channels/ensure-publication.ts'
import { keyringFile } from '../channels/keyring-files.ts'
import { findPublication } from '../signing/publication-table.ts'
import { publicKeyFiles } from '../signing/sign-release.ts'
import type { ApiContext } from './api-context.ts'
import { type ClientSetup, clientSetup } from './client-script.ts'
import type { SetupSuite } from './client-setup.ts'

/** The setup for one channel; `ERR_NOT_FOUND` if it serves nothing yet. */
export async function setupOf(context: ApiContext, channel: string): Promise<ClientSetup> {
  const { parts } = context
  const head = parts.views.head(channel)
  const publication = await findPublication(parts.db, publicationOf(channel))
  if (head === undefined || publication === undefined) {
    throw new AppError('ERR_NOT_FOUND', {
      message: `there is no ${titleOf(channel)}, or it holds nothing yet`,
      hint: `sluice ${titleOf(channel).split(' ')[0]} list`,
    })
  }
  const { armored } = await publicKeyFiles(parts, publication)
  const suites: SetupSuite[] = []
  for (const { archive, suite, state } of head.suites) {
    const held = await readState(parts.blobs, state)
    suites.push({
      archive,
      suite,
      components: [...new Set(binaryIndexes(held).map((index) => index.component))],
      hasSources: held.indexes.some((index) => index.kind === 'Sources'),
    })
  }
  return clientSetup({
    channel,
    publicUrl: context.publicUrl(),
    keySha256: sha256Of(armored),
    suites,
    oldFiles: context.oldFiles,
    keyring: await keyringFile(parts, publication),
  })
}

/** The setups of all channels that serve something, in the order they were made; not those of classes. */
export async function allSetups(context: ApiContext): Promise<ClientSetup[]> {
  const setups: ClientSetup[] = []
  for (const { name, kind } of await listChannels(context.parts.db)) {
    if (isClass({ kind }) || context.parts.views.head(name) === undefined) continue
    setups.push(await setupOf(context, name))
  }
  return setups
}
