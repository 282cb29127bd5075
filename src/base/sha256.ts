/**
 * SHA-256 digests as values: 64 lower-case hex digits (apt refuses upper case), the name of every blob.
 */
import { createHash } from 'node:crypto'

declare const brand: unique symbol
export type Sha256 = string & { readonly [brand]: 'Sha256' }

const hex = /^[0-9a-f]{64}$/

/** The digest written in `text`; undefined if it is not exactly 64 lower-case hex digits. */
export function parseSha256(text: string): Sha256 | undefined {
  return hex.test(text) ? (text as Sha256) : undefined
}

/** The digest of the bytes. */
export function sha256Of(data: Uint8Array | string): Sha256 {
  return createHash('sha256').update(data).digest('hex') as Sha256
}

/** A hash in progress: `update` with bytes, then `digest` once. */
export interface Sha256Stream {
  update(data: Uint8Array): void
  digest(): Sha256
}

/** Starts a digest over bytes that come in pieces. */
export function sha256Stream(): Sha256Stream {
  const hash = createHash('sha256')
  return {
    update: (data) => {
      hash.update(data)
    },
    digest: () => hash.digest('hex') as Sha256,
  }
}

/** The 32 bytes of a digest, as the database keeps them. */
export function sha256Bytes(digest: Sha256): Buffer {
  return Buffer.from(digest, 'hex')
}

/** The digest whose 32 bytes the database kept. */
export function sha256FromBytes(bytes: Uint8Array): Sha256 {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex') as Sha256
}

/** The digests that stand in `text` as 64 hex digits, no more and no less; each as often as it is there. */
export function sha256In(text: Buffer): Sha256[] {
  const found: Sha256[] = []
  // Whatever 64 bytes are looked for, one of them is at a multiple of 64: only these are looked at.
  for (let at = 63; at < text.length; at += 64) {
    if (!isHexDigit(text[at])) continue
    let start = at
    let end = at + 1
    while (start > 0 && isHexDigit(text[start - 1])) start--
    while (end < text.length && isHexDigit(text[end])) end++
    if (end - start === 64) found.push(text.toString('latin1', start, end) as Sha256)
  }
  return found
}

function isHexDigit(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102))
}
