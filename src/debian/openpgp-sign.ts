/**
 * Signs Release files: one Ed25519 key for each publication, several of them while a key is being replaced.
 *
 * What comes out must please gpgv 2.2, sqv and debootstrap: version 4 packets with the legacy EdDSA number, SHA-512, LF
 * line ends alone, nothing before or after the signed message. A secret key never leaves the closure that signs.
 */
import {
  armor,
  createMessage,
  enums,
  generateKey,
  type PrivateKey,
  readPrivateKey,
  readSignature,
  sign,
} from 'openpgp'
import { AppError } from '../base/errors.ts'
import { wideConfig } from './openpgp-config.ts'
import { secondsOf } from './openpgp-key.ts'

export interface SigningKey {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string
  readonly userIds: readonly string[]
  /** Seconds since 1970; the key cannot sign with an earlier time. */
  readonly createdAt: number
  /** What clients get as `.asc`; LF, ends with a newline. */
  readonly publicArmored: string
  /** What clients get as `.gpg`. */
  readonly publicBinary: Uint8Array
  /** One binary signature packet over `data` at `at`, seconds since 1970. A string is signed as text, over CRLF. */
  readonly signPacket: (data: string | Uint8Array, at: number) => Promise<Buffer>
}

export interface SignedRelease {
  readonly inRelease: Buffer
  readonly releaseGpg: Buffer
}

const day = 24 * 60 * 60

/** A new key without a passphrase and without an end, dated a day before `at` (seconds since 1970). */
export async function generateSigningKey(
  userId: { readonly name: string; readonly email?: string },
  at: number,
): Promise<{ armoredPrivate: string; fingerprint: string }> {
  const { privateKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [userId],
    subkeys: [],
    date: new Date((at - day) * 1000),
    format: 'object',
    config: wideConfig,
  })
  const armoredPrivate = plainArmor(privateKey.armor(wideConfig))
  return { armoredPrivate, fingerprint: privateKey.getFingerprint().toUpperCase() }
}

/** Reads a key as `generateSigningKey` wrote it. Throws `ERR_KEYRING`, also for one with a passphrase. */
export async function readSigningKey(armoredPrivate: string): Promise<SigningKey> {
  const key = await parsePrivateKey(armoredPrivate)
  if (!key.isDecrypted()) {
    throw new AppError('ERR_KEYRING', {
      message: `signing key ${key.getFingerprint().toUpperCase()} has a passphrase`,
      hint: 'export it without one',
    })
  }
  const publicKey = key.toPublic()
  return {
    fingerprint: key.getFingerprint().toUpperCase(),
    userIds: key.getUserIDs(),
    createdAt: secondsOf(key.getCreationTime()),
    publicArmored: plainArmor(publicKey.armor(wideConfig)),
    publicBinary: publicKey.write(),
    signPacket: (data, at) => signPacket(key, data, at),
  }
}

/**
 * `text` clear-signed and its detached signature, by every key, at `at` (seconds since 1970). Throws `ERR_FORMAT` for a
 * text that signing would change: without a newline at its end, with blanks at the end of a line, or with CR or NUL.
 */
export async function signRelease(
  text: string,
  keys: readonly SigningKey[],
  at: number,
): Promise<SignedRelease> {
  refuseLossy(text)
  if (keys.length === 0) throw new AppError('ERR_KEYRING', { message: 'no key to sign with' })
  const [clear, detached] = await Promise.all([
    signAll(keys, (key) => key.signPacket(text.slice(0, -1), at)),
    signAll(keys, (key) => key.signPacket(Buffer.from(text), at)),
  ])
  const signature = armorSignature(clear)
  const head = `-----BEGIN PGP SIGNED MESSAGE-----\n${await hashHeader(clear)}\n`
  const inRelease = `${head}${text.replaceAll(/^-/gm, '- -')}${signature}`
  return { inRelease: Buffer.from(inRelease), releaseGpg: Buffer.from(armorSignature(detached)) }
}

async function signAll(
  keys: readonly SigningKey[],
  one: (key: SigningKey) => Promise<Buffer>,
): Promise<Buffer> {
  return Buffer.concat(await Promise.all(keys.map(one)))
}

async function signPacket(key: PrivateKey, data: string | Uint8Array, at: number): Promise<Buffer> {
  const message =
    typeof data === 'string'
      ? await createMessage({ text: data })
      : await createMessage({ binary: data })
  try {
    const packet = await sign({
      message,
      signingKeys: key,
      detached: true,
      format: 'binary',
      date: new Date(at * 1000),
      config: wideConfig,
    })
    return Buffer.from(packet)
  } catch (cause) {
    const name = key.getFingerprint().toUpperCase()
    throw new AppError('ERR_KEYRING', {
      message: `key ${name} cannot sign at ${new Date(at * 1000).toISOString()}`,
      hint: 'the key may be younger than that, expired or revoked',
      cause,
    })
  }
}

/** `Hash:` names each digest once, as gpg 1.4 needs it. */
async function hashHeader(signatures: Buffer): Promise<string> {
  const { packets } = await readSignature({ binarySignature: signatures, config: wideConfig })
  const names = packets.map((packet) => hashNames.get(packet.hashAlgorithm ?? 0) ?? 'SHA512')
  return `Hash: ${[...new Set(names)].join(', ')}\n`
}

const hashNames = new Map<number, string>([
  [enums.hash.sha256, 'SHA256'],
  [enums.hash.sha384, 'SHA384'],
  [enums.hash.sha512, 'SHA512'],
])

function armorSignature(packets: Buffer): string {
  const kind = enums.armor.signature
  return plainArmor(armor(kind, packets, undefined, undefined, undefined, true, wideConfig))
}

function plainArmor(text: string): string {
  return `${text.replaceAll('\r', '').trimEnd()}\n`
}

async function parsePrivateKey(armoredKey: string): Promise<PrivateKey> {
  try {
    return await readPrivateKey({ armoredKey, config: wideConfig })
  } catch (cause) {
    throw new AppError('ERR_KEYRING', {
      message: 'the signing key cannot be read',
      hint: 'it must be an armored OpenPGP private key without a passphrase',
      cause,
    })
  }
}

function refuseLossy(text: string): void {
  const fault = lossIn(text)
  if (fault === undefined) return
  throw new AppError('ERR_FORMAT', {
    message: `the Release text cannot be signed as it is: ${fault}`,
  })
}

function lossIn(text: string): string | undefined {
  if (!text.endsWith('\n')) return 'it does not end with a newline'
  if (/[\r\0]/.test(text)) return 'it has a carriage return or a NUL in it'
  if (!text.isWellFormed()) return 'it is not well-formed Unicode'
  const line = text.split('\n').findIndex((each) => each.endsWith(' ') || each.endsWith('\t'))
  return line === -1 ? undefined : `line ${line + 1} ends with a blank`
}
