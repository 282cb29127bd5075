/**
 * The two signed forms of a Release, put together from signature packets, whoever made them: `InRelease` and
 * `Release.gpg`; and the packets taken out of what another program wrote.
 *
 * What comes out must please gpgv 2.2, sqv and debootstrap: LF line ends alone, nothing before or after the signed
 * message, each digest named once. Only packets are taken from others, so that their line ends and headers never count.
 */
import { armor, enums, readSignature } from 'openpgp'
import { AppError } from '../base/errors.ts'
import { splitClearSigned } from './clear-signed.ts'
import { wideConfig } from './openpgp-config.ts'
import {
  armorBegin,
  readArmorBlock,
  readPackets,
  trimEnd,
  trimmedLines,
} from './openpgp-packets.ts'

/** Signature packets over one Release text, of one or more keys. */
export interface ReleaseSignatures {
  /** Over the text with CRLF between lines and none after the last. */
  readonly clear: Uint8Array
  /** Over the text as it is. */
  readonly detached: Uint8Array
}

export interface SignedRelease {
  readonly inRelease: Buffer
  readonly releaseGpg: Buffer
}

const signatureTag = 2

/**
 * `text` clear-signed and its detached signature, with all these signatures. Throws `ERR_FORMAT` for a text that signing
 * would change: without a newline at its end, with blanks at the end of a line, or with CR or NUL.
 */
export async function composeRelease(
  text: string,
  signatures: readonly ReleaseSignatures[],
): Promise<SignedRelease> {
  refuseLossy(text)
  if (signatures.length === 0) throw new AppError('ERR_KEYRING', { message: 'no key to sign with' })
  const clear = Buffer.concat(signatures.map((one) => one.clear))
  const detached = Buffer.concat(signatures.map((one) => one.detached))
  const head = `-----BEGIN PGP SIGNED MESSAGE-----\n${await hashHeader(clear)}\n`
  const inRelease = `${head}${text.replaceAll(/^-/gm, '- -')}${armorSignature(clear)}`
  return { inRelease: Buffer.from(inRelease), releaseGpg: Buffer.from(armorSignature(detached)) }
}

/** Throws `ERR_FORMAT` for a text that signing would change. */
export function refuseLossy(text: string): void {
  const fault = lossIn(text)
  if (fault === undefined) return
  throw new AppError('ERR_FORMAT', {
    message: `the Release text cannot be signed as it is: ${fault}`,
  })
}

/**
 * The signature packets of a clear-signed file that must hold exactly `text`: not verified yet. Throws
 * `ERR_SIGNATURE_BAD` or `ERR_SIGNATURE_MISSING`.
 */
export function clearPackets(data: Buffer, text: string): Buffer {
  const { lines, signature } = splitClearSigned(data)
  const wanted = Buffer.from(text).toString('latin1').split('\n').slice(0, -1).map(trimEnd)
  if (lines.length !== wanted.length || lines.some((line, at) => line !== wanted[at])) {
    throw new AppError('ERR_SIGNATURE_BAD', { message: 'the signed text is not the Release text' })
  }
  return onlySignatures(signature)
}

/** The signature packets of a detached signature, armored or binary: not verified yet. Throws `ERR_SIGNATURE_BAD`. */
export function detachedPackets(data: Buffer): Buffer {
  const lines = trimmedLines(data)
  const begin = lines.findIndex((line) => armorBegin(line) === 'SIGNATURE')
  return onlySignatures(begin === -1 ? data : readArmorBlock(lines, begin).data)
}

/** Armored text as clients get it: LF, ends with a newline. */
export function plainArmor(text: string): string {
  return `${text.replaceAll('\r', '').trimEnd()}\n`
}

function onlySignatures(data: Buffer): Buffer {
  const packets = readPackets(data)
  if (packets.length > 0 && packets.every((packet) => packet.tag === signatureTag)) return data
  throw new AppError('ERR_SIGNATURE_BAD', { message: 'it holds something else than signatures' })
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

function lossIn(text: string): string | undefined {
  if (!text.endsWith('\n')) return 'it does not end with a newline'
  if (/[\r\0]/.test(text)) return 'it has a carriage return or a NUL in it'
  if (!text.isWellFormed()) return 'it is not well-formed Unicode'
  const line = text.split('\n').findIndex((each) => each.endsWith(' ') || each.endsWith('\t'))
  return line === -1 ? undefined : `line ${line + 1} ends with a blank`
}
