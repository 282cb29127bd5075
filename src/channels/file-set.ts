/**
 * Files by number: each digest once, with its size. A full archive for two architectures names some 130,000; here they
 * are 44 bytes each, in flat arrays, and a list of files elsewhere is a list of numbers.
 */
import { type Sha256, sha256FromBytes } from '../base/sha256.ts'

export interface FileSet {
  /** Numbers are below it. */
  readonly count: number
  /** The number of the file of this digest (hex), which is added if it is new; a size told later counts for nothing. */
  add(sha256: string, size: number): number
  /** The number of the file whose digest stands at `at` of these bytes; -1 if there is none. */
  find(bytes: Buffer, at: number): number
  sha256Of(file: number): Sha256
  sizeOf(file: number): number
}

const DIGEST_BYTES = 32
const FIRST_CAPACITY = 4096

/** A set without files. */
export function createFileSet(): FileSet {
  let digests = Buffer.alloc(FIRST_CAPACITY * DIGEST_BYTES)
  let sizes = new Float64Array(FIRST_CAPACITY)
  // Open addressing by the first four bytes, which are as good as random; a slot holds a number plus one.
  let slots = new Int32Array(FIRST_CAPACITY * 2)
  let count = 0
  const wanted = Buffer.alloc(DIGEST_BYTES)
  const slotOf = (bytes: Buffer, at: number): number => {
    const mask = slots.length - 1
    for (let slot = bytes.readUInt32LE(at) & mask; ; slot = (slot + 1) & mask) {
      const file = (slots[slot] ?? 0) - 1
      if (file < 0 || isSame(digests, file * DIGEST_BYTES, bytes, at)) return slot
    }
  }
  const grow = (): void => {
    const capacity = sizes.length * 2
    digests = Buffer.concat([digests], capacity * DIGEST_BYTES)
    const larger = new Float64Array(capacity)
    larger.set(sizes)
    sizes = larger
    slots = new Int32Array(capacity * 2)
    for (let file = 0; file < count; file++) slots[slotOf(digests, file * DIGEST_BYTES)] = file + 1
  }
  return {
    get count() {
      return count
    },
    add: (sha256, size) => {
      wanted.write(sha256, 'hex')
      const known = (slots[slotOf(wanted, 0)] ?? 0) - 1
      if (known >= 0) return known
      if (count === sizes.length) grow()
      const file = count++
      wanted.copy(digests, file * DIGEST_BYTES)
      sizes[file] = size
      slots[slotOf(wanted, 0)] = file + 1
      return file
    },
    find: (bytes, at) => (slots[slotOf(bytes, at)] ?? 0) - 1,
    sha256Of: (file) =>
      sha256FromBytes(digests.subarray(file * DIGEST_BYTES, (file + 1) * DIGEST_BYTES)),
    sizeOf: (file) => sizes[file] ?? 0,
  }
}

function isSame(a: Buffer, aAt: number, b: Buffer, bAt: number): boolean {
  if (a.readInt32LE(aAt) !== b.readInt32LE(bAt)) return false
  return a.compare(b, bAt, bAt + DIGEST_BYTES, aAt, aAt + DIGEST_BYTES) === 0
}
