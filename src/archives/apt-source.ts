/**
 * One apt source as Sluice takes it: an http or https URL, one suite of it, and whom to trust; or why it is left out.
 */
import { join } from 'node:path'
import { parseAptBool } from './apt-config.ts'
import type { AptEntry } from './apt-entries.ts'
import { FLAT_COMPONENT, isFlat, normalizeSuite } from './suite-place.ts'

/** Whom apt trusts for a source. Paths can be opened as they stand; those of `trusted` exist. */
export type SignedBy =
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | { readonly kind: 'inline'; readonly armored: string }
  /** Those keys alone (`FPR!` without its subkeys) of the files in `trusted`. */
  | {
      readonly kind: 'fingerprints'
      readonly fingerprints: readonly string[]
      readonly trusted: readonly string[]
    }
  /** All keys of trusted.gpg and trusted.gpg.d. */
  | { readonly kind: 'default'; readonly trusted: readonly string[] }

export interface AptSource {
  /** Without trailing slash and without login. */
  readonly uri: string
  /** Of a flat archive its folder, with a slash at the end: see suite-place.ts. */
  readonly suite: string
  readonly components: readonly string[]
  /** Whether a deb-src names it too. */
  readonly hasSources: boolean
  /** Without `all`. */
  readonly architectures: readonly string[]
  readonly signedBy: SignedBy
  /** False where the source or the machine says so. */
  readonly checkValidUntil: boolean
  readonly checkDate: boolean
  /** File and line: `/etc/apt/sources.list:3`. */
  readonly origin: string
}

/** What a deb-src names. */
export type SourceLine = Pick<AptSource, 'uri' | 'suite' | 'origin'>

export interface LeftOut {
  /** The source, its file and line; or the file or setting. Never a login. */
  readonly what: string
  readonly reason: string
}

/** What of the machine bears on every source. */
export interface SourceDefaults {
  /** Before every path that a source names; `/` on a real machine. */
  readonly root: string
  readonly architectures: readonly string[]
  readonly trusted: readonly string[]
  readonly checkValidUntil: boolean
  readonly checkDate: boolean
}

export interface Resolved {
  readonly sources: readonly AptSource[]
  /** Those of deb-src, by themselves. */
  readonly sourceLines: readonly SourceLine[]
  readonly leftOut: readonly LeftOut[]
  /** URIs as they stood, with their logins. */
  readonly urls: readonly URL[]
}

const keyBlock = '-----BEGIN PGP PUBLIC KEY BLOCK-----'
const fingerprint = /^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})!?$/
const otherSchemes: Readonly<Record<string, string>> = {
  'file:': 'it is a directory of this machine; Sluice fetches over http and https',
  'copy:': 'it is a directory of this machine; Sluice fetches over http and https',
  'cdrom:': 'it is a disc; Sluice fetches over http and https',
}

/** The sources that an entry stands for: one for each of its URIs and suites. */
export function resolveEntry(entry: AptEntry, defaults: SourceDefaults): Resolved {
  const sources: AptSource[] = []
  const sourceLines: SourceLine[] = []
  const leftOut: LeftOut[] = []
  const urls: URL[] = []
  for (const type of new Set(entry.types)) {
    for (const uri of new Set(entry.uris)) {
      const url = URL.parse(uri)
      const whole = reasonAgainst(type, url, entry)
      const leave = (suites: readonly string[], reason: string): void => {
        const words = [type, url === null ? uri : withoutLogin(url), ...suites]
        leftOut.push({ what: `${words.join(' ')} (${entry.origin})`, reason })
      }
      if (whole !== undefined || url === null) {
        leave(entry.suites, whole ?? 'this is no URL')
        continue
      }
      const made = readOptions(entry, defaults)
      if (typeof made === 'string') {
        leave(entry.suites, made)
        continue
      }
      urls.push(url)
      for (const suite of new Set(entry.suites)) {
        const line = {
          uri: withoutLogin(url),
          suite: normalizeSuite(suite),
          origin: entry.origin,
        }
        const components = isFlat(suite) ? [FLAT_COMPONENT] : made.components
        if (type === 'deb') sources.push({ ...made, ...line, components, hasSources: false })
        else sourceLines.push(line)
      }
    }
  }
  return { sources, sourceLines, leftOut, urls }
}

function reasonAgainst(type: string, url: URL | null, entry: AptEntry): string | undefined {
  if (type !== 'deb' && type !== 'deb-src') return `apt knows no type ${JSON.stringify(type)}`
  if (url === null) return 'this is no URL'
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return otherSchemes[url.protocol] ?? `${url.protocol} is neither http nor https`
  }
  if (url.hostname === '') return 'it names no host'
  const trusted = parseAptBool(entry.options.get('trusted') ?? '')
  if (trusted === true) {
    return 'trusted=yes: apt takes it without checking a signature, and Sluice takes nothing unsigned'
  }
  if (trusted === false) return 'trusted=no: this machine does not trust it'
  const snapshot = entry.options.get('snapshot')
  if (snapshot !== undefined && !['enable', 'disable', 'yes', 'no'].includes(snapshot)) {
    return `it stands at the snapshot ${snapshot}, and Sluice follows archives as they are now`
  }
  if (entry.options.has('include') || entry.options.has('exclude')) {
    return 'Include and Exclude pick packages from it, and Sluice would carry all'
  }
  if (entry.options.has('inrelease-path')) return 'its InRelease lies elsewhere (InRelease-Path)'
  return undefined
}

type Options = Omit<AptSource, 'uri' | 'suite' | 'origin' | 'hasSources'>

/** What the options say, or what is wrong with them. */
function readOptions(entry: AptEntry, defaults: SourceDefaults): Options | string {
  const { options } = entry
  const isOn = (name: string): boolean | undefined => parseAptBool(options.get(name) ?? '')
  const architectures = architecturesOf(options, defaults.architectures)
  if (architectures.length === 0) return 'it is for architecture all alone'
  const signedBy = readSignedBy(options.get('signed-by') ?? '', defaults)
  if (typeof signedBy === 'string') return signedBy
  const checkDate = isOn('check-date') ?? defaults.checkDate
  return {
    components: [...new Set(entry.components)],
    architectures,
    signedBy,
    checkDate,
    // apt: without trust in the clock there is no Valid-Until either.
    checkValidUntil: checkDate && (isOn('check-valid-until') ?? defaults.checkValidUntil),
  }
}

function architecturesOf(
  options: ReadonlyMap<string, string>,
  defaults: readonly string[],
): string[] {
  const list = (name: string): string[] =>
    (options.get(name) ?? '').split(/[\s,]+/).filter((word) => word !== '')
  const told = list('architectures')
  const removed = new Set([...list('architectures-remove'), 'all'])
  const wanted = [...(told.length > 0 ? told : defaults), ...list('architectures-add')]
  return [...new Set(wanted)].filter((name) => !removed.has(name))
}

function readSignedBy(value: string, { root, trusted }: SourceDefaults): SignedBy | string {
  const text = value.trim()
  if (text.startsWith(keyBlock)) {
    // deb822 writes an empty line as a dot.
    const lines = text.split('\n').map((line) => line.trim())
    const armored = lines.map((line) => (line === '.' ? '' : line)).join('\n')
    return { kind: 'inline', armored: `${armored}\n` }
  }
  const items = text.split(/[\s,]+/).filter((item) => item !== '')
  const paths = items.filter((item) => item.startsWith('/')).map((path) => join(root, path))
  const fingerprints = items.filter((item) => !item.startsWith('/'))
  const bad = fingerprints.find((item) => !fingerprint.test(item))
  if (bad !== undefined) return `Signed-By: ${bad} is neither a path nor a fingerprint`
  if (fingerprints.length > 0) {
    const of = paths.length > 0 ? paths : trusted
    return { kind: 'fingerprints', fingerprints: fingerprints.map(upper), trusted: of }
  }
  return paths.length > 0 ? { kind: 'files', paths } : { kind: 'default', trusted }
}

function upper(text: string): string {
  return text.toUpperCase()
}

/** The URL as Sluice names archives by it. */
export function withoutLogin(url: URL): string {
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  plain.hash = ''
  return plain.href.replace(/\/+$/, '')
}
