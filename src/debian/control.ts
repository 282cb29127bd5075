/**
 * The stanza format of control files and indexes (Debian Policy 5.1, deb822(5)).
 *
 * Two readers. Over a Buffer: places only (numbers), nothing is decoded until asked for, so that an index of 50 MB stays
 * one Buffer; it takes what archives really hold (CRLF, blank lines with blanks in them, no newline at the end). Over a
 * string: `parseStanza`, strict, for small files of which we want every field.
 * A value is the text after the colon without blanks around it, then each continuation line after a '\n' and with its
 * leading blank kept: a field that starts on its second line (`Files:`) has a value that starts with '\n'.
 */
import { AppError } from '../base/errors.ts'

const newline = 10
const carriageReturn = 13
const space = 32
const tab = 9
const colon = 58
const EMPTY_LINE = Buffer.from('\n\n')
const SPACED_LINE = Buffer.from('\n ')
const fieldName = /^[!-9;-~]+$/

/** Where a stanza lies; `end` is after the newline of its last line, without the blank line that follows. */
export interface StanzaRange {
  readonly start: number
  readonly end: number
}

/** A parsed stanza: field names compare without case and keep their spelling and order. */
export class Stanza implements Iterable<readonly [name: string, value: string]> {
  readonly #fields = new Map<string, readonly [name: string, value: string]>()

  constructor(fields: Iterable<readonly [name: string, value: string]> = []) {
    for (const [name, value] of fields) this.set(name, value)
  }

  get size(): number {
    return this.#fields.size
  }

  get(name: string): string | undefined {
    return this.#fields.get(name.toLowerCase())?.[1]
  }

  has(name: string): boolean {
    return this.#fields.has(name.toLowerCase())
  }

  /** Adds a field at the end, or gives the one of that name a new value in its place. */
  set(name: string, value: string): void {
    this.#fields.set(name.toLowerCase(), [name, value])
  }

  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    return this.#fields.values()
  }
}

/** The stanzas of `buf` as pairs: start, end, start, end … (see `StanzaRange`). */
export function splitStanzas(buf: Buffer): Uint32Array {
  return hasPlainBlanks(buf) ? splitAtEmptyLines(buf) : splitAtBlankLines(buf)
}

/** Whether a line that looks blank is empty, for sure: an index of 50 MB is then split in half the time. */
function hasPlainBlanks(buf: Buffer): boolean {
  if ((buf[0] ?? 0) <= space || buf.includes(carriageReturn) || buf.includes(tab)) return false
  // A text full of continuation lines is split sooner than looked at.
  let left = buf.length >>> 9
  for (let at = buf.indexOf(SPACED_LINE); at >= 0; at = buf.indexOf(SPACED_LINE, at + 1)) {
    if (left-- === 0 || endOfBlankLine(buf, at + 1) >= 0) return false
  }
  return true
}

function splitAtEmptyLines(buf: Buffer): Uint32Array {
  let pairs = new Uint32Array(Math.max(16, buf.length >>> 8))
  let used = 0
  for (let at = 0; at < buf.length; ) {
    const blank = buf.indexOf(EMPTY_LINE, at)
    const end = blank < 0 ? buf.length : blank + 1
    if (used + 2 > pairs.length) pairs = grown(pairs)
    pairs[used++] = at
    pairs[used++] = end
    at = end
    while (buf[at] === newline) at += 1
  }
  return pairs.slice(0, used)
}

function splitAtBlankLines(buf: Buffer): Uint32Array {
  let pairs = new Uint32Array(Math.max(16, buf.length >>> 8))
  let used = 0
  let start = -1
  let at = 0
  while (at < buf.length) {
    const blankEnd = endOfBlankLine(buf, at)
    if (blankEnd >= 0) {
      if (start >= 0) {
        if (used + 2 > pairs.length) pairs = grown(pairs)
        pairs[used++] = start
        pairs[used++] = at
        start = -1
      }
      at = blankEnd
      continue
    }
    if (start < 0) start = at
    while (at < buf.length && buf[at] !== newline) at += 1
    at += 1
  }
  if (start >= 0) {
    if (used + 2 > pairs.length) pairs = grown(pairs)
    pairs[used++] = start
    pairs[used++] = buf.length
  }
  return pairs.slice(0, used)
}

/**
 * The fields of a stanza as triples: start of the name, end of the name (the colon), end of the field (after its last
 * newline). A line without a colon, and a first line that starts with a blank, has an empty name. Appends to `into`.
 */
export function fieldLines(
  buf: Buffer,
  start: number,
  end: number,
  into: number[] = [],
): readonly number[] {
  let at = start
  while (at < end) {
    const nameStart = at
    while (at < end && buf[at] !== colon && buf[at] !== newline) at += 1
    const nameEnd = at < end && buf[at] === colon ? at : -1
    while (at < end && buf[at] !== newline) at += 1
    at += 1
    while (at < end && (buf[at] === space || buf[at] === tab)) {
      while (at < end && buf[at] !== newline) at += 1
      at += 1
    }
    const isNamed = nameEnd >= 0 && buf[nameStart] !== space && buf[nameStart] !== tab
    into.push(nameStart, isNamed ? nameEnd : nameStart, Math.min(at, end))
  }
  return into
}

/** Whether the bytes from `nameStart` to `nameEnd` are `lowerCaseName`, in any case. */
export function isFieldName(
  buf: Buffer,
  nameStart: number,
  nameEnd: number,
  lowerCaseName: string,
): boolean {
  if (nameEnd - nameStart !== lowerCaseName.length) return false
  for (let at = 0; at < lowerCaseName.length; at += 1) {
    let code = buf[nameStart + at] ?? 0
    if (code >= 0x41 && code <= 0x5a) code |= 0x20
    if (code !== lowerCaseName.charCodeAt(at)) return false
  }
  return true
}

/** The value of the field whose colon is at `nameEnd` and which ends at `fieldEnd`, as `fieldLines` found it. */
export function fieldText(buf: Buffer, nameEnd: number, fieldEnd: number): string {
  let from = nameEnd + 1
  let to = fieldEnd
  while (from < to && isInlineBlank(buf[from])) from += 1
  while (to > from && (isInlineBlank(buf[to - 1]) || buf[to - 1] === newline)) to -= 1
  const text = buf.toString('utf8', from, to)
  if (!text.includes('\n')) return text
  return text.split('\n').map(trimmedEnd).join('\n')
}

/** The value of a field (its name in any case) of the stanza at `start` to `end`; undefined if it has none. */
export function fieldValue(
  buf: Buffer,
  start: number,
  end: number,
  name: string,
): string | undefined {
  const lowerCaseName = name.toLowerCase()
  let at = start
  while (at < end) {
    const nameEnd = at + lowerCaseName.length
    const isIt = buf[nameEnd] === colon && isFieldName(buf, at, nameEnd, lowerCaseName)
    while (at < end && buf[at] !== newline) at += 1
    at += 1
    if (!isIt) continue
    while (at < end && (buf[at] === space || buf[at] === tab)) {
      while (at < end && buf[at] !== newline) at += 1
      at += 1
    }
    return fieldText(buf, nameEnd, Math.min(at, end))
  }
  return undefined
}

/** The one stanza of `text`; strict: `ERR_FORMAT` names the line of what is wrong. */
export function parseStanza(text: string): Stanza {
  const [first, second] = parseStanzas(text)
  if (first === undefined) throw formatError('no stanza', 1)
  if (second !== undefined) {
    throw new AppError('ERR_FORMAT', { message: 'one stanza expected, there are several' })
  }
  return first
}

/** All stanzas of `text`; strict as `parseStanza`. */
export function parseStanzas(text: string): Stanza[] {
  const stanzas: Stanza[] = []
  let stanza: Stanza | undefined
  let open: string | undefined
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trimEnd()
    if (raw.includes('\0')) throw formatError('a NUL byte', index + 1)
    if (line === '') {
      stanza = undefined
      open = undefined
      continue
    }
    if (line.startsWith(' ') || line.startsWith('\t')) {
      if (stanza === undefined || open === undefined) {
        throw formatError('a continuation line without a field', index + 1)
      }
      stanza.set(open, `${stanza.get(open) ?? ''}\n${line}`)
      continue
    }
    if (stanza === undefined) {
      stanza = new Stanza()
      stanzas.push(stanza)
    }
    open = addField(stanza, line, index + 1)
  }
  return stanzas
}

/** The stanza as text, ending with one newline; `ERR_FORMAT` if a name or a value would break the format. */
export function formatStanza(fields: Iterable<readonly [name: string, value: string]>): string {
  let text = ''
  for (const [name, value] of fields) {
    if (!fieldName.test(name) || name.startsWith('#') || name.startsWith('-')) {
      throw new AppError('ERR_FORMAT', { message: `not a field name: ${JSON.stringify(name)}` })
    }
    if (/[\r\0]|\n(?![ \t]+\S)/.test(value)) {
      const message = `the value of ${name} would break the stanza`
      throw new AppError('ERR_FORMAT', { message, hint: 'start each further line with a blank' })
    }
    text += value === '' || value.startsWith('\n') ? `${name}:${value}\n` : `${name}: ${value}\n`
  }
  return text
}

/** Adds the field that starts on `line` and returns its name. */
function addField(stanza: Stanza, line: string, lineNumber: number): string {
  const end = line.indexOf(':')
  if (end < 0) throw formatError('no colon', lineNumber)
  const name = line.slice(0, end).trimEnd()
  if (!fieldName.test(name)) throw formatError('no field name before the colon', lineNumber)
  if (stanza.has(name)) throw formatError(`field ${name} a second time`, lineNumber)
  stanza.set(name, line.slice(end + 1).trim())
  return name
}

/** The place after the blank line that starts at `at`; -1 if that line is not blank. */
function endOfBlankLine(buf: Buffer, at: number): number {
  if ((buf[at] ?? newline) > space) return -1
  let next = at
  while (next < buf.length && isInlineBlank(buf[next])) next += 1
  if (next === buf.length) return next
  return buf[next] === newline ? next + 1 : -1
}

function trimmedEnd(line: string): string {
  return line.trimEnd()
}

function isInlineBlank(code: number | undefined): boolean {
  return code === space || code === tab || code === carriageReturn
}

function grown(pairs: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(pairs.length * 2)
  larger.set(pairs)
  return larger
}

function formatError(what: string, lineNumber: number): AppError {
  return new AppError('ERR_FORMAT', { message: `control file, line ${lineNumber}: ${what}` })
}
