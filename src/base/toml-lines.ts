/**
 * In which line of a TOML text each key stands: for faults in what it says, which the parser cannot know.
 *
 * The text is one that was parsed: this only walks over it, from statement to statement, and passes over values. A path is
 * the keys from the root on, with the place of a member of a list: `['hold', 2, 'source']`, `['archive', 'a', 'urls', 0]`.
 */
import { parse } from 'smol-toml'

export type TomlPath = readonly (string | number)[]

/** The line, from 1, of a path; of the nearest above it that stands in the text, where it does not itself. */
export type LineOf = (path: TomlPath) => number

/** Indexes a text that parses. */
export function indexLines(text: string): LineOf {
  const walk = new Walk(text)
  walk.run()
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const at = walk.starts.get(nameOf(path.slice(0, length)))
      if (at !== undefined) return walk.lineAt(at)
    }
    return 1
  }
}

function nameOf(path: TomlPath): string {
  return JSON.stringify(path)
}

/** Tables above a heading that are noted by it: deeper ones hold nothing that anybody asks for. */
const MOST_ABOVE = 8

class Walk {
  readonly starts = new Map<string, number>()
  readonly #text: string
  readonly #newlines: number[] = []
  /** How many tables each list of tables (`[[x]]`) has so far. */
  readonly #counts = new Map<string, number>()
  #at = 0

  constructor(text: string) {
    this.#text = text
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
      this.#newlines.push(at)
    }
  }

  /** How many line ends stand before this place, and one. */
  lineAt(offset: number): number {
    let [low, high] = [0, this.#newlines.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#newlines[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return low + 1
  }

  run(): void {
    let table: TomlPath = []
    for (this.#skip(); this.#at < this.#text.length; this.#skip()) {
      if (this.#text[this.#at] === '[') table = this.#header()
      else this.#pair(table)
    }
  }

  #header(): TomlPath {
    const start = this.#at
    const isList = this.#text.startsWith('[[', start)
    this.#at += isList ? 2 : 1
    const keys = this.#keys(']')
    this.#at += isList ? 2 : 1
    // A table that no heading of its own names stands where one below it does.
    for (let length = 1; length < keys.length && length <= MOST_ABOVE; length++) {
      this.#note(this.#resolve(keys.slice(0, length)), start)
    }
    const above = this.#resolve(keys.slice(0, -1))
    const path = [...above, keys.at(-1) ?? '']
    this.#note(path, start)
    if (!isList) return path
    const name = nameOf(path)
    const count = this.#counts.get(name) ?? 0
    this.#counts.set(name, count + 1)
    const member = [...path, count]
    this.#note(member, start)
    return member
  }

  /** The keys of a heading, with the place of the newest table of each list of tables on the way. */
  #resolve(keys: readonly string[]): TomlPath {
    let path: TomlPath = []
    for (const key of keys) {
      path = [...path, key]
      const count = this.#counts.get(nameOf(path))
      if (count !== undefined) path = [...path, count - 1]
    }
    return path
  }

  #pair(table: TomlPath): void {
    const start = this.#at
    let path = table
    for (const key of this.#keys('=')) {
      path = [...path, key]
      this.#note(path, start)
    }
    this.#at++
    this.#value(path)
  }

  /** The keys before `end`, as the parser reads them. */
  #keys(end: '=' | ']'): string[] {
    const start = this.#at
    while (this.#at < this.#text.length && this.#text[this.#at] !== end) {
      if (this.#isQuote()) this.#string()
      else this.#at++
    }
    const text = this.#text.slice(start, this.#at).trim()
    if (/^[\w-]+$/.test(text)) return [text]
    const keys: string[] = []
    let at: unknown = parse(`${text} = 0`)
    while (typeof at === 'object' && at !== null) {
      const [key = '', below] = Object.entries(at)[0] ?? []
      keys.push(key)
      at = below
    }
    return keys
  }

  #value(path: TomlPath): void {
    this.#skip()
    const first = this.#text[this.#at]
    if (this.#isQuote()) this.#string()
    else if (first === '[') this.#list(path)
    else if (first === '{') this.#inline(path)
    else while (this.#at < this.#text.length && !/[,\]}#\n]/.test(this.#here())) this.#at++
  }

  #list(path: TomlPath): void {
    this.#at++
    for (let nth = 0; this.#more(']'); nth++) {
      const member = [...path, nth]
      this.#note(member, this.#at)
      this.#value(member)
    }
  }

  #inline(path: TomlPath): void {
    this.#at++
    while (this.#more('}')) this.#pair(path)
  }

  /** Whether another member comes; else `end` is passed. */
  #more(end: string): boolean {
    this.#skip()
    while (this.#here() === ',') {
      this.#at++
      this.#skip()
    }
    if (this.#at >= this.#text.length) return false
    if (this.#here() !== end) return true
    this.#at++
    return false
  }

  #here(): string {
    return this.#text[this.#at] ?? ''
  }

  #isQuote(): boolean {
    return this.#here() === '"' || this.#here() === "'"
  }

  /** Over a string of any of the four forms. */
  #string(): void {
    const quote = this.#here()
    const isLong = this.#text.startsWith(quote.repeat(3), this.#at)
    const end = isLong ? quote.repeat(3) : quote
    this.#at += end.length
    while (this.#at < this.#text.length && !this.#text.startsWith(end, this.#at)) {
      this.#at += quote === '"' && this.#here() === '\\' ? 2 : 1
    }
    this.#at += end.length
    // A long string may end in one or two quotes of its own.
    while (isLong && this.#here() === quote) this.#at++
  }

  /** Over blanks, line ends and comments. */
  #skip(): void {
    for (;;) {
      const here = this.#here()
      if (here === '#') {
        const end = this.#text.indexOf('\n', this.#at)
        this.#at = end < 0 ? this.#text.length : end
      } else if (here !== '' && ' \t\r\n\ufeff'.includes(here)) this.#at++
      else return
    }
  }

  #note(path: TomlPath, at: number): void {
    const name = nameOf(path)
    if (!this.starts.has(name)) this.starts.set(name, at)
  }
}
