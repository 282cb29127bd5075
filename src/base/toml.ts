/**
 * TOML, read and written. Reading tells the line of each fault, of several broken statements at once, and the line of any
 * key for who judges what the text says (toml-lines.ts). What is written has one form: a key a line, long lists with a line
 * for each member, text of several lines as it is.
 *
 * Source: TOML 1.0. Tables have no prototype: a key `__proto__` is a key.
 */
import { parse, stringify, TomlError } from 'smol-toml'
import { indexLines, type LineOf } from './toml-lines.ts'

export type TomlTable = Readonly<Record<string, unknown>>

/** What is wrong in a text, and in which line, from 1. */
export interface TomlFault {
  readonly line: number
  readonly message: string
}

export type TomlText =
  | { readonly root: TomlTable; readonly lineOf: LineOf }
  /** The text is no TOML. */
  | { readonly faults: readonly TomlFault[] }

/** Faults of syntax that are told at once. */
const MAX_FAULTS = 20
/** Lines of the rest of a broken statement that are passed over. */
const MAX_PASSED = 2000
/** Characters read again for that: some tenths of a second, in which nothing else is done. */
const MAX_READ_AGAIN = 8 * 1024 * 1024
const MAX_DEPTH = 20
const WIDTH = 100

/** The text as tables, or all that is wrong with its syntax. */
export function readToml(text: string): TomlText {
  const first = tryParse(text)
  if ('root' in first) {
    let index: LineOf | undefined
    // Only a text with faults needs it.
    const lineOf: LineOf = (path) => {
      index ??= indexLines(text)
      return index(path)
    }
    return { root: first.root, lineOf }
  }
  const lines = text.split('\n')
  const faults = [first]
  let last = first
  // Each broken line is blanked and the text read again, so that what is broken further on is told as well.
  const most = Math.min(MAX_PASSED, Math.floor(MAX_READ_AGAIN / (text.length + 1)))
  for (let passed = 0; faults.length < MAX_FAULTS && passed < most; passed++) {
    const isBelow = lines[last.line - 1] !== undefined
    if (!isBelow) break
    lines[last.line - 1] = ''
    const next = tryParse(lines.join('\n'))
    if ('root' in next || next.line <= last.line) break
    if (isOwnFault(lines[next.line - 1] ?? '', next, last)) faults.push(next)
    last = next
  }
  return { faults }
}

function tryParse(text: string): { root: TomlTable } | TomlFault {
  try {
    return { root: parse(text, { maxDepth: MAX_DEPTH }) }
  } catch (error) {
    // The parser's message goes on with an excerpt of the text.
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
    const line = error instanceof TomlError ? error.line : 1
    return { line, message: message.replace(/^Invalid TOML document: /, '') }
  }
}

/** Not so the next line of a statement whose beginning was blanked, or of a list that never ends. */
function isOwnFault(line: string, fault: TomlFault, last: TomlFault): boolean {
  if (fault.line !== last.line + 1) return true
  const isStatement = /^\s*(\[|[\w."'-]+(\.[\w."'-]+)*(\s+=|=\s*[^=\s]))/.test(line)
  return isStatement && !(fault.message === last.message && 'root' in tryParse(line))
}

/** A table's heading: `[archive."gtk+"]`. */
export function tomlHeader(path: readonly string[]): string {
  return `[${path.map(formatKey).join('.')}]`
}

/** `key = value`, which is text, a number, a truth or a list of texts; of several lines where it must. */
export function tomlLines(
  key: string,
  value: string | number | boolean | readonly string[],
): string[] {
  if (typeof value === 'string' && isPlainBlock(value)) {
    return [`${formatKey(key)} = '''`, ...value.trimEnd().split('\n'), "'''"]
  }
  const line = stringify({ [key]: value }).trimEnd()
  if (typeof value !== 'object' || line.length <= WIDTH) return [line]
  const members = value.map((one) => `  ${stringify({ x: one }).trimEnd().slice('x = '.length)},`)
  return [`${formatKey(key)} = [`, ...members, ']']
}

/** A line of comment: nothing in `text` ends it. */
export function tomlComment(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return `# ${text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')}`.trimEnd()
}

function formatKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)
}

/** Lines without anything that a literal string could not have. */
function isPlainBlock(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a literal string has none of them
  return text.endsWith('\n') && !/'''|[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)
}
