/**
 * Reading a configuration file: typed values out of its tables, and every fault with the line that it is in.
 *
 * Nothing throws: a value of a wrong type is a fault and is undefined to who asks, so that all of a file is looked at
 * whatever is wrong in it. Who has read all keys that a table may have calls `done`, and the others are faults too.
 */
import type { TomlTable } from '../base/toml.ts'
import type { LineOf, TomlPath } from '../base/toml-lines.ts'

/** One thing that is wrong in a file. */
export interface ConfigFault {
  readonly line: number
  /** `archive.debian.urls`. */
  readonly path: string
  readonly message: string
}

/** Where faults are gathered. */
export interface Faults {
  readonly list: readonly ConfigFault[]
  add(path: TomlPath, message: string): void
}

/** One table of the file. */
export interface TableReader {
  /** The last key of its path: `debian` for `[archive.debian]`. */
  readonly name: string
  has(key: string): boolean
  /** Of at most a thousand characters, or as many as told. */
  text(key: string, most?: number): string | undefined
  /** Texts of any length; those that are none are faults and left out. */
  texts(key: string): readonly string[] | undefined
  boolean(key: string): boolean | undefined
  whole(key: string, least: number, most: number): number | undefined
  /** Epoch milliseconds of a date or a time with its zone; a date alone is its first moment, UTC. */
  time(key: string): number | undefined
  table(key: string): TableReader | undefined
  /** All keys, each of which has to be a table. */
  tables(): readonly TableReader[]
  /** A fault of a key, of a member of its list, or of the table itself. */
  fault(at: string | readonly [string, number] | undefined, message: string): void
  /** Says which keys this table may have that nobody asked for. */
  done(): void
}

/** Faults in a text with these lines. */
export function createFaults(lineOf: LineOf): Faults {
  const list: ConfigFault[] = []
  const known = new Set<string>()
  return {
    list,
    add: (path, message) => {
      const fault = { line: lineOf(path), path: shownPath(path), message }
      // A value may be asked for more than once.
      const key = JSON.stringify([fault.path, message])
      if (!known.has(key)) list.push(fault)
      known.add(key)
    },
  }
}

/** Reads the root table. */
export function readRoot(root: TomlTable, faults: Faults): TableReader {
  return readTable(root, [], faults)
}

function readTable(table: TomlTable, path: readonly string[], faults: Faults): TableReader {
  const asked = new Set<string>()
  const get = <T>(key: string, wanted: string, parse: (value: unknown) => T | undefined) => {
    asked.add(key)
    const value = table[key]
    if (value === undefined) return undefined
    const parsed = parse(value)
    if (parsed === undefined) faults.add([...path, key], `${shown(value)} is not ${wanted}`)
    return parsed
  }
  const reader: TableReader = {
    name: path.at(-1) ?? '',
    has: (key) => table[key] !== undefined,
    text: (key, most = 1000) => {
      const value = get(key, 'text in quotes', (one) => (isText(one) ? one : undefined))
      if (value === undefined || value.length <= most) return value
      faults.add([...path, key], `this has more than ${most} characters`)
      return undefined
    },
    texts: (key) => {
      const list = get(key, 'a list of texts: ["a", "b"]', listOf)
      list?.forEach((value, at) => {
        if (!isText(value)) faults.add([...path, key, at], `${shown(value)} is not text in quotes`)
      })
      return list?.filter(isText)
    },
    boolean: (key) =>
      get(key, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined)),
    whole: (key, least, most) =>
      get(key, `a whole number from ${least} to ${most}`, (value) =>
        typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
          ? value
          : undefined,
      ),
    time: (key) => get(key, 'a date like 2026-12-01, or a time like 2026-12-01T12:00:00Z', timeOf),
    table: (key) => {
      const below = get(key, `a table: [${shownPath([...path, key])}]`, tableOf)
      return below && readTable(below, [...path, key], faults)
    },
    tables: () => Object.keys(table).flatMap((key) => reader.table(key) ?? []),
    fault: (at, message) => {
      const below = at === undefined ? [] : typeof at === 'string' ? [at] : at
      faults.add([...path, ...below], message)
    },
    done: () => {
      for (const key of Object.keys(table)) {
        if (asked.has(key)) continue
        const near = nearest(key, [...asked])
        const meant = near === undefined ? [...asked].join(', ') : `did you mean ${near}?`
        faults.add([...path, key], `there is nothing called ${shown(key)} here: ${meant}`)
      }
    },
  }
  return reader
}

/** Half a character of UTF-16 would not come back from where it is kept. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed()
}

function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined
}

function tableOf(value: unknown): TomlTable | undefined {
  const isTable = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isTable && !(value instanceof Date) ? (value as TomlTable) : undefined
}

/** Times without a zone mean other moments on other machines: only a date may have none. */
function timeOf(value: unknown): number | undefined {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return undefined
  const text = value.toISOString()
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return Date.parse(text)
  return /(Z|[+-]\d\d:\d\d)$/.test(text) ? value.getTime() : undefined
}

/** The key that was meant, if one is but for a letter or two what is there: `allow_expired`, `suits`. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const most = key.length < 5 ? 1 : 2
  const all = known.map((one) => ({ one, steps: distance(key.toLowerCase(), one, most) }))
  return all.filter(({ steps }) => steps <= most).sort((a, b) => a.steps - b.steps)[0]?.one
}

/** Letters to add, drop, change or swap; some number over `most` where it is more. */
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let [before, row] = [[0], Array.from({ length: b.length + 1 }, (_, at) => at)]
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const steps = [
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (isSame ? 0 : 1),
        ...(isSwap ? [(before[j - 2] ?? 0) + 1] : []),
      ]
      next.push(Math.min(...steps))
    }
    ;[before, row] = [row, next]
  }
  return row[b.length] ?? 0
}

function shown(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  if (tableOf(value) !== undefined) return 'a table'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function shownPath(path: TomlPath): string {
  const words = path.map((key) =>
    typeof key === 'number' || /^[A-Za-z0-9_-]+$/.test(key) ? String(key) : JSON.stringify(key),
  )
  return words.join('.')
}
