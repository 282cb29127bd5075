/**
 * Stanzas of `Packages` indexes: what Sluice reads of one, and the form in which it publishes it.
 *
 * Published stanzas are upstream's bytes but for these: `Filename` names the content (docs/design.md: the pool), MD5sum,
 * SHA1 and SHA512 go, and CRLF becomes LF. Nothing is wrapped or moved, since Description-md5 and unknown fields
 * depend on it. What could break the index of a client (a line without a colon, NUL) is refused.
 * Source: Debian Policy 5.6; the spellings are those that third-party archives really use.
 */
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { fieldLines, fieldText, isFieldName } from './control.ts'
import { withoutEpoch } from './version.ts'

/** What Sluice reads of a binary package's stanza. */
export interface PackageStanza {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** Name of the source package: the package's own name unless `Source` says otherwise. */
  readonly source: string
  /** Version of the source package: the package's own unless `Source` carries one in brackets (a binNMU). */
  readonly sourceVersion: string
  /** Place below the archive's root, not percent-encoded, without a leading `./`. */
  readonly filename: string
  /** Bytes. */
  readonly size: number
  readonly sha256: Sha256
  readonly section?: string | undefined
  readonly priority?: string | undefined
}

const read = [
  'package',
  'version',
  'architecture',
  'source',
  'filename',
  'size',
  'sha256',
  'section',
  'priority',
] as const
type Texts = { readonly [field in (typeof read)[number]]?: string | undefined }
const longestRead = Math.max(...read.map((name) => name.length))
/** By the length of the name: its place in `read`, since most fields are told apart by length alone. */
const readByLength = Array.from({ length: longestRead + 1 }, (_, length) =>
  read.flatMap((name, index) => (name.length === length ? [{ name, index }] : [])),
)

const replaced = 'filename'
const dropped = ['md5sum', 'sha1', 'sha512'] as const

const packageName = /^[A-Za-z0-9][A-Za-z0-9+._-]*$/
/** Printable, without `/` and `\`: wider than Policy, since archives hold what dpkg alone refuses. */
const versionText = /^[!-.0-[\]-~]+$/
const architectureName = /^[a-z0-9][a-z0-9-]*$/
const sourceField = /^([A-Za-z0-9][A-Za-z0-9+._-]*)(?:\s*\(\s*([^()\s]+)\s*\))?$/
const newline = 10
const carriageReturn = 13

/** Reads the stanza at `start` to `end`; `ERR_FORMAT` names the field that is missing or malformed. */
export function readPackageStanza(buf: Buffer, start: number, end: number): PackageStanza {
  const texts: (string | undefined)[] = Array(read.length).fill(undefined)
  const places = fieldLines(buf, start, end)
  for (let at = 0; at < places.length; at += 3) {
    const nameStart = places[at] ?? 0
    const nameEnd = places[at + 1] ?? 0
    if (nameEnd === nameStart) throw badLine(buf, nameStart, places[at + 2] ?? end)
    const index = indexInRead(buf, nameStart, nameEnd)
    if (index < 0) continue
    if (texts[index] !== undefined) {
      throw new AppError('ERR_FORMAT', { message: `field ${read[index]} twice in one stanza` })
    }
    texts[index] = fieldText(buf, nameEnd, places[at + 2] ?? end)
  }
  const [pkg, version, architecture, source, filename, size, sha256, section, priority] = texts
  return toPackageStanza({
    package: pkg,
    version,
    architecture,
    source,
    filename,
    size,
    sha256,
    section,
    priority,
  })
}

/** Place of the package's file in our pools; the digest makes it unique and the name is for people and apt's cache. */
export function poolPath(
  p: Pick<PackageStanza, 'name' | 'version' | 'architecture' | 'sha256'>,
): string {
  const file = `${p.name}_${withoutEpoch(p.version)}_${p.architecture}.deb`
  return `pool/${p.sha256.slice(0, 2)}/${p.sha256.slice(2)}/${file}`
}

/**
 * The stanza as published: `Filename` replaced, the digests that we do not vouch for left out, all else byte for
 * byte. Ends with one newline and no blank line. `ERR_FORMAT` if it has no `Filename`.
 */
export function rewriteStanza(buf: Buffer, start: number, end: number, filename: string): Buffer {
  const places = fieldLines(buf, start, end)
  const line = `Filename: ${filename}\n`
  const out = Buffer.allocUnsafe(end - start + Buffer.byteLength(line) + 1)
  let used = 0
  let keptFrom = start
  let isReplaced = false
  for (let at = 0; at < places.length; at += 3) {
    const nameStart = places[at] ?? 0
    const nameEnd = places[at + 1] ?? 0
    const isFilename = isFieldName(buf, nameStart, nameEnd, replaced)
    if (!isFilename && !isDropped(buf, nameStart, nameEnd)) continue
    if (keptFrom < nameStart) used += buf.copy(out, used, keptFrom, nameStart)
    keptFrom = places[at + 2] ?? end
    if (!isFilename || isReplaced) continue
    used += out.write(line, used)
    isReplaced = true
  }
  if (!isReplaced) throw missing('Filename')
  if (keptFrom < end) used += buf.copy(out, used, keptFrom, end)
  if (out[used - 1] !== newline) out[used++] = newline
  const whole = out.subarray(0, used)
  return whole.includes(carriageReturn) ? withoutCarriageReturns(whole) : whole
}

/** The place in `read` of the field whose name is there; -1 if it is none of them. */
function indexInRead(buf: Buffer, nameStart: number, nameEnd: number): number {
  const candidates = readByLength[nameEnd - nameStart]
  if (candidates === undefined) return -1
  for (const { name, index } of candidates)
    if (isFieldName(buf, nameStart, nameEnd, name)) return index
  return -1
}

function isDropped(buf: Buffer, nameStart: number, nameEnd: number): boolean {
  for (const field of dropped) if (isFieldName(buf, nameStart, nameEnd, field)) return true
  return false
}

function toPackageStanza(texts: Texts): PackageStanza {
  const name = checked('Package', texts.package, packageName)
  const of = `of package ${name}`
  const version = checked('Version', texts.version, versionText, of)
  const source = parseSource(texts.source, name, version)
  return {
    name,
    version,
    architecture: checked('Architecture', texts.architecture, architectureName, of),
    source: source.name,
    sourceVersion: source.version,
    filename: parseFilename(texts.filename, of),
    size: parseSize(texts.size, of),
    sha256: parseDigest(texts.sha256, of),
    section: texts.section,
    priority: texts.priority,
  }
}

function checked(field: string, text: string | undefined, syntax: RegExp, of?: string): string {
  if (text === undefined || text === '') throw missing(field, of)
  if (!syntax.test(text)) throw malformed(field, text, of)
  return text
}

function parseSource(
  text: string | undefined,
  name: string,
  version: string,
): { name: string; version: string } {
  if (text === undefined || text === '') return { name, version }
  const match = sourceField.exec(text)
  const [, sourceName, sourceVersion = version] = match ?? []
  if (sourceName === undefined || !versionText.test(sourceVersion)) {
    throw malformed('Source', text, `of package ${name}`)
  }
  return { name: sourceName, version: sourceVersion }
}

function parseFilename(text: string | undefined, of: string): string {
  if (text === undefined || text === '') throw missing('Filename', of)
  const path = text.startsWith('./') ? text.replace(/^(?:\.\/+)+/, '') : text
  const isBad = path === '' || path.startsWith('/') || hasControlCharacter(path)
  if (isBad || (path.includes('..') && path.split('/').includes('..')))
    throw malformed('Filename', text, of)
  return path
}

function parseSize(text: string | undefined, of: string): number {
  if (text === undefined || text === '') throw missing('Size', of)
  const size = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(size)) throw malformed('Size', text, of)
  return size
}

function parseDigest(text: string | undefined, of: string): Sha256 {
  if (text === undefined || text === '') throw missing('SHA256', of)
  const digest = parseSha256(text) ?? parseSha256(text.toLowerCase())
  if (digest === undefined) throw malformed('SHA256', text, of)
  return digest
}

/** Whether the text has a character below space, or DEL. */
function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

function withoutCarriageReturns(stanza: Buffer): Buffer {
  return Buffer.from(stanza.toString('latin1').replaceAll(/\r+\n/g, '\n'), 'latin1')
}

function missing(field: string, of?: string): AppError {
  const message = of === undefined ? `stanza without ${field}` : `stanza ${of}: no ${field}`
  return new AppError('ERR_FORMAT', { message, details: { field } })
}

function malformed(field: string, text: string, of = ''): AppError {
  const shown = JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
  const message = `stanza ${of === '' ? '' : `${of}: `}${field} is malformed: ${shown}`
  return new AppError('ERR_FORMAT', { message, details: { field } })
}

function badLine(buf: Buffer, start: number, end: number): AppError {
  const shown = JSON.stringify(buf.toString('utf8', start, Math.min(end, start + 80)).trimEnd())
  return new AppError('ERR_FORMAT', { message: `stanza with a line that has no field: ${shown}` })
}
