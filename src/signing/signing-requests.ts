/**
 * What the server asks its signing process, and what that answers: messages of Node's IPC between the two, no others.
 */
import type { ReleaseSignatures } from '../debian/release-signatures.ts'

export type SigningRequest =
  | {
      /** A new key; one that was made before and is not among the `known` is taken instead of making another. */
      readonly kind: 'make'
      readonly publication: string
      /** Seconds since 1970. */
      readonly at: number
      /** Fingerprints. */
      readonly known: readonly string[]
    }
  | {
      /** The public part of a key whose file should be here. */
      readonly kind: 'find'
      readonly publication: string
      readonly fingerprint: string
    }
  | {
      readonly kind: 'sign'
      readonly publication: string
      readonly fingerprints: readonly string[]
      /** A Release. */
      readonly text: string
      readonly at: number
    }
  | {
      readonly kind: 'measure'
      /** The place of the scratch file among those that the process was started with. */
      readonly file: number
      /** Offset and size, in turn. */
      readonly runs: Float64Array
    }

export type SigningReply =
  /** Armored. */
  | { readonly kind: 'key'; readonly publicKey: string }
  | { readonly kind: 'none' }
  /** One for each fingerprint, in that order. */
  | { readonly kind: 'signed'; readonly signatures: readonly ReleaseSignatures[] }
  /** The digest of the bytes, one after the other. */
  | { readonly kind: 'measured'; readonly sha256: string; readonly size: number }
  | {
      readonly kind: 'failed'
      readonly code: string
      readonly message: string
      readonly hint?: string | undefined
    }

/** A message as what the other side sends: both are of one version, started together. */
export function parseMessage<T extends SigningRequest | SigningReply>(message: unknown): T {
  if (typeof message === 'object' && message !== null && 'kind' in message) return message as T
  throw new TypeError('a message that is none')
}
