/**
 * A set of digests that takes 20 to 45 bytes for each: a fifth of what strings would take.
 *
 * It keeps the first 128 bits of each digest, in a table with linear probing that is never more than three quarters full. Two
 * digests that agree in those are one to it. Nobody can make bytes whose digest agrees so with another one's; but digests
 * that are only text somebody wrote can be anything, and are kept apart from those of bytes that were read.
 */
import type { Sha256 } from './sha256.ts'

export interface DigestSet {
  readonly size: number
  /** False if it was there already. */
  add(digest: Sha256): boolean
  has(digest: Sha256): boolean
}

const FIRST_SLOTS = 1024
const WORDS = 4

/** An empty set. */
export function createDigestSet(): DigestSet {
  let slots = FIRST_SLOTS
  let table = new Uint32Array(WORDS * slots)
  let size = 0
  const key = new Uint32Array(WORDS)
  const read = (digest: Sha256): void => {
    for (let word = 0; word < WORDS; word++) {
      key[word] = Number.parseInt(digest.slice(8 * word, 8 * word + 8), 16)
    }
  }
  /** Where `key` is, or a free slot where it would go: one of zeros, which no digest is. */
  const find = (): number => {
    for (let slot = (key[0] ?? 0) & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = WORDS * slot
      if (isFree(at) || isKey(at)) return at
    }
  }
  const isFree = (at: number): boolean => {
    for (let word = 0; word < WORDS; word++) if (table[at + word] !== 0) return false
    return true
  }
  const isKey = (at: number): boolean => {
    for (let word = 0; word < WORDS; word++) if (table[at + word] !== key[word]) return false
    return true
  }
  const grow = (): void => {
    const old = table
    slots *= 2
    table = new Uint32Array(WORDS * slots)
    for (let from = 0; from < old.length; from += WORDS) {
      let bits = 0
      for (let word = 0; word < WORDS; word++) bits |= key[word] = old[from + word] ?? 0
      if (bits !== 0) put(find())
    }
  }
  const put = (at: number): void => {
    for (let word = 0; word < WORDS; word++) table[at + word] = key[word] ?? 0
  }
  return {
    get size() {
      return size
    },
    add: (digest) => {
      read(digest)
      const at = find()
      if (isKey(at)) return false
      put(at)
      size++
      if (size * 4 > slots * 3) grow()
      return true
    },
    has: (digest) => {
      read(digest)
      return isKey(find())
    },
  }
}
