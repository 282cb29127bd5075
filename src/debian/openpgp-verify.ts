/**
 * Verifies the signature of an archive: `InRelease`, or `Release` with `Release.gpg`.
 *
 * One good signature by a good key is enough: archives sign with several keys, some newer than the ring at hand. If there
 * is none, the error is the most telling of what the signatures came to: altered text, then a revoked, expired or weak
 * key, then an unknown one.
 */
import { AppError, type ErrorCode } from '../base/errors.ts'
import { signedBytes, splitClearSigned, webPage } from './clear-signed.ts'
import type { Keyring } from './keyring.ts'
import {
  armorBegin,
  asBuffer,
  looksLikeWebPage,
  type Packet,
  readArmorBlock,
  readPackets,
  trimmedLines,
} from './openpgp-packets.ts'
import {
  alteredHint,
  judgeSignature,
  keyringHint,
  type Signed,
  type Signer,
  type Verdict,
} from './openpgp-signature.ts'

export interface Verified {
  /** The signed text as apt reads it: LF line ends, ends with one. */
  readonly text: string
  /** Who made a good signature; at least one. */
  readonly signers: readonly Signer[]
  /** What will not be good for ever, for people. */
  readonly warnings: readonly string[]
}

const maxReleaseBytes = 10 * 1024 * 1024
const maxSignatures = 32
const failureOrder: readonly ErrorCode[] = [
  'ERR_SIGNATURE_BAD',
  'ERR_KEY_REVOKED',
  'ERR_KEY_EXPIRED',
  'ERR_KEY_WEAK',
]

/**
 * Verifies an `InRelease` at `at`, seconds since 1970. Throws `ERR_SIGNATURE_MISSING`, `ERR_SIGNATURE_BAD`,
 * `ERR_KEY_UNKNOWN`, `ERR_KEY_EXPIRED`, `ERR_KEY_REVOKED`, `ERR_KEY_WEAK`, or `ERR_TOO_LARGE` over 10 MiB.
 */
export async function verifyClearSigned(
  data: Uint8Array,
  ring: Keyring,
  at: number,
): Promise<Verified> {
  limitSize(data, 'InRelease')
  const { lines, signature } = splitClearSigned(asBuffer(data))
  const signed = { name: 'InRelease', bytes: signedBytes(lines), at }
  const { signers, warnings } = await judgeAll(signature, signed, ring)
  const text = lines.map((line) => `${line}\n`).join('')
  return { text: Buffer.from(text, 'latin1').toString('utf8'), signers, warnings }
}

/** Verifies `text` (a `Release`) by its detached `signature` (`Release.gpg`, armored or binary); as `verifyClearSigned`. */
export async function verifyDetached(
  text: Uint8Array,
  signature: Uint8Array,
  ring: Keyring,
  at: number,
): Promise<Verified> {
  limitSize(text, 'Release')
  limitSize(signature, 'Release.gpg')
  const packets = detachedPackets(asBuffer(signature))
  const signed = { name: 'Release', bytes: asBuffer(text), at }
  const { signers, warnings } = await judgeAll(packets, signed, ring)
  const plain = asBuffer(text).toString('utf8').replaceAll('\r\n', '\n')
  return { text: plain.endsWith('\n') ? plain : `${plain}\n`, signers, warnings }
}

async function judgeAll(
  signature: Buffer,
  signed: Signed,
  ring: Keyring,
): Promise<Pick<Verified, 'signers' | 'warnings'>> {
  const verdicts: Verdict[] = []
  for (const packet of signaturePackets(signature, signed.name)) {
    verdicts.push(await judgeSignature(packet, signed, ring))
  }
  const good = verdicts.filter((verdict) => verdict.kind === 'good')
  if (good.length === 0) throw mostTelling(verdicts, signed.name)
  return {
    signers: good.map((verdict) => verdict.signer),
    warnings: [...new Set(good.flatMap((verdict) => verdict.warnings))],
  }
}

function mostTelling(verdicts: readonly Verdict[], name: string): AppError {
  const failures = verdicts.flatMap((verdict) => (verdict.kind === 'failed' ? [verdict.error] : []))
  for (const code of failureOrder) {
    const failure = failures.find((error) => error.code === code)
    if (failure !== undefined) return failure
  }
  const unknown = verdicts.filter((verdict) => verdict.kind === 'unknown')
  const names = unknown.map((verdict) => verdict.fingerprint ?? verdict.keyId)
  return new AppError('ERR_KEY_UNKNOWN', {
    message: `${name} is signed by ${names.join(', ')}, not by a key of the keyring`,
    hint: keyringHint,
    details: { keyIds: unknown.map((verdict) => verdict.keyId) },
  })
}

function signaturePackets(data: Buffer, name: string): Packet[] {
  const packets = damageIsBad(name, () => readPackets(data)).filter((packet) => packet.tag !== 10)
  if (packets.length === 0 || packets.some((packet) => packet.tag !== 2)) {
    throw badSignature(name, 'its signature block holds something else than signatures')
  }
  if (packets.length > maxSignatures) {
    throw badSignature(name, `it has more than ${maxSignatures} signatures`)
  }
  return packets
}

/** The packets of a `Release.gpg`: binary, or armor blocks with nothing before, between and after them. */
function detachedPackets(data: Buffer): Buffer {
  if (data.length === 0) throw unsigned('Release.gpg is empty')
  if (looksLikeWebPage(data)) throw webPage('Release.gpg')
  if (((data[0] ?? 0) & 0x80) !== 0) return data
  const lines = trimmedLines(data)
  const blocks: Buffer[] = []
  for (let at = 0; at < lines.length; ) {
    if (armorBegin(lines[at] ?? '') === 'SIGNATURE') {
      const block = damageIsBad('Release', () => readArmorBlock(lines, at))
      blocks.push(block.data)
      at = block.next
    } else if (blocks.length === 0) throw unsigned('Release.gpg holds no signature')
    else throw badSignature('Release', 'Release.gpg has lines outside its signature')
  }
  if (blocks.length === 0) throw unsigned('Release.gpg holds no signature')
  return Buffer.concat(blocks)
}

function damageIsBad<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw badSignature(name, 'its signature is damaged or cut off', cause)
  }
}

function badSignature(name: string, what: string, cause?: unknown): AppError {
  const message = `${name} has no good signature: ${what}`
  return new AppError('ERR_SIGNATURE_BAD', { message, hint: alteredHint, cause })
}

function unsigned(what: string): AppError {
  return new AppError('ERR_SIGNATURE_MISSING', {
    message: `Release is not signed: ${what}`,
    hint: 'the archive must publish a signed InRelease, or Release with Release.gpg',
  })
}

function limitSize(data: Uint8Array, name: string): void {
  if (data.byteLength <= maxReleaseBytes) return
  throw new AppError('ERR_TOO_LARGE', {
    message: `${name} is larger than 10 MiB`,
    details: { sizeBytes: data.byteLength },
  })
}
