/**
 * Whether one key may vouch for an archive at a given time, and if not, why.
 *
 * As gpgv with apt's rules on top: a key that is revoked (for whatever reason, since whenever) or expired by now is not
 * good even for an older signature; a signing subkey must be bound and must sign back; RSA under 2048 bits and DSA are
 * refused, and so are curves that apt gives up (brainpool, secp256k1). A self-signature over SHA-1 is taken with a warning: gpgv still does, sqv no more.
 */
import { enums, type Key, type KeyID, type Subkey } from 'openpgp'
import { anyDigestConfig, strictConfig, wideConfig } from './openpgp-config.ts'

export type KeyState =
  | { readonly kind: 'good'; readonly warnings: readonly string[] }
  | { readonly kind: 'revoked' }
  /** `at`: seconds since 1970. */
  | { readonly kind: 'expired'; readonly at: number }
  | { readonly kind: 'weak'; readonly why: string }
  | { readonly kind: 'unusable' }

/** Some 2048-bit keys have a modulus of 2047 bits. */
const minRsaBits = 2047
/** apt is giving these up, and openpgp.js has no arithmetic for them under Node. */
const deadCurves = /^(secp256k1|brainpool)/
const endOfTime = new Date(Date.UTC(2106, 0, 1))

/** The state of `part` (the primary key or a subkey of `key`) at `at`, seconds since 1970. */
export async function keyState(key: Key, part: Key | Subkey, at: number): Promise<KeyState> {
  const weakness = weaknessOf(key) ?? weaknessOf(part)
  if (await isRevokedEver(key)) return { kind: 'revoked' }
  if (part !== key && 'bindingSignatures' in part && (await isSubkeyRevoked(key, part))) {
    return { kind: 'revoked' }
  }
  const expiry = await expiryOf(key, part, at)
  if (expiry !== undefined && expiry <= at) return { kind: 'expired', at: expiry }
  if (weakness !== undefined) return { kind: 'weak', why: weakness }
  const id = part.getKeyID()
  const when = new Date(at * 1000)
  if (await canSign(key, id, when, strictConfig)) return { kind: 'good', warnings: [] }
  if (await canSign(key, id, when, wideConfig)) {
    const name = key.getFingerprint().toUpperCase()
    const warning = `key ${name} is certified over SHA-1 only: gpgv takes it, and apt up to Debian 12; sqv, and apt from Debian 13 on, refuse it`
    return { kind: 'good', warnings: [warning] }
  }
  if (await canSign(key, id, when, anyDigestConfig)) {
    return { kind: 'weak', why: 'it is certified over MD5 or RIPEMD-160 only' }
  }
  return { kind: 'unusable' }
}

/** Until when `part` is good as far as its dates go (seconds since 1970; absent: for ever), seen at `at`; whether it is revoked. */
export async function keyLife(
  key: Key,
  part: Key | Subkey,
  at: number,
): Promise<{ readonly isRevoked: boolean; readonly expiresAt?: number }> {
  const isRevoked =
    (await isRevokedEver(key)) ||
    (part !== key && 'bindingSignatures' in part && (await isSubkeyRevoked(key, part)))
  const expiresAt = await expiryOf(key, part, at)
  return { isRevoked, ...(expiresAt === undefined ? {} : { expiresAt }) }
}

/** Whether the primary key carries a valid revocation of its own, whatever its date or reason. */
export async function isRevokedEver(key: Key): Promise<boolean> {
  return key.isRevoked(undefined, undefined, endOfTime, wideConfig)
}

/** As gpg names it: `rsa4096`, `ed25519`, `nistp256`. */
export function algorithmName(key: Key | Subkey): string {
  const { algorithm, bits, curve } = key.getAlgorithmInfo()
  if (curve !== undefined) return curve.replace('Legacy', '').toLowerCase()
  const name = algorithm.startsWith('rsa') ? 'rsa' : algorithm
  return bits === undefined ? name : `${name}${bits}`
}

/** Whether signatures by this key cannot be checked, for its curve. */
export function isDeadCurve(key: Key | Subkey): boolean {
  return deadCurves.test(algorithmName(key))
}

/** Seconds since 1970. */
export function secondsOf(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}

/** Why signatures by this key count for nothing, whatever they are over. */
function weaknessOf(key: Key | Subkey): string | undefined {
  const { algorithm, bits } = key.getAlgorithmInfo()
  if (isDeadCurve(key)) return `it uses the curve ${algorithmName(key)}`
  if (algorithm === 'dsa') return 'it is a DSA key'
  if (algorithm.startsWith('rsa') && (bits ?? 0) < minRsaBits) {
    return `it is an RSA key of ${bits ?? 0} bits, 2048 is the least`
  }
  return undefined
}

/** The earlier end of the two, seconds since 1970; undefined if neither has one. */
async function expiryOf(key: Key, part: Key | Subkey, at: number): Promise<number | undefined> {
  const ends = [await key.getExpirationTime(undefined, wideConfig)]
  if (part !== key && 'bindingSignatures' in part) {
    ends.push(await part.getExpirationTime(new Date(at * 1000), wideConfig))
  }
  const seconds = ends.flatMap((end) => (end instanceof Date ? [secondsOf(end)] : []))
  return seconds.length === 0 ? undefined : Math.min(...seconds)
}

async function isSubkeyRevoked(key: Key, subkey: Subkey): Promise<boolean> {
  const data = { key: key.keyPacket, bind: subkey.keyPacket }
  const type = enums.signature.subkeyRevocation
  for (const revocation of subkey.revocationSignatures) {
    try {
      await revocation.verify(key.keyPacket, type, data, endOfTime, false, wideConfig)
      return true
    } catch {
      // a revocation that the primary key did not make counts for nothing
    }
  }
  return false
}

async function canSign(
  key: Key,
  id: KeyID,
  when: Date,
  config: typeof wideConfig,
): Promise<boolean> {
  try {
    const found = await key.getSigningKey(id, when, undefined, config)
    return found.getKeyID().equals(id)
  } catch {
    return false
  }
}
