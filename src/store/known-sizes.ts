/**
 * Whether the file of a blob is as long as it was when it came: looked up once for each, and remembered while the file is
 * there. A file that lost its end is noticed so before a byte of it is served, at no cost to the next hit.
 */
import { createLru } from '../base/lru.ts'
import { type Sha256, sha256Bytes } from '../base/sha256.ts'
import type { BlobNews } from './blob-news.ts'
import { type Db, sql } from './database.ts'

/** True at once for one that was looked up before. One without a row, which is just being deleted, counts as whole. */
export type SizeCheck = (sha256: Sha256, size: number) => boolean | Promise<boolean>

const KNOWN = 50_000

/** A check that knows nothing yet. */
export function createSizeCheck(db: Db, news: BlobNews): SizeCheck {
  const known = createLru<Sha256, number>(KNOWN)
  news.listen({ gone: (sha256) => known.delete(sha256) })
  return (sha256, size) => {
    if (known.get(sha256) === size) return true
    return look(sha256, size)
  }
  async function look(sha256: Sha256, size: number): Promise<boolean> {
    const { rows } = await sql<{ size: number }>`SELECT size FROM blob
      WHERE sha256 = ${sha256Bytes(sha256)}`.execute(db)
    const [row] = rows
    if (row === undefined) return true
    if (row.size === size) known.set(sha256, size)
    return row.size === size
  }
}
