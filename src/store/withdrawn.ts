/**
 * Blobs that are withdrawn: nobody is given them, nothing fetches them, no writer takes them in, whatever names them. Which
 * ones, and why, is for others to decide and to keep (archives/revocations.ts); here it is in memory, for whoever hands out
 * bytes. Where their files go: put-aside.ts.
 */
import { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'

/** What is withdrawn now. */
export interface Withdrawn {
  readonly size: number
  has(sha256: Sha256): boolean
  /** Throws `ERR_GONE`, which says why, if this one is. */
  refuse(sha256: Sha256): void
  /** From now on it is, for this reason: `hello 2 was revoked: it eats disks`. */
  add(sha256: Sha256, why: string): void
  delete(sha256: Sha256): void
}

/** Nothing is. */
export function createWithdrawn(): Withdrawn {
  const reasons = new Map<Sha256, string>()
  return {
    get size() {
      return reasons.size
    },
    has: (sha256) => reasons.has(sha256),
    refuse: (sha256) => {
      const why = reasons.get(sha256)
      if (why === undefined) return
      const hint = 'apt-get update, then install what there is now'
      throw new AppError('ERR_GONE', { message: why, hint })
    },
    add: (sha256, why) => {
      reasons.set(sha256, why)
    },
    delete: (sha256) => {
      reasons.delete(sha256)
    },
  }
}
