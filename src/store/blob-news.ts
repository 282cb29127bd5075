/**
 * The one place that tells which files of blobs came and which went: whoever keeps something of them in memory (open
 * files, sizes, sums) listens here. Told at once, in the same turn in which the store knows it.
 */
import type { Sha256 } from '../base/sha256.ts'

export interface BlobListener {
  /** The file is whole, durable and has its row; it may have been here before. */
  readonly added?: ((sha256: Sha256, size: number) => void) | undefined
  /** It is not to be served any more: deleted, evicted or damaged. Files that are open can be read on. */
  readonly gone?: ((sha256: Sha256) => void) | undefined
  /** Somebody has reason to think that its bytes are wrong. */
  readonly suspected?: ((sha256: Sha256) => void) | undefined
}

export interface BlobNews {
  /** Tells this listener too, as long as the store is open. */
  listen(listener: BlobListener): void
  added(sha256: Sha256, size: number): void
  gone(sha256: Sha256): void
  suspect(sha256: Sha256): void
}

/** News that nobody listens to yet. */
export function createBlobNews(): BlobNews {
  const listeners: BlobListener[] = []
  return {
    listen: (listener) => {
      listeners.push(listener)
    },
    added: (sha256, size) => {
      for (const { added } of listeners) added?.(sha256, size)
    },
    gone: (sha256) => {
      for (const { gone } of listeners) gone?.(sha256)
    },
    suspect: (sha256) => {
      for (const { suspected } of listeners) suspected?.(sha256)
    },
  }
}
