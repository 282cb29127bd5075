/**
 * Two .debs of the store compared: each pair is read once and the result kept packed in memory while there is room. One
 * pair is read at a time, since the lists of files of both are in memory meanwhile.
 */
import { type Abortable, waitFor } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { createMutex, type Mutex } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { mergedPath, placeKind } from '../debian/admin-places.ts'
import { gunzipMember, gzipMember } from '../debian/compression.ts'
import { contentsLimits, type DebContents, readContents } from '../debian/deb-contents.ts'
import type { BlobStore } from '../store/blobs.ts'
import { type ContentsDifference, compareContents } from './contents-difference.ts'

/** Which files; without an old one all that is in the new one is new. */
export interface DebPair {
  readonly old?: Sha256 | undefined
  readonly new: Sha256
}

export interface DebComparisons {
  /**
   * How the new file differs: `ERR_FORMAT` or `ERR_TOO_LARGE` name what is wrong with one of them, `ERR_BLOB_MISSING` if one
   * is not here.
   */
  compare(pair: DebPair, abortable?: Abortable): Promise<ContentsDifference>
}

interface Packed {
  readonly data: Buffer
  readonly plainSize: number
}

const KEPT_BYTES = 8 * 1024 ** 2

/** Nothing is kept yet. */
export function createDebComparisons(blobs: BlobStore): DebComparisons {
  const kept = createLru<string, Packed>(KEPT_BYTES)
  const lane = createMutex()
  return {
    compare: async (pair, { signal } = {}) => {
      const key = `${pair.old ?? ''} ${pair.new}`
      const known = await unpacked(kept, key)
      if (known !== undefined) return known
      const work = inLane(lane, signal, async () => {
        const made = await unpacked(kept, key)
        if (made !== undefined) return made
        const difference = await compareFiles(blobs, pair, { signal })
        await keep(kept, key, difference)
        return difference
      })
      return waitFor(work, signal)
    },
  }
}

/** Whoever went away before the turn came costs nothing. */
function inLane<T>(
  lane: Mutex,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const turn = lane(async () => {
    signal?.throwIfAborted()
    return work()
  })
  turn.catch(() => undefined)
  return turn
}

async function compareFiles(
  blobs: BlobStore,
  pair: DebPair,
  abortable: Abortable,
): Promise<ContentsDifference> {
  const old = pair.old && (await readFile(blobs, pair.old, abortable))
  return compareContents(old, await readFile(blobs, pair.new, abortable))
}

async function readFile(
  blobs: BlobStore,
  sha256: Sha256,
  abortable: Abortable,
): Promise<DebContents> {
  const open = await blobs.openFile(sha256)
  if (open === undefined) {
    throw new AppError('ERR_BLOB_MISSING', { message: `blob ${sha256} is not in the store` })
  }
  try {
    const stream = open.handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 })
    return await readContents(stream, wantsText, contentsLimits, abortable)
  } finally {
    await open.handle.close()
  }
}

function wantsText(path: string, conffiles: ReadonlySet<string>): boolean {
  return placeKind(mergedPath(path)) !== undefined || conffiles.has(path)
}

async function keep(
  kept: Lru<string, Packed>,
  key: string,
  difference: ContentsDifference,
): Promise<void> {
  const plain = Buffer.from(JSON.stringify(difference))
  const data = await gzipMember(plain)
  kept.set(key, { data, plainSize: plain.length }, data.length)
}

async function unpacked(
  kept: Lru<string, Packed>,
  key: string,
): Promise<ContentsDifference | undefined> {
  const packed = kept.get(key)
  if (packed === undefined) return undefined
  const text = await gunzipMember(packed.data, packed.plainSize)
  return JSON.parse(text.toString())
}
