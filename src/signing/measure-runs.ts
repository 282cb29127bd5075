/**
 * What the bytes of an index measure, in the signing process: they lie in a scratch file of the server's that it was started
 * with (archives/chunk-cache.ts), and the page cache has them.
 */
import { readSync } from 'node:fs'
import { AppError } from '../base/errors.ts'
import { type Sha256, sha256Stream } from '../base/sha256.ts'
import type { SigningRequest } from './signing-requests.ts'

/** Node has the first three, and the fourth is its IPC. */
export const FIRST_SCRATCH_FD = 4

const READ_BYTES = 512 * 1024
let buffer: Buffer | undefined

/** The digest of what the runs hold, one after the other; `ERR_STORE` if the file has not all of it. */
export function measureRuns({ file, runs }: Extract<SigningRequest, { kind: 'measure' }>): {
  readonly sha256: Sha256
  readonly size: number
} {
  buffer ??= Buffer.allocUnsafeSlow(READ_BYTES)
  const hash = sha256Stream()
  let size = 0
  for (let at = 0; at < runs.length; at += 2) {
    const offset = runs[at] ?? 0
    const end = offset + (runs[at + 1] ?? 0)
    for (let next = offset; next < end; ) {
      const bytesRead = readSync(
        FIRST_SCRATCH_FD + file,
        buffer,
        0,
        Math.min(buffer.length, end - next),
        next,
      )
      if (bytesRead === 0)
        throw new AppError('ERR_STORE', { message: 'a scratch file became shorter' })
      hash.update(buffer.subarray(0, bytesRead))
      next += bytesRead
      size += bytesRead
    }
  }
  return { sha256: hash.digest(), size }
}
