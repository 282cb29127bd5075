/**
 * The files that a chunk names, and nothing else of it: a full archive has 2,000 chunks with 126,000 stanzas to look
 * through, and most of what a stanza says is of no use here.
 *
 * Stanzas of Packages nearly always have `SHA256: ` and `Size: ` at the beginning of a line; a chunk in which one is
 * written in another way is read field by field.
 */
import { splitStanzas } from '../debian/control.ts'
import { readStanza } from './index-kinds.ts'
import type { Chunk } from './index-tree.ts'
import type { IndexKind } from './suite-state.ts'

/** Told of each file: its digest in hex and its size in bytes. */
export type OnFile = (sha256: string, size: number) => void

const HEX = 64
const newline = 10

/** Tells each file of this chunk; one that several stanzas name comes several times. */
export function eachFile(kind: IndexKind, chunk: Chunk, text: Buffer, onFile: OnFile): void {
  const isQuick = kind === 'Packages' && quickFiles(text, chunk.stanzas, onFile)
  if (isQuick) return
  const ranges = splitStanzas(text)
  for (let at = 0; at < ranges.length; at += 2) {
    const { files } = readStanza(kind, text, { start: ranges[at] ?? 0, end: ranges[at + 1] ?? 0 })
    for (const { sha256, size } of files) onFile(sha256, size)
  }
}

/** False, and nothing told, where a stanza is not as most are. */
function quickFiles(text: Buffer, stanzas: number, onFile: OnFile): boolean {
  const found: [string, number][] = []
  for (let start = 0; start < text.length; ) {
    const boundary = text.indexOf('\n\n', start)
    const end = boundary < 0 ? text.length : boundary
    const digestAt = valueAt(text, '\nSHA256: ', start)
    const sizeAt = valueAt(text, '\nSize: ', start)
    const size = Math.max(digestAt, sizeAt) < end ? readNumber(text, sizeAt) : undefined
    if (size === undefined || text[digestAt + HEX] !== newline) return false
    found.push([text.toString('latin1', digestAt, digestAt + HEX), size])
    start = end + 2
  }
  if (found.length !== stanzas) return false
  for (const [sha256, size] of found) onFile(sha256, size)
  return true
}

/** Where the value begins of the first field behind `start` that is written so; beyond the text if there is none. */
function valueAt(text: Buffer, field: string, start: number): number {
  const at = text.indexOf(field, start)
  return at < 0 ? text.length : at + field.length
}

/** The digits at `from`, up to the end of the line. */
function readNumber(text: Buffer, from: number): number | undefined {
  let number = 0
  let at = from
  for (; at < text.length && text[at] !== newline; at++) {
    const digit = (text[at] ?? 0) - 0x30
    if (digit < 0 || digit > 9 || at - from > 15) return undefined
    number = number * 10 + digit
  }
  return at === from ? undefined : number
}
