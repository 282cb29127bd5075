/**
 * What of a package's changelog is kept to be told of what waits: of its newest entries the version, the urgency, when and
 * by whom, the CVE ids they name, and how the first of them begin. Some 10 kB at most, whatever the changelog holds: a list of
 * a thousand sources reads a thousand of these.
 */
import {
  type ChangelogEntry,
  compareCves,
  cvesIn,
  decodeChangelog,
  entriesSince,
  highestUrgency,
  readChangelogEntries,
} from '../debian/changelog-entries.ts'

/** One entry, cut to what is told of it. */
export interface EntryDigest {
  readonly version: string
  readonly urgency: string
  /** Some hundreds at most. */
  readonly cves: readonly string[]
  /** This, and what follows, only of the newest entries. */
  readonly distributions: readonly string[]
  readonly maintainer?: string | undefined
  /** As it is written there. */
  readonly date?: string | undefined
  /** The first lines of what changed, each without the blanks before it. */
  readonly lines: readonly string[]
}

export interface ChangelogDigest {
  /** Newest first. */
  readonly entries: readonly EntryDigest[]
  /** Whether older entries were left out. */
  readonly isCut: boolean
  /** Set where some of it is not UTF-8, and was read as Latin-1. */
  readonly isOdd?: boolean | undefined
}

/** What is new of a source package by its changelog. */
export interface NewEntries {
  readonly entries: readonly EntryDigest[]
  /** Whether there may be more, which are not kept. */
  readonly isCut: boolean
  /** The highest of them; `unknown` if none is told. */
  readonly urgency: string
  /** Each once, in order. */
  readonly cves: readonly string[]
  /** As of `ChangelogDigest`. */
  readonly isOdd?: boolean | undefined
}

const KEPT_CHARACTERS = 10_000
/** Entries of which all is kept, and how many lines of each. */
const WHOLE = 8
const LINES = 4
const LINE_CHARACTERS = 200
const NAME_CHARACTERS = 100
const CVES = 400

/** The newest entries of a changelog, or of its beginning if it is not the whole. */
export function digestChangelog(bytes: Buffer, isWhole = true): ChangelogDigest {
  // The last line of a beginning may have lost its end.
  const lines = isWhole ? bytes : bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1)
  const { text, isUtf8 } = decodeChangelog(lines)
  const odd = isUtf8 ? {} : { isOdd: true }
  const entries: EntryDigest[] = []
  let room = KEPT_CHARACTERS
  for (const entry of readChangelogEntries(text)) {
    const digest = entries.length < WHOLE ? digestEntry(entry) : digestOlder(entry)
    room -= JSON.stringify(digest).length
    if (room < 0 && entries.length > 0) return { entries, isCut: true, ...odd }
    entries.push(digest)
  }
  return { entries, isCut: !isWhole, ...odd }
}

/** The entries for what came since `old`, up to `upTo`; without `old` the newest one alone. */
export function newEntriesOf(
  { entries, isCut, isOdd }: ChangelogDigest,
  old: string | undefined,
  upTo?: string,
): NewEntries {
  const fresh = [...entriesSince(entries, old, upTo)]
  const cves = [...new Set(fresh.flatMap((entry) => entry.cves))].sort(compareCves)
  const isAll = isCut && old !== undefined && fresh.at(-1) === entries.at(-1)
  return {
    entries: fresh,
    isCut: isAll && fresh.length > 0,
    urgency: highestUrgency(fresh),
    cves,
    ...(isOdd === true ? { isOdd } : {}),
  }
}

/** Of what is further down: as much as counts. */
function digestOlder({ version, urgency, text }: ChangelogEntry): EntryDigest {
  return {
    version: version.slice(0, LINE_CHARACTERS),
    urgency: urgency.slice(0, NAME_CHARACTERS),
    cves: cvesIn(text).slice(0, CVES),
    distributions: [],
    lines: [],
  }
}

function digestEntry(entry: ChangelogEntry): EntryDigest {
  const { distributions, maintainer, date, text } = entry
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return {
    ...digestOlder(entry),
    distributions: distributions.slice(0, 10).map((one) => one.slice(0, NAME_CHARACTERS)),
    maintainer: maintainer?.slice(0, LINE_CHARACTERS),
    date: date?.slice(0, NAME_CHARACTERS),
    lines: lines.slice(0, LINES).map((line) => line.slice(0, LINE_CHARACTERS)),
  }
}
