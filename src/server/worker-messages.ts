/**
 * What main process and workers say to each other (structured clone, so that bytes stay bytes). A connection goes along with
 * `socket` and `over`.
 */
import type { Answer } from '../archives/answer.ts'
import type { Sha256 } from '../base/sha256.ts'

type Bytes = Extract<Answer, { kind: 'bytes' }>
type Blob = Extract<Answer, { kind: 'blob' }>

/** An answer as a worker has it: it holds until it is told otherwise. */
export type ToldAnswer =
  | Omit<Bytes, 'holds' | 'release'>
  | (Omit<Blob, 'holds' | 'locate' | 'hasOtherForm'> & {
      /** Of its file. */
      readonly size: number
    })

export type ToWorker =
  | {
      readonly kind: 'begin'
      /** The data directory's `blobs/`. */
      readonly blobs: string
      /** The file of the epoch: see epoch.ts. */
      readonly epoch: string
      readonly headersWithinMs: number
    }
  | { readonly kind: 'socket' }
  | {
      /** To `ask`; without an answer it is none that a worker can give. */
      readonly kind: 'told'
      readonly url: string
      readonly answer?: ToldAnswer | undefined
    }
  | {
      /** Up to this epoch: answers that hold no longer, and blobs whose files are not to be served. */
      readonly kind: 'changed'
      readonly epoch: number
      readonly urls: readonly string[]
      readonly blobs: readonly Sha256[]
    }
  | { readonly kind: 'stop' }

/** Answers of one kind to one client. */
export interface SentHits {
  readonly url: string
  readonly method: string
  readonly status: 200 | 304
  readonly address: string
  readonly agent: string | undefined
  count: number
  /** Of bodies, all together. */
  bytes: number
}

export type ToMain =
  /** Connections can be given to it. */
  | { readonly kind: 'ready' }
  /** The next of the connections that were given to it is there. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'ask'; readonly url: string }
  /** The connection is the main process's again; these bytes of it were read already. */
  | { readonly kind: 'over'; readonly bytes: Uint8Array }
  | { readonly kind: 'sent'; readonly hits: readonly SentHits[] }
  /** So many connections have ended, or gone over. */
  | { readonly kind: 'ended'; readonly count: number }
