/**
 * What becomes of the database's file when rows were deleted: the room stays in it and is written to next, until more than a
 * fifth of the file is empty. Then it is made smaller, piece by piece, up to a tenth: a store that lost an archive gives the
 * room back, one that only turns over never moves a page.
 */
import { breathe } from '../base/mutex.ts'
import { type Db, fileBytes, giveBackPages } from '../store/database.ts'

const MUCH = 1 / 5
const MUCH_BYTES = 32 * 1024 * 1024
const LEFT = 1 / 10
const PAGES_AT_ONCE = 200

/** Makes the file smaller if much of it is empty; says by how many bytes. */
export async function shrinkDatabase(db: Db, signal: AbortSignal | undefined): Promise<number> {
  const begin = await fileBytes(db)
  if (begin.unused < MUCH_BYTES || begin.unused < begin.whole * MUCH) return 0
  for (let now = begin; now.unused > now.whole * LEFT; now = await fileBytes(db)) {
    signal?.throwIfAborted()
    if ((await giveBackPages(db, PAGES_AT_ONCE)) === 0) break
    await breathe()
  }
  return begin.whole - (await fileBytes(db)).whole
}
