/**
 * A Release signed by all live keys of its publication, and judged before anybody sees it.
 */
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { AppError, toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { armorPublicKeys } from '../debian/public-keys.ts'
import type { SignedRelease } from '../debian/release-signatures.ts'
import {
  fillPublicKey,
  listPublicationKeys,
  liveKeys,
  type PublicationKey,
} from './publication-key-table.ts'
import { listPublications, type Publication } from './publication-table.ts'
import type { SigningParts } from './signing-parts.ts'

/** A key with its public part. */
export type LiveKey = PublicationKey & { readonly publicKey: Buffer }

export interface SignInput {
  /** For messages: `nut stable`. */
  readonly what: string
  readonly text: string
  /** Seconds since 1970: the time of the signatures. */
  readonly date: number
}

/** The signed forms, and the fingerprints of those who signed. `ERR_SIGNATURE_BAD` if a judge refuses them. */
export async function signRelease(
  parts: SigningParts,
  publication: Publication,
  { what, text, date }: SignInput,
  { signal }: Abortable = {},
): Promise<SignedRelease & { readonly signedBy: readonly string[] }> {
  const keys = await readLiveKeys(parts, publication)
  const wanted = { publication: publication.name, keys, text, at: date }
  const signed = await parts.signer.sign(wanted, { signal })
  const at = nowSeconds(parts.clock)
  await parts.judges.judge({ what: `${publication.name} ${what}`, text, signed, keys, at })
  return { ...signed, signedBy: keys.map(({ fingerprint }) => fingerprint) }
}

/** The keys that sign for a publication; `ERR_CONFIG` if one of them is lost. */
export async function readLiveKeys(
  parts: Pick<SigningParts, 'db' | 'signer'>,
  publication: Publication,
): Promise<LiveKey[]> {
  const keys = await liveKeys(parts.db, publication.id)
  return Promise.all(keys.map((key) => withPublicPart(parts, publication, key)))
}

/** Gives keys of an older data directory their public part, and their files the names that they have now. */
export async function takeOverKeys(
  parts: Pick<SigningParts, 'db' | 'signer'>,
  log: Log,
): Promise<void> {
  const without = (await listPublicationKeys(parts.db)).filter((key) => key.publicKey === undefined)
  if (without.length === 0) return
  for (const publication of await listPublications(parts.db)) {
    for (const key of without.filter((one) => one.publicationId === publication.id)) {
      try {
        await withPublicPart(parts, publication, key)
      } catch (error) {
        const { code, message } = toAppError(error)
        log.error({ publication: publication.name, code, problem: message }, 'key not found')
      }
    }
  }
}

/** The public keys that clients need for a publication: `key.asc`, `key.gpg`, and since when they are these. */
export async function publicKeyFiles(
  parts: Pick<SigningParts, 'db' | 'signer'>,
  publication: Publication,
): Promise<{ readonly armored: string; readonly binary: Buffer; readonly changedAt: number }> {
  const keys = await readLiveKeys(parts, publication)
  const bytes = keys.map((key) => key.publicKey)
  return {
    armored: armorPublicKeys(bytes),
    binary: Buffer.concat(bytes),
    changedAt: Math.max(...keys.map((key) => key.changedAt)),
  }
}

/** A key of an older data directory gets its public part, and its file the name that it has now. */
async function withPublicPart(
  { db, signer }: Pick<SigningParts, 'db' | 'signer'>,
  publication: Publication,
  key: PublicationKey,
): Promise<LiveKey> {
  const { publicKey, fingerprint } = key
  if (publicKey !== undefined) return { ...key, publicKey }
  const found = await signer.findKey(publication.name, key)
  if (found === undefined) {
    throw new AppError('ERR_CONFIG', {
      message: `the signing key ${fingerprint} of ${publication.name} is missing in the folder keys/`,
      hint: 'put it back from a backup: clients trust that key and no other',
    })
  }
  const filled = { publicKey: found.bytes, madeAt: found.createdAt * 1000 }
  await fillPublicKey(db, fingerprint, filled)
  return { ...key, ...filled, changedAt: filled.madeAt }
}
