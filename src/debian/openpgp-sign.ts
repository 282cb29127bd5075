/**
 * Signs Release files: one Ed25519 key for each publication, several of them while a key is being replaced.
 *
 * What comes out must please gpgv 2.2 and sqv: version 4 packets with the legacy EdDSA number, SHA-512. A secret key never
 * leaves the closure that signs.
 */
import { createMessage, generateKey, type PrivateKey, readPrivateKey, sign } from 'openpgp'
import { AppError } from '../base/errors.ts'
import { wideConfig } from './openpgp-config.ts'
import { secondsOf } from './openpgp-key.ts'
import {
  composeRelease,
  plainArmor,
  type ReleaseSignatures,
  refuseLossy,
  type SignedRelease,
} from './release-signatures.ts'

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

/** `text` signed by every key at `at` (seconds since 1970); throws as `composeRelease`. */
export async function signRelease(
  text: string,
  keys: readonly SigningKey[],
  at: number,
): Promise<SignedRelease> {
  return composeRelease(text, await Promise.all(keys.map((key) => signText(text, key, at))))
}

/** What one key adds to the signed forms of `text`; throws `ERR_FORMAT` for a text that signing would change. */
export async function signText(
  text: string,
  key: SigningKey,
  at: number,
): Promise<ReleaseSignatures> {
  refuseLossy(text)
  const [clear, detached] = await Promise.all([
    key.signPacket(text.slice(0, -1), at),
    key.signPacket(Buffer.from(text), at),
  ])
  return { clear, detached }
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
