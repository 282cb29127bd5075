/**
 * Files of blobs that nobody is to have any more and that somebody may want to look at: damaged ones go from `blobs/`, from
 * where a web server in front may send them, to `quarantine/`, withdrawn ones (withdrawn.ts) to `revoked/`, from where what
 * was withdrawn by mistake can be given back. After 30 days they are deleted.
 */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { type Sha256, sha256Bytes } from '../base/sha256.ts'
import { whileLeaving } from './blob-removal.ts'
import type { BlobExpectation, BlobPlace } from './blob-writer.ts'
import { sql } from './database.ts'

/** Puts the file of a blob that is withdrawn aside, and its row away; harmless where there is none. */
export function putAside(place: BlobPlace, sha256: Sha256): Promise<void> {
  return moveOut(place, sha256, {
    to: place.revoked,
    moved: 'withdraw: file put aside, row left',
  })
}

/** The same of one that is damaged; of a blob whose bytes are in the row as well that stays. */
export function quarantineBlob(place: BlobPlace, sha256: Sha256): Promise<void> {
  return moveOut(place, sha256, {
    to: place.quarantine,
    moved: 'blob: file removed, row left',
  })
}

/** The file goes first: were the row gone and the file left, the next start would take it for whole. */
async function moveOut(
  place: BlobPlace,
  sha256: Sha256,
  { to, moved }: { readonly to: string; readonly moved: string },
): Promise<void> {
  place.news.gone(sha256)
  await whileLeaving(place, [sha256], async () => {
    await mkdir(to, { recursive: true, mode: 0o700 })
    const path = join(place.blobs, sha256.slice(0, 2), sha256.slice(2))
    try {
      await rename(path, join(to, sha256))
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
    }
    crashPoint(moved)
    await sql`DELETE FROM blob WHERE sha256 = ${sha256Bytes(sha256)} AND typeof(data) = 'null'`.execute(
      place.db,
    )
    // Somebody may have read it meanwhile, and remembers it.
    place.news.gone(sha256)
  })
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

/** Deletes damaged and withdrawn files that were put aside before that time (epoch milliseconds, by the file system's clock). */
export async function clearQuarantine(
  { quarantine, revoked }: BlobPlace,
  before: number,
): Promise<void> {
  for (const dir of [quarantine, revoked]) {
    const names = await readdir(dir).catch((error: unknown): string[] => {
      if (systemCode(error) === 'ENOENT') return []
      throw error
    })
    for (const name of names) {
      const path = join(dir, name)
      // A rename is told by the time of the last change of the inode.
      if ((await stat(path)).ctimeMs < before) await rm(path, { force: true })
    }
  }
}
