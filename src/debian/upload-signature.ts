/**
 * Who signed a `.changes` or a `.dsc`, by the keyring of those who may upload; as strict as with an `InRelease`. Without a good
 * signature nothing of the text is given back: it is nobody's word.
 *
 * Refusals of a signature are `ERR_REFUSED`, with the verifier's own code in `details.reason`; the texts of verifying an
 * archive are put into words of uploads.
 */
import { isUtf8 } from 'node:buffer'
import { AppError, type ErrorCode, isAppError } from '../base/errors.ts'
import { splitClearSigned } from './clear-signed.ts'
import { parseStanza, type Stanza } from './control.ts'
import type { Keyring } from './keyring.ts'
import type { Signer } from './openpgp-signature.ts'
import { verifyClearSigned } from './openpgp-verify.ts'
import { asRefusal, beyond, refused } from './upload-refusal.ts'

export interface SignedText {
  readonly text: string
  /** Who made a good signature; empty where none was asked for. */
  readonly signers: readonly Signer[]
  readonly warnings: readonly string[]
}

const maxBytes = 4 * 1024 * 1024
const hints: Partial<Record<ErrorCode, string>> = {
  ERR_SIGNATURE_MISSING: 'sign it: debsign FILE, or gpg --clear-sign',
  ERR_SIGNATURE_BAD: 'it was changed after it was signed: sign it again and upload it anew',
  ERR_KEY_UNKNOWN: 'have the administrator add the public key to the uploaders of this archive',
  ERR_KEY_EXPIRED:
    'extend the key (gpg --edit-key), have its new copy added to the uploaders, sign again',
  ERR_KEY_REVOKED: 'sign it with another key, which is among the uploaders',
  ERR_KEY_WEAK: 'sign it with a key that is not weak: gpg --quick-generate-key NAME ed25519 sign',
}
const what: Partial<Record<ErrorCode, string>> = {
  ERR_SIGNATURE_MISSING: 'it is not signed',
  ERR_SIGNATURE_BAD: 'its signature is not good: the text is not what was signed',
  ERR_KEY_EXPIRED: 'the key that signed it has expired',
  ERR_KEY_REVOKED: 'the key that signed it is revoked',
  ERR_KEY_WEAK: 'it is signed in a way that is too weak',
}

/** The signed text of the file `name`, verified at `at` (seconds since 1970) by a key of `ring`. */
export async function verifyUpload(
  name: string,
  data: Buffer,
  { ring, at }: { readonly ring: Keyring; readonly at: number },
): Promise<SignedText> {
  limit(name, data)
  try {
    return await verifyClearSigned(data, ring, at)
  } catch (error) {
    if (!isAppError(error) || hints[error.code] === undefined) throw error
    const { code, details } = error
    const ids = Array.isArray(details?.keyIds) ? details.keyIds.join(', ') : ''
    const said = what[code] ?? `it is signed by ${ids}, which may not upload here`
    throw new AppError('ERR_REFUSED', {
      message: `${name}: ${said}`,
      hint: hints[code],
      cause: error,
      details: { ...details, reason: code },
    })
  }
}

/** The text of a file that may be signed, whoever did: for one whose digest a verified file names. */
export function unverified(name: string, data: Buffer): SignedText {
  limit(name, data)
  const isSigned = data.toString('latin1', 0, 200).trimStart().startsWith('-----BEGIN PGP SIGNED')
  if (!isSigned) return { text: data.toString(), signers: [], warnings: [] }
  try {
    const { lines } = splitClearSigned(data)
    const text = Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1').toString()
    return { text, signers: [], warnings: [] }
  } catch (cause) {
    const hint = 'sign it again: debsign FILE'
    throw refused({
      reason: 'signed-frame',
      what: 'its signature is damaged',
      hint,
      member: name,
      cause,
    })
  }
}

/** The one stanza of a `.changes` or `.dsc`. */
export function uploadStanza(name: string, { text }: SignedText): Stanza {
  const hint = 'sign and upload what dpkg-buildpackage wrote, unchanged'
  const odd = /[^\P{Cc}\n\t]/u.exec(text)
  if (odd !== null) {
    const place = { member: name, offset: Buffer.byteLength(text.slice(0, odd.index)) }
    throw refused({ ...place, reason: 'text', what: 'a control character in it', hint })
  }
  try {
    return parseStanza(text)
  } catch (error) {
    throw asRefusal(error, { reason: 'syntax', hint, member: name })
  }
}

function limit(name: string, data: Buffer): void {
  if (data.length > maxBytes)
    throw beyond('upload-size', `larger than ${maxBytes} bytes`, { member: name })
  if (isUtf8(data)) return
  const hint = 'write changelog and control file in UTF-8, and build it again'
  throw refused({ reason: 'text', what: 'it is not UTF-8', hint, member: name })
}
