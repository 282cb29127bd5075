/**
 * Public keys as clients get them: one file with the keys of a publication, armored (`.asc`) or binary (`.gpg`).
 *
 * The armored file is one block with all keys in it: not every reader looks for a second block.
 */
import { armor, enums } from 'openpgp'
import { readKeyring } from './keyring.ts'
import { wideConfig } from './openpgp-config.ts'
import { secondsOf } from './openpgp-key.ts'
import { plainArmor } from './release-signatures.ts'

export interface PublicKey {
  /** Of the primary key: 40 upper-case hex digits. */
  readonly fingerprint: string
  readonly userIds: readonly string[]
  /** Seconds since 1970. */
  readonly createdAt: number
  /** Its packets, without any secret. */
  readonly bytes: Buffer
}

/** The keys in a file, armored or binary, each once and in its order. Throws `ERR_KEYRING` if there is none. */
export async function readPublicKeys(data: Uint8Array | string): Promise<PublicKey[]> {
  const { entries } = await readKeyring(data)
  const keys = new Map<string, PublicKey>()
  for (const { key, info } of entries) {
    const { fingerprint, userIds } = info
    const createdAt = secondsOf(key.getCreationTime())
    const bytes = Buffer.from(key.toPublic().write())
    if (!keys.has(fingerprint)) keys.set(fingerprint, { fingerprint, userIds, createdAt, bytes })
  }
  return [...keys.values()]
}

/** One armored file with all these keys; LF, ends with a newline. */
export function armorPublicKeys(keys: readonly Uint8Array[]): string {
  const kind = enums.armor.publicKey
  const all = Buffer.concat(keys)
  return plainArmor(armor(kind, all, undefined, undefined, undefined, true, wideConfig))
}
