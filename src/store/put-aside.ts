/**
 * Files of blobs that are withdrawn (withdrawn.ts): they go from `blobs/`, from where a web server in front may send them, to
 * `revoked/`, so that what was withdrawn by mistake can be given back; after 30 days they are deleted.
 */
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { type Sha256, sha256Bytes } from '../base/sha256.ts'
import type { BlobExpectation, BlobPlace } from './blob-writer.ts'
import { sql } from './database.ts'

/**
 * Puts the file of a blob aside, and its row away; harmless where there is none. The file goes first, as when one is
 * damaged (blob-removal.ts): a row without a file is what the next start takes away.
 */
export async function putAside(place: BlobPlace, sha256: Sha256): Promise<void> {
  place.news.gone(sha256)
  const gone = Promise.withResolvers<void>()
  place.leaving.set(sha256, gone.promise)
  try {
    await mkdir(place.revoked, { recursive: true, mode: 0o700 })
    const path = join(place.blobs, sha256.slice(0, 2), sha256.slice(2))
    try {
      await rename(path, join(place.revoked, sha256))
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
    }
    crashPoint('withdraw: file put aside, row left')
    await sql`DELETE FROM blob WHERE sha256 = ${sha256Bytes(sha256)} AND typeof(data) = 'null'`.execute(
      place.db,
    )
    place.news.gone(sha256)
  } finally {
    if (place.leaving.get(sha256) === gone.promise) place.leaving.delete(sha256)
    gone.resolve()
  }
}

/** Takes the file that was put aside into the store again; false if it is not there any more. */
export async function giveBack(
  place: BlobPlace,
  sha256: Sha256,
  take: (path: string, expected: BlobExpectation) => Promise<void>,
): Promise<boolean> {
  const from = join(place.revoked, sha256)
  try {
    const { size, mtimeMs } = await stat(from)
    const modifiedAt = Math.floor(mtimeMs / 1000)
    await take(from, { sha256, size, modifiedAt })
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
  await rm(from, { force: true })
  return true
}
