/**
 * Release files: what a suite says of itself and the digests of its indexes (Debian wiki, RepositoryFormat).
 *
 * Reading is liberal, since third-party archives leave out Date, Codename or Components; but a SHA256 list must be there
 * (apt takes nothing weaker) and its paths must stay below the suite. Writing is strict: the fields in the order of
 * Debian's own archive, SHA256 alone, LF. Apt knows dates in GMT, UTC, Z and +0000 only.
 */
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { fieldValue, formatStanza, splitStanzas } from './control.ts'

/** One file that a Release lists. */
export interface ReleaseFile {
  /** Relative to the directory of the Release, without a leading `./`. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly sha256: Sha256
}

export interface Release {
  readonly origin?: string
  readonly label?: string
  readonly suite?: string
  readonly codename?: string
  readonly version?: string
  readonly description?: string
  readonly notAutomatic: boolean
  readonly butAutomaticUpgrades: boolean
  readonly acquireByHash: boolean
  readonly noSupportForArchitectureAll?: string
  readonly architectures: readonly string[]
  readonly components: readonly string[]
  readonly changelogs?: string
  readonly snapshots?: string
  /** Seconds since 1970. */
  readonly date?: number
  /** Seconds since 1970. */
  readonly validUntil?: number
  /** By path. */
  readonly files: ReadonlyMap<string, ReleaseFile>
}

/** What `formatRelease` writes; absent fields are left out. */
export interface ReleaseFields {
  readonly origin?: string | undefined
  readonly label?: string | undefined
  readonly suite?: string | undefined
  readonly codename?: string | undefined
  readonly version?: string | undefined
  readonly description?: string | undefined
  /** Seconds since 1970. */
  readonly date: number
  /** Seconds since 1970. */
  readonly validUntil?: number | undefined
  readonly notAutomatic?: boolean | undefined
  readonly butAutomaticUpgrades?: boolean | undefined
  readonly acquireByHash: boolean
  readonly noSupportForArchitectureAll?: string | undefined
  /** A URL with `@PATH@` and `@SNAPSHOTID@`, or `no`. */
  readonly snapshots?: string | undefined
  readonly changelogs?: string | undefined
  readonly architectures: readonly string[]
  readonly components: readonly string[]
  readonly files: readonly ReleaseFile[]
}

const fileLine = /^([0-9A-Fa-f]{64})[ \t]+([0-9]{1,16})[ \t]+([^ \t]+)$/
const otherDigests = ['MD5Sum', 'SHA1', 'SHA512']
const truths = ['yes', 'true', 'with', 'on', 'enable', '1']

/** Reads a Release (the text that is signed, without the signature); `ERR_FORMAT` says what is wrong. */
export function parseRelease(text: string): Release {
  const buf = Buffer.from(text)
  const [start = 0, end = 0] = splitStanzas(buf)
  const field = (name: string): string | undefined => fieldValue(buf, start, end, name)
  const optional = <Key extends string>(key: Key, name: string): { [key in Key]?: string } => {
    const value = field(name)
    return value === undefined || value === '' ? {} : ({ [key]: value } as { [key in Key]: string })
  }
  return {
    ...optional('origin', 'Origin'),
    ...optional('label', 'Label'),
    ...optional('suite', 'Suite'),
    ...optional('codename', 'Codename'),
    ...optional('version', 'Version'),
    ...optional('description', 'Description'),
    ...optional('changelogs', 'Changelogs'),
    ...optional('snapshots', 'Snapshots'),
    ...optional('noSupportForArchitectureAll', 'No-Support-for-Architecture-all'),
    notAutomatic: isTrue(field('NotAutomatic')),
    butAutomaticUpgrades: isTrue(field('ButAutomaticUpgrades')),
    acquireByHash: isTrue(field('Acquire-By-Hash')),
    architectures: words(field('Architectures')),
    components: words(field('Components')),
    ...dateField('date', 'Date', field('Date')),
    ...dateField('validUntil', 'Valid-Until', field('Valid-Until')),
    files: parseFiles(
      field('SHA256'),
      otherDigests.filter((name) => field(name) !== undefined),
    ),
  }
}

/**
 * The text of a Release, to be signed; files sorted by path, an index behind its compressed forms. `ERR_FORMAT` if a value
 * does not fit on one line or a path is not one.
 */
export function formatRelease(r: ReleaseFields): string {
  const fields: [name: string, value: string][] = []
  const add = (name: string, value: string | undefined): void => {
    if (value === undefined || value === '') return
    if (hasControlCharacter(value)) {
      throw new AppError('ERR_FORMAT', { message: `Release: ${name} must be one line of text` })
    }
    fields.push([name, value])
  }
  add('Origin', r.origin)
  add('Label', r.label)
  add('Suite', r.suite)
  add('Version', r.version)
  add('Codename', r.codename)
  add('Changelogs', r.changelogs)
  add('Snapshots', r.snapshots)
  add('Date', formatReleaseDate(r.date))
  if (r.validUntil !== undefined) add('Valid-Until', formatReleaseDate(r.validUntil))
  if (r.notAutomatic === true) add('NotAutomatic', 'yes')
  if (r.butAutomaticUpgrades === true) add('ButAutomaticUpgrades', 'yes')
  if (r.acquireByHash) add('Acquire-By-Hash', 'yes')
  add('No-Support-for-Architecture-all', r.noSupportForArchitectureAll)
  add('Architectures', r.architectures.join(' '))
  add('Components', r.components.join(' '))
  add('Description', r.description)
  fields.push(['SHA256', formatFiles(r.files)])
  return formatStanza(fields)
}

const datePattern =
  /^(?:[A-Za-z]{3,9}, *)?([0-9]{1,2})[ -]([A-Za-z]{3})[ -]([0-9]{4}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2}) (?:GMT|UTC|Z|[+-]0000)$/
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** Seconds since 1970 of a date as RFC 1123 writes it; undefined for what apt would not read. */
export function parseReleaseDate(text: string): number | undefined {
  const match = datePattern.exec(text.trim().replaceAll(/[ \t]+/g, ' '))
  if (match === null) return undefined
  const [, dayText, monthText = '', yearText, hourText, minuteText, secondText] = match
  const day = Number(dayText)
  const hour = Number(hourText)
  const minute = Number(minuteText)
  const second = Number(secondText)
  const month = months.findIndex((name) => name.toLowerCase() === monthText.toLowerCase())
  if (month < 0 || hour > 23 || minute > 59 || second > 60) return undefined
  const time = Date.UTC(Number(yearText), month, day, hour, minute, second)
  const isRealDay =
    day >= 1 && day <= new Date(Date.UTC(Number(yearText), month + 1, 0)).getUTCDate()
  return isRealDay && time >= 0 ? time / 1000 : undefined
}

/** `Sat, 17 May 2025 08:54:08 UTC`; a fraction of a second is cut off. */
export function formatReleaseDate(epochSeconds: number): string {
  const date = new Date(Math.floor(epochSeconds) * 1000)
  if (Number.isNaN(date.getTime())) {
    throw new AppError('ERR_FORMAT', { message: `Release: not a date: ${epochSeconds}` })
  }
  const two = (n: number): string => String(n).padStart(2, '0')
  const day = `${days[date.getUTCDay()]}, ${two(date.getUTCDate())}`
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  return `${day} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()} ${time} UTC`
}

function parseFiles(
  list: string | undefined,
  others: readonly string[],
): ReadonlyMap<string, ReleaseFile> {
  if (list === undefined) {
    const isWeak = !others.includes('SHA512')
    throw new AppError('ERR_FORMAT', {
      message: `Release without a SHA256 list${others.length > 0 ? `: it has ${others.join(' and ')} alone` : ''}`,
      hint: `${isWeak ? 'apt refuses such an archive too: ' : ''}ask its owner for SHA256 digests`,
    })
  }
  const files = new Map<string, ReleaseFile>()
  for (const line of list.split('\n')) {
    const entry = line.trim()
    if (entry === '') continue
    const file = parseFileLine(entry)
    const known = files.get(file.path)
    if (known !== undefined && (known.sha256 !== file.sha256 || known.size !== file.size)) {
      throw new AppError('ERR_FORMAT', { message: `Release: two digests for ${file.path}` })
    }
    files.set(file.path, file)
  }
  return files
}

function parseFileLine(entry: string): ReleaseFile {
  const [, hex = '', sizeText, rawPath = ''] = fileLine.exec(entry) ?? []
  const sha256 = parseSha256(hex.toLowerCase())
  const size = Number(sizeText)
  const path = rawPath.replace(/^(?:\.\/+)+/, '')
  if (sha256 === undefined || !Number.isSafeInteger(size) || !isIndexPath(path)) {
    const shown = JSON.stringify(entry.slice(0, 200))
    throw new AppError('ERR_FORMAT', { message: `Release: bad line in the SHA256 list: ${shown}` })
  }
  return { path, size, sha256 }
}

/**
 * The plain form of an index comes last, since debootstrap loses the last line of an InRelease, and can do without a
 * form that nobody fetches.
 */
function formatFiles(files: readonly ReleaseFile[]): string {
  const place = ({ path }: ReleaseFile): string => `${path}~`
  const sorted = [...files].sort((a, b) => (place(a) < place(b) ? -1 : 1))
  let text = ''
  for (const { path, size, sha256 } of sorted) {
    if (!isIndexPath(path) || path.includes(' ')) {
      throw new AppError('ERR_FORMAT', { message: `Release: not a path: ${JSON.stringify(path)}` })
    }
    text += `\n ${sha256} ${String(size).padStart(8)} ${path}`
  }
  return text
}

/** Whether the path stays below the directory of the Release. */
function isIndexPath(path: string): boolean {
  if (path === '' || path.startsWith('/') || hasControlCharacter(path)) return false
  return !path.split('/').includes('..')
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

function dateField<Key extends string>(
  key: Key,
  name: string,
  text: string | undefined,
): { [key in Key]?: number } {
  if (text === undefined || text === '') return {}
  const seconds = parseReleaseDate(text)
  if (seconds === undefined) {
    throw new AppError('ERR_FORMAT', {
      message: `Release: ${name} is not a date: ${JSON.stringify(text.slice(0, 100))}`,
      hint: 'apt reads dates such as "Sat, 17 May 2025 08:54:08 UTC" only',
    })
  }
  return { [key]: seconds } as { [key in Key]: number }
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && truths.includes(text.toLowerCase())
}

function words(text: string | undefined): readonly string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '')
}
