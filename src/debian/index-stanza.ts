/**
 * What the stanzas of all indexes have in common: reading the few fields that Sluice looks at, publishing the stanza with
 * some of them changed, and the words for what is wrong with one.
 *
 * Published stanzas are upstream's bytes but for the fields of a `FieldEdit`, and CRLF becomes LF: nothing is wrapped or
 * moved, since Description-md5 and unknown fields depend on it.
 */
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import type { ByteSink } from './byte-sink.ts'
import { fieldLines, fieldText, isFieldName } from './control.ts'

/** Where a stanza stands, and its fields, if they were looked for already (`fieldLines`). */
export interface StanzaPlace {
  readonly start: number
  readonly end: number
  readonly places?: readonly number[] | undefined
}

/** Reads some fields of a stanza: their values in the order in which the reader was given their names. */
export type FieldReader = (buf: Buffer, place: StanzaPlace) => (string | undefined)[]

/** How a stanza is published: names of fields in lower case. */
export interface FieldEdit {
  /** The field that gets another value. */
  readonly replaced: string
  /** Whether a stanza without it gets it at its end; else it is no stanza. */
  readonly isAdded?: boolean
  readonly dropped: readonly string[]
}

/** Syntax of a package's name, wider than Policy's: archives hold what dpkg alone refuses. */
export const packageName = /^[A-Za-z0-9][A-Za-z0-9+._-]*$/
/** Printable, without `/` and `\`. */
export const versionText = /^[!-.0-[\]-~]+$/

const newline = 10
const carriageReturn = 13

/** A reader of these fields (lower-case names); `ERR_FORMAT` for one that is there twice, and for a line that has none. */
export function fieldReader(names: readonly string[]): FieldReader {
  // By the length of the name: its place in `names`, since most fields are told apart by length alone.
  const longest = Math.max(...names.map((name) => name.length))
  const byLength = Array.from({ length: longest + 1 }, (_, length) =>
    names.flatMap((name, index) => (name.length === length ? [{ name, index }] : [])),
  )
  const indexOf = (buf: Buffer, nameStart: number, nameEnd: number): number => {
    const candidates = byLength[nameEnd - nameStart]
    if (candidates === undefined) return -1
    for (const { name, index } of candidates)
      if (isFieldName(buf, nameStart, nameEnd, name)) return index
    return -1
  }
  return (buf, { start, end, places = fieldLines(buf, start, end) }) => {
    const texts: (string | undefined)[] = Array(names.length).fill(undefined)
    for (let at = 0; at < places.length; at += 3) {
      const nameStart = places[at] ?? 0
      const nameEnd = places[at + 1] ?? 0
      if (nameEnd === nameStart) throw badLine(buf, nameStart, places[at + 2] ?? end)
      const index = indexOf(buf, nameStart, nameEnd)
      if (index < 0) continue
      if (texts[index] !== undefined) {
        throw new AppError('ERR_FORMAT', { message: `field ${names[index]} twice in one stanza` })
      }
      texts[index] = fieldText(buf, nameEnd, places[at + 2] ?? end)
    }
    return texts
  }
}

/**
 * Puts the stanza as published into `sink`: `line` (with its newline) in place of the replaced field, the dropped ones left
 * out, all else byte for byte. Ends with one newline and no blank line; false, with nothing put, if the field to replace
 * is not there and not to be added.
 */
export function editFields(
  buf: Buffer,
  { start, end, places = fieldLines(buf, start, end) }: StanzaPlace,
  {
    edit,
    line,
    sink,
  }: { readonly edit: FieldEdit; readonly line: string; readonly sink: ByteSink },
): boolean {
  const begin = sink.used
  let keptFrom = start
  let isReplaced = false
  for (let at = 0; at < places.length; at += 3) {
    const nameStart = places[at] ?? 0
    const nameEnd = places[at + 1] ?? 0
    const isIt = isFieldName(buf, nameStart, nameEnd, edit.replaced)
    if (!isIt && !isDropped(buf, nameStart, nameEnd, edit.dropped)) continue
    if (keptFrom < nameStart) sink.copy(buf, keptFrom, nameStart)
    keptFrom = places[at + 2] ?? end
    if (!isIt || isReplaced) continue
    sink.text(line)
    isReplaced = true
  }
  if (!isReplaced && edit.isAdded !== true) {
    sink.used = begin
    return false
  }
  if (keptFrom < end) sink.copy(buf, keptFrom, end)
  finish(sink, begin)
  if (!isReplaced) sink.text(line)
  return true
}

/** Puts the stanza byte for byte into `sink`, but for CRLF: ends with one newline. */
export function copyStanza(buf: Buffer, start: number, end: number, sink: ByteSink): void {
  const begin = sink.used
  sink.copy(buf, start, end)
  finish(sink, begin)
}

function finish(sink: ByteSink, begin: number): void {
  const stanza = sink.view(begin)
  const isWhole = stanza[stanza.length - 1] === newline
  if (stanza.includes(carriageReturn)) {
    const plain = Buffer.from(stanza.toString('latin1').replaceAll(/\r+\n/g, '\n'), 'latin1')
    sink.used = begin
    sink.copy(plain, 0, plain.length)
  }
  if (!isWhole) sink.text('\n')
}

/** The value of a field that must be there and have this syntax. `of` names the stanza in messages. */
export function checked(
  field: string,
  text: string | undefined,
  syntax: RegExp,
  of?: string,
): string {
  if (text === undefined || text === '') throw missing(field, of)
  if (!syntax.test(text)) throw malformed(field, text, of)
  return text
}

/** A path below the archive's root, without a leading `./`. */
export function parsePath(field: string, text: string | undefined, of: string): string {
  if (text === undefined || text === '') throw missing(field, of)
  const path = text.startsWith('./') ? text.replace(/^(?:\.\/+)+/, '') : text
  const isBad = path === '' || path.startsWith('/') || hasControlCharacter(path)
  if (isBad || (path.includes('..') && path.split('/').includes('..')))
    throw malformed(field, text, of)
  return path
}

/** A number of bytes. */
export function parseSize(field: string, text: string | undefined, of: string): number {
  if (text === undefined || text === '') throw missing(field, of)
  const size = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(size)) throw malformed(field, text, of)
  return size
}

/** A SHA-256 in hex; upper case is taken, too. */
export function parseDigest(field: string, text: string | undefined, of: string): Sha256 {
  if (text === undefined || text === '') throw missing(field, of)
  const digest = parseSha256(text) ?? parseSha256(text.toLowerCase())
  if (digest === undefined) throw malformed(field, text, of)
  return digest
}

/** Whether the text has a character below space, or DEL. */
export function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

/** `ERR_FORMAT`: the stanza lacks a field, which the details name as `missing`. */
export function missing(field: string, of?: string): AppError {
  const message = of === undefined ? `stanza without ${field}` : `stanza ${of}: no ${field}`
  return new AppError('ERR_FORMAT', { message, details: { field, missing: field } })
}

/** `ERR_FORMAT`: a field of the stanza is not what it must be. */
export function malformed(field: string, text: string, of = ''): AppError {
  const shown = JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
  const message = `stanza ${of === '' ? '' : `${of}: `}${field} is malformed: ${shown}`
  return new AppError('ERR_FORMAT', { message, details: { field } })
}

function isDropped(
  buf: Buffer,
  nameStart: number,
  nameEnd: number,
  dropped: readonly string[],
): boolean {
  for (const field of dropped) if (isFieldName(buf, nameStart, nameEnd, field)) return true
  return false
}

function badLine(buf: Buffer, start: number, end: number): AppError {
  const shown = JSON.stringify(buf.toString('utf8', start, Math.min(end, start + 80)).trimEnd())
  return new AppError('ERR_FORMAT', { message: `stanza with a line that has no field: ${shown}` })
}
