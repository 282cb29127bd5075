/**
 * Debian changelogs, entry by entry (deb-changelog(5); what counts as a line of which kind: dpkg's Dpkg::Changelog::Debian):
 *
 *   hello (2.12-1) unstable; urgency=medium
 *
 *     * What changed. Fixes CVE-2024-12345.
 *
 *    -- A Maintainer <a@archive.example>  Mon, 01 Jan 2024 00:00:00 +0000
 *
 * What packages really hold is taken: wrong lines are passed over, an entry may lack its end, and the old formats that
 * some changelogs have further down end the reading, as they do for dpkg. Entries are read one after the other, so that
 * who wants the newest ones reads no further.
 */
import { isUtf8 } from 'node:buffer'
import { compareVersions } from './version.ts'

export interface ChangelogEntry {
  readonly source: string
  /** As it stands there, which need not be a valid version. */
  readonly version: string
  readonly distributions: readonly string[]
  /** In lower case; `unknown` if none is told. */
  readonly urgency: string
  /** The lines of the changes as they are, without blank ones before and after. */
  readonly text: string
  /** `Name <address>` and the date as written; absent where the last line is missing or wrong. */
  readonly maintainer?: string | undefined
  readonly date?: string | undefined
}

/** Lines that are longer are changes, whatever they look like. */
const MAX_LINE = 4000
const MAX_TEXT = 2 * 1024 ** 2
const MAX_CVES = 1000

const header = /^(\w[-+0-9a-z.]*) \(([^() \t]+)\)((?:\s+[-+0-9a-z.]+)+);(.*)$/i
const written = /^ {1,2}((?:\w+,\s*)?\d{1,2}\s+\w+\s+\d{4}\s+\d{1,2}:\d\d:\d\d\s+[-+]\d{4})$/
const skipped = /^(?:\$\w+:.*\$|# |\/\*.*\*\/)/
/** dpkg's list, written so that no line takes long. */
const olderFormats = [
  /^(?:;;\s*)?Local variables:/i,
  /^vim:/i,
  /^\w+\s+\w+\s+\d{1,2} \d{1,2}:\d{1,2}:\d{1,2}\s[^<(]*[<(].*[)>]/,
  /^\w+\s+\w+\s+\d{1,2},?\s*\d{4}\s[^<(]*[<(].*[)>]/,
  /^\w[-+0-9a-z.]* \([^() \t]+\);?/i,
  /^(?:[\w.+-]+ |[\w.+-][\w.+]*-)\S+ Debian \S/i,
  /^Changes from version [^:]*:/i,
  /^Changes for [\w.+-]+-[\w.+-]+:?\s*$/i,
  /^Old Changelog:\s*$/i,
  /^(?:\d+:)?\w[\w.+~-]*:?\s*$/,
]

interface OpenEntry extends Omit<ChangelogEntry, 'text'> {
  readonly lines: string[]
  isDone: boolean
}

/** A changelog as text. */
export interface DecodedChangelog {
  readonly text: string
  /** False if some of its lines are none, and were read as Latin-1. */
  readonly isUtf8: boolean
}

/** Reads bytes as UTF-8 (Policy 4.4), and lines that are none as Latin-1: old entries below new ones often are that. */
export function decodeChangelog(bytes: Buffer): DecodedChangelog {
  if (isUtf8(bytes)) return { text: bytes.toString(), isUtf8: true }
  const lines: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(0x0a, at)
    const end = found < 0 ? bytes.length : found + 1
    const line = bytes.subarray(at, end)
    lines.push(line.toString(isUtf8(line) ? 'utf8' : 'latin1'))
    at = end
  }
  return { text: lines.join(''), isUtf8: false }
}

/** The entries of a changelog, newest first; no more of the text is read than `maxText` characters (2 Mi). */
export function* readChangelogEntries(
  text: string,
  maxText = MAX_TEXT,
): Generator<ChangelogEntry, void> {
  let open: OpenEntry | undefined
  for (const line of linesOf(text, maxText)) {
    const start = startOf(line)
    if (start !== undefined) {
      if (open !== undefined) yield close(open)
      open = start
      continue
    }
    if (line.length <= MAX_LINE && !/^\s/.test(line) && line !== '') {
      if (skipped.test(line)) continue
      if (olderFormats.some((one) => one.test(line))) break
      continue
    }
    // What comes before any entry, or behind the end of one, belongs to nothing that has a name.
    if (open === undefined || open.isDone) continue
    if (line.startsWith(' --')) open = ended(open, line)
    else open.lines.push(line)
  }
  if (open !== undefined) yield close(open)
}

/**
 * The entries that came since `old`: from the newest down to the first that is not newer. Without `old` the newest
 * alone, since all of them are new. Those above `upTo` are passed over.
 */
export function* entriesSince<E extends Pick<ChangelogEntry, 'version'>>(
  entries: Iterable<E>,
  old: string | undefined,
  upTo?: string,
): Generator<E, void> {
  for (const entry of entries) {
    if (old !== undefined && compareVersions(entry.version, old) <= 0) return
    if (upTo !== undefined && compareVersions(entry.version, upTo) > 0) continue
    yield entry
    if (old === undefined) return
  }
}

/** What is to be done how soon, as Debian's archive orders it: the first is the least urgent. */
const urgencies = ['low', 'medium', 'high', 'emergency', 'critical']

/** The higher, the more urgent; -1 for what is none. */
export function urgencyRank(urgency: string): number {
  return urgencies.indexOf(urgency)
}

/** The highest urgency of these; `unknown` where none is known. */
export function highestUrgency(entries: Iterable<Pick<ChangelogEntry, 'urgency'>>): string {
  let highest = -1
  for (const { urgency } of entries) highest = Math.max(highest, urgencyRank(urgency))
  return urgencies[highest] ?? 'unknown'
}

/** The CVE ids that a text names, each once, in their order; `CVE-2024-12345`. */
export function cvesIn(text: string): string[] {
  const found = new Set<string>()
  for (const [, year = '', number = ''] of text.matchAll(/\bCVE-(\d{4})-(\d{4,10})\b/gi)) {
    if (found.size < MAX_CVES) found.add(`CVE-${year}-${number}`)
  }
  return [...found].sort(compareCves)
}

/** By year, then by number. */
export function compareCves(a: string, b: string): number {
  const [, yearA, numberA] = a.split('-').map(Number)
  const [, yearB, numberB] = b.split('-').map(Number)
  return (yearA ?? 0) - (yearB ?? 0) || (numberA ?? 0) - (numberB ?? 0)
}

function* linesOf(text: string, maxText: number): Generator<string, void> {
  const end = Math.min(text.length, maxText)
  for (let at = 0; at < end; ) {
    const found = text.indexOf('\n', at)
    const next = found < 0 ? end : Math.min(found, end)
    yield text.slice(at, next).trimEnd()
    at = next + 1
  }
}

function startOf(line: string): OpenEntry | undefined {
  if (line.length > MAX_LINE) return undefined
  const [, source, version, distributions = '', options = ''] = header.exec(line) ?? []
  if (source === undefined || version === undefined) return undefined
  const urgency = /(?:^|,)\s*urgency=\s*([-0-9a-z]+)/i.exec(options)?.[1] ?? 'unknown'
  return {
    source,
    version,
    distributions: distributions.trim().split(/\s+/),
    urgency: urgency.toLowerCase(),
    lines: [],
    isDone: false,
  }
}

function ended(open: OpenEntry, line: string): OpenEntry {
  const end = line.lastIndexOf('>')
  const date = line.length > MAX_LINE ? undefined : written.exec(line.slice(end + 1))?.[1]
  const start = line.lastIndexOf(' <', end)
  const isWhole = date !== undefined && line.startsWith(' -- ') && start >= 4
  if (!isWhole) return { ...open, isDone: true }
  return { ...open, maintainer: line.slice(4, end + 1), date, isDone: true }
}

function close({ lines, isDone: _, ...entry }: OpenEntry): ChangelogEntry {
  const first = lines.findIndex((line) => line !== '')
  const last = lines.findLastIndex((line) => line !== '')
  return { ...entry, text: first < 0 ? '' : lines.slice(first, last + 1).join('\n') }
}
