/**
 * The control file of a package that somebody built, field by field (Debian Policy 5.3 and 5.6, deb-control(5)): what dpkg
 * would refuse is refused, and so is what would break an index, since the fields become a stanza of `Packages`.
 */
import { isUtf8 } from 'node:buffer'
import { parseStanza, type Stanza } from './control.ts'
import { isRelationField, relationFault } from './strict-relations.ts'
import { asRefusal, beyond, quoted, refused } from './upload-refusal.ts'
import { isVersion, withoutEpoch } from './version.ts'

export interface DebFields {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** The source package; the package's own name and version unless the field Source says more. */
  readonly source: string
  readonly sourceVersion: string
  /** In KiB; as the package tells. */
  readonly installedSize?: number | undefined
  readonly control: Stanza
  readonly controlText: string
  readonly warnings: readonly DebWarning[]
}

/** Something that need not be wrong. */
export interface DebWarning {
  /** Stays the same; for programs. */
  readonly reason: string
  readonly message: string
}

/** Policy 5.6.1 and 5.6.7. */
const strictName = /^[a-z0-9][a-z0-9+.-]+$/
const strictArchitecture = /^[a-z0-9][a-z0-9-]*$/
const sourceValue = /^(\S+)(?:\s*\(\s*(\S+)\s*\))?$/
/** What people write is far shorter; patterns with two ways to match take the square of it. */
const longestLine = 2048
const longestSource = 300
const mostLines = 10_000
const required = ['Package', 'Version', 'Architecture', 'Maintainer', 'Description']
/** What indexes add, and dpkg's own database: a package that says it of itself would be believed. */
const reserved = new Set([
  ...['filename', 'size', 'md5sum', 'sha1', 'sha256', 'sha512', 'description-md5', 'directory'],
  ...['msdos-filename', 'status', 'config-version', 'conffiles', 'triggers-pending'],
  ...['triggers-awaited', 'phased-update-percentage', 'files', 'checksums-sha256'],
])
const priorities = ['required', 'important', 'standard', 'optional', 'extra']
const multiArch = ['no', 'same', 'foreign', 'allowed']
const member = 'control'
const hint = 'correct debian/control (Policy 5) and build the package again'

/** Reads and checks the control file. */
export function checkFields(data: Buffer): DebFields {
  const controlText = checkText(data)
  const control = readStanza(controlText)
  for (const field of required) need(control, field)
  for (const [field, value] of control) checkField(field, value)
  const [name, version, architecture] = [
    need(control, 'Package'),
    need(control, 'Version'),
    need(control, 'Architecture'),
  ]
  if (!strictName.test(name)) throw wrong('Package', `${quoted(name)} is no name of a package`)
  if (!isVersion(version)) throw wrong('Version', `${quoted(version)} is no version`)
  if (!strictArchitecture.test(architecture) || ['any', 'source'].includes(architecture))
    throw wrong('Architecture', `${quoted(architecture)} is no architecture of a package`)
  if (debFileName({ name, version, architecture }).length > 255)
    throw wrong('Package', 'name and version are too long for the name of a file')
  const isSame = control.get('Multi-Arch')?.toLowerCase() === 'same'
  if (isSame && architecture === 'all')
    throw wrong('Multi-Arch', 'same, but the architecture is all')
  return {
    ...{ name, version, architecture, control, controlText },
    ...readSource(control.get('Source'), name, version),
    installedSize: readInstalledSize(control.get('Installed-Size')),
    warnings: warningsOf(control),
  }
}

/** The name that the file of a package has in an archive: without the epoch. */
export function debFileName(of: Pick<DebFields, 'name' | 'version' | 'architecture'>): string {
  return `${of.name}_${withoutEpoch(of.version)}_${of.architecture}.deb`
}

/** Refuses a file that is not named as its package is: `NAME_VERSION_ARCHITECTURE.deb`, without the epoch. */
export function checkDebName(fileName: string, of: DebFields): void {
  const expected = debFileName(of)
  if (fileName === expected) return
  throw refused({
    reason: 'file-name',
    what: `${quoted(fileName)} holds ${of.name} ${of.version} for ${of.architecture}`,
    hint: `name it ${expected}, as dpkg-deb --build DIR . does`,
  })
}

/** Name and version of `NAME` or `NAME (VERSION)`; undefined if it is neither, or too long. */
export function readSourceValue(
  value: string,
): { readonly name: string; readonly version?: string | undefined } | undefined {
  if (value.length > longestSource) return undefined
  const [, name = '', version] = sourceValue.exec(value) ?? []
  const isIt = strictName.test(name) && (version === undefined || isVersion(version))
  return isIt ? { name, version } : undefined
}

function checkText(data: Buffer): string {
  if (!isUtf8(data)) {
    const offset = firstOddByte(data)
    throw refused({ reason: 'control-encoding', what: 'it is not UTF-8', hint, member, offset })
  }
  const text = data.toString()
  if (text.split('\n', mostLines + 1).length > mostLines)
    throw beyond('control-lines', `more than ${mostLines} lines`, { member })
  if (!text.endsWith('\n')) {
    const what = 'it does not end with a newline, and dpkg refuses it'
    throw refused({ reason: 'control-syntax', what, hint, member, offset: data.length })
  }
  const blank = /^[ \t]+$/m.exec(text)
  if (blank !== null) {
    const what = 'a line of blanks alone: an empty line of a value is " ."'
    const offset = Buffer.byteLength(text.slice(0, blank.index))
    throw refused({ reason: 'control-syntax', what, hint, member, offset })
  }
  const odd = /[^\P{Cc}\n\t]/u.exec(text)
  if (odd === null) return text
  const offset = Buffer.byteLength(text.slice(0, odd.index))
  const what =
    odd[0] === '\0' ? 'a NUL byte' : odd[0] === '\r' ? 'a carriage return' : 'a control character'
  throw refused({ reason: 'control-character', what, hint, member, offset })
}

/** Where the first character that is none begins; some texts have the sign for that in earnest. */
function firstOddByte(data: Buffer): number {
  const sign = '\ufffd'
  const text = data.toString()
  for (let at = text.indexOf(sign); at >= 0; at = text.indexOf(sign, at + 1)) {
    const offset = Buffer.byteLength(text.slice(0, at))
    if (data.toString('latin1', offset, offset + 3) !== '\xef\xbf\xbd') return offset
  }
  return data.length
}

function readStanza(text: string): Stanza {
  try {
    return parseStanza(text)
  } catch (error) {
    throw asRefusal(error, { reason: 'control-syntax', hint, member })
  }
}

function checkField(field: string, value: string): void {
  if (!/^[A-Za-z0-9][!-9;-~]*$/.test(field)) throw wrong(field, 'no name of a field')
  if (reserved.has(field.toLowerCase()))
    throw wrong(field, 'a field of indexes or of dpkg’s database, which no package has')
  if (value.trim() === '') throw wrong(field, 'it is empty')
  if (isRelationField(field)) {
    const fault = relationFault(field, value)
    if (fault !== undefined) throw wrong(field, fault)
  } else if (simple.has(field.toLowerCase())) {
    if (value.includes('\n')) throw wrong(field, 'it has more than one line')
    if (value.length > longestLine) throw wrong(field, `longer than ${longestLine} characters`)
  }
  const lower = value.toLowerCase()
  if (['essential', 'protected', 'important'].includes(field.toLowerCase())) {
    if (!['yes', 'no'].includes(lower)) throw wrong(field, `${quoted(value)} is neither yes nor no`)
  } else if (field.toLowerCase() === 'multi-arch' && !multiArch.includes(lower))
    throw wrong(field, `${quoted(value)} is none of ${multiArch.join(', ')}`)
}

/** Policy 5.1: fields of one line. */
const simple = new Set([
  ...['package', 'source', 'version', 'architecture', 'maintainer', 'section', 'priority'],
  ...['installed-size', 'essential', 'protected', 'multi-arch', 'homepage'],
])

function need(control: Stanza, field: string): string {
  const value = control.get(field)
  if (value !== undefined && value.trim() !== '') return value
  throw wrong(field, 'the control file does not have it')
}

function readSource(
  value: string | undefined,
  name: string,
  version: string,
): { source: string; sourceVersion: string } {
  if (value === undefined) return { source: name, sourceVersion: version }
  const found = readSourceValue(value)
  if (found === undefined) throw wrong('Source', `${quoted(value)} is no source package`)
  return { source: found.name, sourceVersion: found.version ?? version }
}

function readInstalledSize(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (/^[0-9]{1,12}$/.test(value)) return Number(value)
  throw wrong('Installed-Size', `${quoted(value)} is no number`)
}

function warningsOf(control: Stanza): DebWarning[] {
  const found: DebWarning[] = []
  const warn = (reason: string, message: string): void => {
    found.push({ reason, message })
  }
  const maintainer = control.get('Maintainer') ?? ''
  if (!/^.*<[^<>\s]+@[^<>\s]+>$/s.test(maintainer))
    warn('maintainer', `Maintainer has no address: ${quoted(maintainer)}`)
  if (control.get('Essential') === 'yes' || control.get('Protected') === 'yes')
    warn('essential', 'it is essential or protected: machines that have it cannot easily remove it')
  const priority = control.get('Priority')
  if (priority !== undefined && !priorities.includes(priority))
    warn('priority', `Priority is ${quoted(priority)}, which dpkg does not know`)
  for (const [field, value] of control) {
    if (isRelationField(field) && /\(\s*[<>]\s*[^<>=\s]/.test(value))
      warn('old-relation', `${field} has < or >, which mean <= and >=: write << or >>`)
  }
  return found
}

function wrong(field: string, what: string): Error {
  const reason = `field-${field.toLowerCase().slice(0, 40)}`
  return refused({ reason, what, hint, member, field: field.slice(0, 80) })
}
