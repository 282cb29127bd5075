/**
 * A set of digests that takes 16 bytes for each, at most: half a million of them are 8 MB, where strings would be 60.
 *
 * It keeps the first 64 bits of each digest, in a table with linear probing that is never more than half full. Two
 * digests that agree in those are one to it: `has` may say yes to what was never added (one chance in 10^12 with a
 * million entries), never no to what was. So it is for "is this still needed", where a wrong yes does no harm.
 */
import type { Sha256 } from './sha256.ts'

export interface DigestSet {
  readonly size: number
  /** False if it was there already. */
  add(digest: Sha256): boolean
  has(digest: Sha256): boolean
}

const FIRST_SLOTS = 1024

/** An empty set. */
export function createDigestSet(): DigestSet {
  let slots = FIRST_SLOTS
  let table = new Uint32Array(2 * slots)
  let size = 0
  /** Where these bits are, or would go. A slot of zeros is free: no digest has 64 of them. */
  const find = (high: number, low: number): number => {
    let slot = low & (slots - 1)
    for (;;) {
      const isFree = table[2 * slot] === 0 && table[2 * slot + 1] === 0
      if (isFree || (table[2 * slot] === high && table[2 * slot + 1] === low)) return 2 * slot
      slot = (slot + 1) & (slots - 1)
    }
  }
  const grow = (): void => {
    const old = table
    slots *= 2
    table = new Uint32Array(2 * slots)
    for (let at = 0; at < old.length; at += 2) {
      const [high = 0, low = 0] = [old[at], old[at + 1]]
      if (high === 0 && low === 0) continue
      const to = find(high, low)
      table[to] = high
      table[to + 1] = low
    }
  }
  return {
    get size() {
      return size
    },
    add: (digest) => {
      const [high, low] = bitsOf(digest)
      const at = find(high, low)
      if (table[at] === high && table[at + 1] === low) return false
      table[at] = high
      table[at + 1] = low
      size++
      if (size * 2 > slots) grow()
      return true
    },
    has: (digest) => {
      const [high, low] = bitsOf(digest)
      const at = find(high, low)
      return table[at] === high && table[at + 1] === low
    },
  }
}

function bitsOf(digest: Sha256): readonly [number, number] {
  return [Number.parseInt(digest.slice(0, 8), 16), Number.parseInt(digest.slice(8, 16), 16)]
}
