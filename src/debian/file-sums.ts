/**
 * Size and digests of a file, taken while it is read: SHA-256, which counts, and SHA-1 and MD5, which `.changes` and `.dsc`
 * files may name besides.
 */
import { createHash } from 'node:crypto'
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { type ByteSource, toBuffer } from './byte-source.ts'

export interface FileSums {
  /** Bytes. */
  readonly size: number
  readonly sha256: Sha256
  /** Hex. */
  readonly sha1: string
  readonly md5: string
}

/** The same pieces, and what they come to once they were read to the end. */
export function summed(source: ByteSource): {
  readonly pieces: AsyncGenerator<Buffer, void>
  sums(): FileSums
} {
  const [sha256, sha1, md5] = ['sha256', 'sha1', 'md5'].map((name) => createHash(name)) as [
    ReturnType<typeof createHash>,
    ReturnType<typeof createHash>,
    ReturnType<typeof createHash>,
  ]
  let size = 0
  async function* read(): AsyncGenerator<Buffer, void> {
    for await (const each of source) {
      const piece = toBuffer(each)
      size += piece.length
      for (const hash of [sha256, sha1, md5]) hash.update(piece)
      yield piece
    }
  }
  return {
    pieces: read(),
    sums: () => {
      const digest = parseSha256(sha256.digest('hex'))
      if (digest === undefined) throw new AppError('ERR_INTERNAL', { message: 'no SHA-256' })
      return { size, sha256: digest, sha1: sha1.digest('hex'), md5: md5.digest('hex') }
    },
  }
}

/** Size and digests of a file that is read for them alone. */
export async function sumsOf(source: ByteSource): Promise<FileSums> {
  const { pieces, sums } = summed(source)
  for await (const _piece of pieces);
  return sums()
}
