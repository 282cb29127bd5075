/**
 * What one signature is worth: by a good key of the ring and over exactly these bytes, or what is wrong with it.
 *
 * The arithmetic comes first, so that an altered text is never told as something milder. Digests are apt's: signatures
 * over MD5, SHA-1 and RIPEMD-160 are worth nothing. Times are seconds since 1970.
 */
import { enums, type Key, readSignature, type SignaturePacket, type Subkey } from 'openpgp'
import { AppError, type ErrorCode } from '../base/errors.ts'
import type { Keyring, KeyringEntry } from './keyring.ts'
import { anyDigestConfig, wideConfig } from './openpgp-config.ts'
import { algorithmName, isDeadCurve, keyState, secondsOf } from './openpgp-key.ts'
import type { Packet } from './openpgp-packets.ts'

/** Who made a good signature. */
export interface Signer {
  /** Of the primary key: upper-case hex. */
  readonly fingerprint: string
  /** Of the key or subkey that signed: 16 upper-case hex digits. */
  readonly keyId: string
  readonly userId?: string
  /** Seconds since 1970. */
  readonly signedAt: number
}

/** `unknown`: no key of the ring made it. */
export type Verdict =
  | { readonly kind: 'good'; readonly signer: Signer; readonly warnings: readonly string[] }
  | { readonly kind: 'unknown'; readonly keyId: string; readonly fingerprint?: string }
  | { readonly kind: 'failed'; readonly error: AppError }

/** What a signature must be over. */
export interface Signed {
  /** The file, for messages. */
  readonly name: string
  readonly bytes: Buffer
  /** Now. */
  readonly at: number
}

/** How far apt lets a clock be behind the signer's, in seconds. */
const clockSkew = 10
const weakDigests = new Map<number, string>([
  [enums.hash.md5, 'MD5'],
  [enums.hash.sha1, 'SHA-1'],
  [enums.hash.ripemd, 'RIPEMD-160'],
])

/** What helps against a missing or outdated key. */
export const keyringHint =
  'get the archive’s present keyring and name it: sluice archive set NAME --keyring FILE'

/** What helps against altered bytes. */
export const alteredHint =
  'a cache or proxy on the way may have changed it, or the archive is being updated: try again'

/** What the signature packet is worth for `signed` with the keys of `ring`; never throws for a bad one. */
export async function judgeSignature(
  packet: Packet,
  signed: Signed,
  ring: Keyring,
): Promise<Verdict> {
  const signature = await parseSignature(packet)
  if (signature === undefined) return failed('ERR_SIGNATURE_BAD', signed, 'a signature is damaged')
  if (signature === 'old') {
    return failed('ERR_KEY_WEAK', signed, 'a signature has a format that is no longer taken')
  }
  const candidates = ring.entries.flatMap((entry) =>
    entry.key
      .getKeys(signature.issuerKeyID)
      .filter((part) => isAllowed(entry, part))
      .map((part) => ({ entry, part })),
  )
  if (candidates.length === 0) return unknownKey(signature)
  const verdicts: Verdict[] = []
  for (const { entry, part } of candidates) {
    verdicts.push(await judgeByKey({ signature, signed, entry, part }))
  }
  const revoked = verdicts.find(
    (verdict) => verdict.kind === 'failed' && verdict.error.code === 'ERR_KEY_REVOKED',
  )
  const best = revoked ?? verdicts.find((verdict) => verdict.kind === 'good') ?? verdicts[0]
  return best ?? unknownKey(signature)
}

function isAllowed(entry: KeyringEntry, part: Key | Subkey): boolean {
  return entry.only === undefined || entry.only.has(part.getFingerprint().toUpperCase())
}

interface Attempt {
  readonly signature: SignaturePacket
  readonly signed: Signed
  readonly entry: KeyringEntry
  readonly part: Key | Subkey
}

async function judgeByKey({ signature, signed, entry, part }: Attempt): Promise<Verdict> {
  const { name, at } = signed
  const keyId = part.getKeyID().toHex().toUpperCase()
  const by = `key ${entry.info.fingerprint}`
  if (isDeadCurve(part)) {
    return failed('ERR_KEY_WEAK', signed, `${by} uses the curve ${algorithmName(part)}`)
  }
  if (!(await isGenuine(signature, part, signed.bytes))) {
    return failed('ERR_SIGNATURE_BAD', signed, `it is not what ${by} signed`, alteredHint)
  }
  const untimely = timeFault(signature, part, at)
  if (untimely !== undefined) {
    const hint = 'check the clocks: this machine’s (timedatectl) and the archive’s'
    return failed('ERR_SIGNATURE_BAD', signed, `${untimely}, says the signature of ${by}`, hint)
  }
  const digest = weakDigests.get(signature.hashAlgorithm ?? 0)
  if (digest !== undefined) {
    return failed('ERR_KEY_WEAK', signed, `${by} signed with ${digest}, which apt refuses`)
  }
  const state = await keyState(entry.key, part, at)
  switch (state.kind) {
    case 'revoked':
      return failed('ERR_KEY_REVOKED', signed, `${by} is revoked`)
    case 'expired':
      return failed('ERR_KEY_EXPIRED', signed, `${by} expired on ${dayOf(state.at)}`)
    case 'weak':
      return failed('ERR_KEY_WEAK', signed, `${by} is too weak: ${state.why}`)
    case 'unusable':
      return failed('ERR_SIGNATURE_BAD', signed, `${by} is not certified to sign`, keyringHint)
    case 'good':
      return {
        kind: 'good',
        signer: signerOf(entry, keyId, signature),
        warnings: [...state.warnings, ...agingDigest(signature, name)],
      }
  }
}

function signerOf(entry: KeyringEntry, keyId: string, signature: SignaturePacket): Signer {
  const userId = entry.info.userIds[0]
  return {
    fingerprint: entry.info.fingerprint,
    keyId,
    ...(userId === undefined ? {} : { userId }),
    signedAt: createdAt(signature),
  }
}

/** The arithmetic alone: whether `part` signed exactly these bytes. */
async function isGenuine(
  signature: SignaturePacket,
  part: Key | Subkey,
  bytes: Buffer,
): Promise<boolean> {
  const type = signature.signatureType
  if (type !== enums.signature.binary && type !== enums.signature.text) return false
  const data = { text: null, getBytes: () => bytes }
  const when = signature.created ?? undefined
  try {
    await signature.verify(part.keyPacket, type, data, when, true, anyDigestConfig)
    return true
  } catch {
    return false
  }
}

function timeFault(signature: SignaturePacket, part: Key | Subkey, at: number): string | undefined {
  const made = createdAt(signature)
  if (made > at + clockSkew) return `it was signed in the future, at ${timeOf(made)}`
  if (made < secondsOf(part.getCreationTime())) return 'it was signed before the key was made'
  const end = signature.getExpirationTime()
  if (end instanceof Date && secondsOf(end) <= at) {
    return `it was good until ${timeOf(secondsOf(end))} only`
  }
  return undefined
}

function agingDigest(signature: SignaturePacket, name: string): string[] {
  if (signature.hashAlgorithm !== enums.hash.sha224) return []
  return [`${name} is signed with SHA-224: apt from Debian 13 on refuses it`]
}

async function parseSignature(packet: Packet): Promise<SignaturePacket | 'old' | undefined> {
  if ((packet.body[0] ?? 0) < 4) return 'old'
  try {
    const config = { ...wideConfig, ignoreMalformedPackets: false, ignoreUnsupportedPackets: false }
    const { packets } = await readSignature({ binarySignature: packet.bytes, config })
    return packets[0]
  } catch {
    return undefined
  }
}

function unknownKey(signature: SignaturePacket): Verdict {
  const keyId = signature.issuerKeyID.toHex().toUpperCase()
  const issuer = signature.issuerFingerprint
  if (issuer === null) return { kind: 'unknown', keyId }
  return { kind: 'unknown', keyId, fingerprint: Buffer.from(issuer).toString('hex').toUpperCase() }
}

function failed(code: ErrorCode, { name }: Signed, what: string, hint = keyringHint): Verdict {
  const message = `${name} has no good signature: ${what}`
  return { kind: 'failed', error: new AppError(code, { message, hint }) }
}

function createdAt(signature: SignaturePacket): number {
  return signature.created === null ? 0 : secondsOf(signature.created)
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000', '')
}

function dayOf(seconds: number): string {
  return timeOf(seconds).slice(0, 10)
}
