/**
 * A `Packages.gz` as it is served: the gzip members of its index's chunks, one after the other (apt reads all members).
 * It is read at any place into memory of the reader's, so that a download leaves no garbage.
 */
import { readSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { IndexParts } from '../archives/index-parts.ts'
import type { Chunk } from '../archives/index-tree.ts'
import { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'

/** What an index without packages is served as: gzip -t and debootstrap refuse a file of no bytes. */
export const EMPTY_MEMBER = gzipSync('', { level: 9 })

export interface Composite {
  /** Puts bytes from `at` on into the buffer, `length` at the most and one at the least, and says how many. */
  read(buffer: Buffer, at: number, length: number): Promise<number>
}

/** The `Packages.gz` of the index whose chunk list is `root`. */
export async function openComposite(parts: IndexParts, root: Sha256): Promise<Composite> {
  const { chunks } = await parts.trees.read(root)
  if (chunks.length === 0) return { read: async (buffer, at) => EMPTY_MEMBER.copy(buffer, 0, at) }
  const members = chunks.map(({ member }) => member)
  const runs = await parts.members.runs(members, (digest) => parts.blobs.read(digest))
  return runs === undefined ? bySingleMembers(parts, chunks) : fromScratch(parts.members.fd, runs)
}

/** The page cache has the file: to hand a read to a thread and back costs more than the read. */
function fromScratch(fd: number, runs: Float64Array): Composite {
  const sizes = Array.from({ length: runs.length / 2 }, (_, index) => runs[2 * index + 1] ?? 0)
  const find = createFinder(sizes)
  return {
    read: async (buffer, at, length) => {
      const { index, skipped } = find(at)
      const left = (sizes[index] ?? 0) - skipped
      const from = (runs[2 * index] ?? 0) + skipped
      const bytesRead = readSync(fd, buffer, 0, Math.min(length, left), from)
      if (bytesRead === 0)
        throw new AppError('ERR_STORE', { message: 'a scratch file became shorter' })
      return bytesRead
    },
  }
}

/** Where the scratch file is full. */
function bySingleMembers({ blobs }: IndexParts, chunks: readonly Chunk[]): Composite {
  const find = createFinder(chunks.map(({ memberSize }) => memberSize))
  return {
    read: async (buffer, at, length) => {
      const { index, skipped } = find(at)
      const chunk = chunks[index]
      const member = chunk === undefined ? Buffer.alloc(0) : await blobs.read(chunk.member)
      return member.copy(buffer, 0, skipped, skipped + length)
    },
  }
}

/** Finds the piece that a place is in, of pieces of these sizes. */
function createFinder(
  sizes: readonly number[],
): (at: number) => { readonly index: number; readonly skipped: number } {
  const ends = new Float64Array(sizes.length)
  let end = 0
  for (const [index, size] of sizes.entries()) {
    end += size
    ends[index] = end
  }
  return (at) => {
    let low = 0
    let high = ends.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ends[middle] ?? 0) > at) high = middle
      else low = middle + 1
    }
    return { index: low, skipped: at - ((ends[low] ?? 0) - (sizes[low] ?? 0)) }
  }
}
