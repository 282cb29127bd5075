/**
 * Whether a channel or class may get a name. A publication that is called otherwise by now keeps the names that it had: its
 * machines go on naming `sluice-<old name>.asc` by Signed-By, and the keyring package would put the key of the new owner
 * of the name there, which is not what signs what they take.
 */
import { AppError } from '../base/errors.ts'
import { listPublications } from '../signing/publication-table.ts'
import type { Db } from '../store/database.ts'
import { assertNameIsFree, titleOf } from './channel-table.ts'
import { channelOf, publicationOf } from './ensure-publication.ts'
import { keyringPath } from './keyring-package.ts'
import { listKeyringFiles, saveKeyringFile } from './keyring-table.ts'

/** Throws `ERR_CONFLICT` if the name is another channel's, or was. `own` is the publication that would get it, if it exists. */
export async function assertCanBeCalled(db: Db, name: string, own?: number): Promise<void> {
  await assertNameIsFree(db, name)
  const path = keyringPath(name)
  const file = (await listKeyringFiles(db)).find(({ word }) => word === path)
  if (file === undefined || file.publicationId === own) return
  const owner = (await listPublications(db)).find(({ id }) => id === file.publicationId)
  // Deleted and made anew, a channel has the publication that it had.
  if (owner === undefined || owner.name === publicationOf(name)) return
  const renamed = channelOf(owner.name)
  throw new AppError('ERR_CONFLICT', {
    message: `${name} is what ${titleOf(renamed)} was called: its machines may have its key as ${path}`,
    hint: `take another name, or give that one back: sluice channel rename ${renamed} ${name}`,
  })
}

/** Writes down that the publication's machines know it by this name, for ever; within the caller's transaction. */
export function keepName(db: Db, name: string, publicationId: number): Promise<void> {
  return saveKeyringFile(db, keyringPath(name), publicationId)
}
