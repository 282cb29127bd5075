/**
 * Files that were read lately: the kernel has them in memory, and reading at once takes a fraction of what it takes to hand that
 * to another thread and to wait. Small ones all go through the same few bytes of ours, which are used again for the next: nothing
 * is left for the garbage collector, which took more than the reading.
 *
 * Where the kernel had to go to the disk after all, nothing is read here for nine times as long: of a second, a tenth is waited.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { totalmem } from 'node:os'
import { createLru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'

/** A file that was read. */
export interface WarmFile {
  /** Good until the next file is read, unless they are taken away. */
  readonly data: Buffer
  readonly size: number
  /** Epoch seconds. */
  readonly modifiedAt: number
  /** How often it was read, lately. */
  readonly reads: number
}

export interface WarmFiles {
  /** The file of this blob, whose facts are these, was read; says how often it was, lately. */
  note(sha256: Sha256, facts: Pick<WarmFile, 'size' | 'modifiedAt'>): number
  /** Reads a small one at once, if it was read lately and is what it was. */
  read(sha256: Sha256): WarmFile | undefined
  /** Reads from the open file of a larger one at once, if that was read lately; says how many bytes. */
  readOpen(sha256: Sha256, fd: number, into: Buffer, at: number, length: number): number | undefined
  /** The bytes of the last one are somebody's: they stay as they are until what this gives is called, or for ever. */
  takeAway(): () => void
  drop(sha256: Sha256): void
}

interface Known {
  readonly size: number
  readonly modifiedAt: number
  reads: number
}

/** What the kernel may well have forgotten, with all else that it has to remember: an eighth of the memory. */
const CAPACITY = Math.min(1024 ** 3, totalmem() / 8, (process.constrainedMemory() || 1e15) / 8)
/** So that there are some 30,000 at the most. */
const LEAST_WEIGHT = 32 * 1024
/** Longer is not out of memory, or another program had the processor. */
const SLOW_MS = 2
const REST = 9
/** Buffers that are kept for those that somebody has. */
const MOST_SPARE = 16

/** Nothing was read yet; small are those up to `most` bytes, `pathOf` says where the file of a blob is. */
export function createWarmFiles(pathOf: (sha256: Sha256) => string, most: number): WarmFiles {
  const known = createLru<Sha256, Known>(CAPACITY)
  let scratch: Buffer | undefined
  const spare: Buffer[] = []
  let restingUntil = 0
  let fromDisk = 0
  /** Whether the process read of any disk since this was asked last. */
  const hasReadDisk = (): boolean => {
    const before = fromDisk
    fromDisk = process.resourceUsage().fsRead
    return fromDisk !== before
  }
  const timed = (read: () => number): number | undefined => {
    const before = performance.now()
    if (before < restingUntil) return undefined
    const count = read()
    const after = performance.now()
    if (after - before > SLOW_MS && hasReadDisk()) restingUntil = after + REST * (after - before)
    return count
  }
  const read = (sha256: Sha256): WarmFile | undefined => {
    const file = known.get(sha256)
    if (file === undefined || file.size > most) return undefined
    // One byte more than it may have, so that a longer one is seen.
    scratch ??= spare.pop() ?? Buffer.allocUnsafeSlow(most + 1)
    const into = scratch
    const { size, modifiedAt } = file
    const count = timed(() => readSmall(pathOf(sha256), into, size + 1))
    if (count === undefined) return undefined
    if (count !== size) {
      known.delete(sha256)
      return undefined
    }
    file.reads += 1
    return { data: into.subarray(0, size), size, modifiedAt, reads: file.reads }
  }
  return {
    note: (sha256, { size, modifiedAt }) => {
      const reads = (known.get(sha256)?.reads ?? 0) + 1
      known.set(sha256, { size, modifiedAt, reads }, Math.max(size, LEAST_WEIGHT))
      return reads
    },
    read,
    readOpen: (sha256, fd, into, at, length) => {
      if (known.get(sha256) === undefined) return undefined
      const count = timed(() => readSync(fd, into, 0, length, at))
      // That it ends too early is told by who reads the long way.
      return count === 0 ? undefined : count
    },
    takeAway: () => {
      const taken = scratch
      scratch = undefined
      return () => {
        if (taken !== undefined && spare.length < MOST_SPARE) spare.push(taken)
      }
    },
    drop: known.delete,
  }
}

/** How many bytes came; fewer than none where it cannot be read, which is told to who reads it the long way. */
function readSmall(path: string, into: Buffer, most: number): number {
  let fd: number | undefined
  try {
    fd = openSync(path, 'r')
    return readSync(fd, into, 0, most, 0)
  } catch {
    return -1
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
