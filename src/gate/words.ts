/**
 * Texts and their numbers, from 0 on, in few bytes: all texts stand one after the other in one piece of memory, and a table
 * of places tells by their hashes where. A map of strings takes five times as much.
 */
import { createIntList } from './int-list.ts'

export interface Words {
  readonly size: number
  number(text: string): number
  find(text: string): number | undefined
  text(number: number): string
}

const FIRST = 1024

/** An empty list of words. */
export function createWords(): Words {
  let bytes = Buffer.allocUnsafeSlow(16 * FIRST)
  let end = 0
  /** Where each word begins. */
  const starts = createIntList(FIRST)
  /** A word's number and 1 at the place that its hash says, or the next that is free; a power of two, half empty at least. */
  let table = new Int32Array(2 * FIRST)
  const endOf = (number: number): number =>
    number + 1 < starts.length ? starts.get(number + 1) : end

  /** Puts the text behind all others, without keeping it; its end. */
  const write = (text: string): number => {
    const most = end + 3 * text.length
    if (most > bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * most)
      larger.set(bytes.subarray(0, end))
      bytes = larger
    }
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code >= 0x80) return end + bytes.write(text, end)
      bytes[end + at] = code
    }
    return end + text.length
  }

  /** The place in the table of the word that was written up to `to`: its own, or the free one where it belongs. */
  const placeOf = (to: number): number => {
    const mask = table.length - 1
    for (let place = hash(bytes, end, to) & mask; ; place = (place + 1) & mask) {
      const number = (table[place] ?? 0) - 1
      if (number < 0) return place
      const start = starts.get(number)
      if (endOf(number) - start === to - end && isSame(bytes, start, end, to)) return place
    }
  }

  const grow = (): void => {
    table = new Int32Array(2 * table.length)
    const mask = table.length - 1
    for (let number = 0; number < starts.length; number++) {
      let place = hash(bytes, starts.get(number), endOf(number)) & mask
      while (table[place] !== 0) place = (place + 1) & mask
      table[place] = number + 1
    }
  }

  return {
    get size() {
      return starts.length
    },
    find: (text) => {
      const number = (table[placeOf(write(text))] ?? 0) - 1
      return number < 0 ? undefined : number
    },
    text: (number) => {
      if (number < 0 || number >= starts.length) return ''
      return bytes.toString('utf8', starts.get(number), endOf(number))
    },
    number: (text) => {
      const to = write(text)
      const place = placeOf(to)
      const known = (table[place] ?? 0) - 1
      if (known >= 0) return known
      starts.push(end)
      end = to
      table[place] = starts.length
      if (2 * starts.length > table.length) grow()
      return starts.length - 1
    },
  }
}

/** Whether the bytes from `one` on are those from `from` to `to`. */
function isSame(bytes: Buffer, one: number, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[one + at - from] !== bytes[at]) return false
  return true
}

/** FNV-1a, of 32 bits. */
function hash(bytes: Buffer, from: number, to: number): number {
  let value = 0x811c9dc5
  for (let at = from; at < to; at++) value = Math.imul(value ^ (bytes[at] ?? 0), 0x01000193)
  return value ^ (value >>> 15)
}
