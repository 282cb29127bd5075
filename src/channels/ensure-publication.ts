/**
 * The publication of a channel or class, made with its key when it is first needed.
 */
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { crashPoint } from '../base/fault.ts'
import { insertPublicationKey, listPublicationKeys } from '../signing/publication-key-table.ts'
import {
  findPublication,
  insertPublication,
  type Publication,
} from '../signing/publication-table.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'

/** The name of a channel's publication: `channel:approved`; of a class's, `class:web` for `class/web`. */
export function publicationOf(channel: string): string {
  return channel.startsWith('class/') ? channel.replace('/', ':') : `channel:${channel}`
}

/** The channel of a publication of this name. */
export function channelOf(publication: string): string {
  return publication.replace(/^channel:/, '').replace(/^class:/, 'class/')
}

/** The publication of this channel, with a key made now if it is new. */
export async function ensurePublication(
  parts: ChannelParts,
  channel: string,
  { who, why }: Reason,
  { signal }: Abortable = {},
): Promise<Publication> {
  const name = publicationOf(channel)
  const known = await findPublication(parts.db, name)
  if (known !== undefined) return known
  const taken = (await listPublicationKeys(parts.db)).map((key) => key.fingerprint)
  const wanted = { publication: name, at: nowSeconds(parts.clock), known: taken }
  const { fingerprint, source, bytes } = await parts.signer.makeKey(wanted, { signal })
  crashPoint('publish: key made, no publication')
  const made = await inTransaction(parts.db, async (trx) => {
    const at = parts.clock.now()
    await writeAudit(trx, {
      at,
      who,
      what: 'key create',
      object: name,
      why,
      detail: { fingerprint },
    })
    const publication = await insertPublication(trx, name)
    await insertPublicationKey(trx, {
      fingerprint,
      publicationId: publication.id,
      state: 'current',
      source,
      publicKey: bytes,
      madeAt: at,
      changedAt: at,
    })
    return publication
  })
  crashPoint('publish: publication written')
  return made
}
