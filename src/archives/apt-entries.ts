/**
 * The two formats of apt sources as text (sources.list(5)): one line, and deb822 stanzas. What a line or stanza means is
 * decided elsewhere; one that breaks its format is returned with the reason, and the others stay good (apt itself would
 * refuse all).
 *
 * One line:  `deb [option=value option+=value,value] URI SUITE COMPONENT…`, words in "…" or with %20, `#` a comment.
 * deb822:    Types, URIs, Suites, Components and options as fields; only an empty line ends a stanza.
 */
import { isAppError } from '../base/errors.ts'
import { parseStanza, type Stanza } from '../debian/control.ts'
import { parseAptBool } from './apt-config.ts'

/** All of `types` × `uris` × `suites`, each with all components. */
export interface AptEntry {
  /** `/etc/apt/sources.list:3`. */
  readonly origin: string
  readonly types: readonly string[]
  readonly uris: readonly string[]
  /** One that ends in `/` is the directory of a flat repository. */
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** By the name of the deb822 field in lower case (`signed-by`, `architectures-add`). */
  readonly options: ReadonlyMap<string, string>
}

/** A line or stanza that is no source. */
export interface BadEntry {
  readonly origin: string
  readonly problem: string
}

const oneLineNames: Readonly<Record<string, string>> = {
  arch: 'architectures',
  'arch+': 'architectures-add',
  'arch-': 'architectures-remove',
}
const archVariable = '$(ARCH)'

/** The entries of a file; which format it has, its name says. `architecture` takes the place of `$(ARCH)`. */
export function parseAptFile(
  file: string,
  text: string,
  architecture: string,
): (AptEntry | BadEntry)[] {
  const parse = file.endsWith('.sources') ? parseDeb822 : parseOneLines
  return parse(file, text).map((entry) =>
    'problem' in entry ? entry : substitute(entry, architecture, parse === parseDeb822),
  )
}

/** apt puts the architecture into URIs, and into suites of stanzas and flat repositories; into components never. */
function substitute(entry: AptEntry, architecture: string, isStanza: boolean): AptEntry {
  const put = (text: string): string => text.replaceAll(archVariable, architecture)
  return {
    ...entry,
    uris: entry.uris.map(put),
    suites: entry.suites.map((suite) => (isStanza || suite.endsWith('/') ? put(suite) : suite)),
  }
}

function parseOneLines(file: string, text: string): (AptEntry | BadEntry)[] {
  return text.split('\n').flatMap((raw, index) => {
    const line = withoutComment(raw).trim()
    if (line === '') return []
    const origin = `${file}:${index + 1}`
    const entry = parseLine(line)
    return [typeof entry === 'string' ? { origin, problem: entry } : { origin, ...entry }]
  })
}

/** A `#` within brackets is part of an option. */
function withoutComment(line: string): string {
  let depth = 0
  for (const [at, character] of [...line].entries()) {
    if (character === '[') depth = 1
    if (character === ']') depth = 0
    if (character === '#' && depth === 0) return [...line].slice(0, at).join('')
  }
  return line
}

/** The entry, or what is wrong with the line. */
function parseLine(line: string): Omit<AptEntry, 'origin'> | string {
  const type = nextWord(line)
  if (type === undefined) return 'the type cannot be read'
  const bracketed = /^\[([^\]]*)\](\s+|$)/.exec(type.rest)
  if (bracketed === null && type.rest.startsWith('[')) {
    return 'the options in brackets cannot be read'
  }
  const options = parseOptions(bracketed?.[1] ?? '')
  if (typeof options === 'string') return options
  const [uri, suite, ...components] = words(type.rest.slice(bracketed?.[0].length ?? 0))
  if (uri === undefined) return 'there is no URI'
  if (suite === undefined) return 'there is no suite'
  const problem = checkComponents([suite], components)
  if (problem !== undefined) return problem
  return { types: [type.word], uris: [uri], suites: [suite], components, options }
}

function parseOptions(text: string): ReadonlyMap<string, string> | string {
  const options = new Map<string, string>()
  for (const option of words(text)) {
    const at = option.indexOf('=')
    if (at < 1 || at === option.length - 1) return `the option ${option} has no value`
    const name = option.slice(0, at).toLowerCase()
    options.set(oneLineNames[name] ?? name, option.slice(at + 1))
  }
  return options
}

function words(text: string): string[] {
  const found: string[] = []
  for (let next = nextWord(text); next !== undefined; next = nextWord(next.rest)) {
    found.push(next.word)
  }
  return found
}

/** apt's words: blanks may stand in quotes and brackets, and `%20` is a blank. */
function nextWord(text: string): { word: string; rest: string } | undefined {
  const found = /^\s*((?:"[^"]*"|\[[^\]]*\]|[^\s"[])+)\s*/.exec(text)
  const raw = found?.[1]
  if (found === null || raw === undefined) return undefined
  const word = raw
    .replaceAll('"', '')
    .replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
  return { word, rest: text.slice(found[0].length) }
}

function checkComponents(suites: readonly string[], components: readonly string[]) {
  const flat = suites.filter((suite) => suite.endsWith('/'))
  if (flat.length > 0 && components.length > 0) return 'a flat repository has no components'
  if (flat.length < suites.length && components.length === 0) return 'there is no component'
  return undefined
}

function parseDeb822(file: string, text: string): (AptEntry | BadEntry)[] {
  return splitStanzas(text).flatMap(({ line, lines }) => {
    const origin = `${file}:${line}`
    try {
      const entry = readStanza(parseStanza(lines.join('\n')))
      if (entry === undefined) return []
      return [typeof entry === 'string' ? { origin, problem: entry } : { origin, ...entry }]
    } catch (error) {
      if (!isAppError(error, 'ERR_FORMAT')) throw error
      return [{ origin, problem: error.message }]
    }
  })
}

/** The lines of each stanza without comments, and the number of its first line. */
function splitStanzas(text: string): { line: number; lines: string[] }[] {
  const stanzas: { line: number; lines: string[] }[] = []
  let isOpen = false
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '')
    if (line === '') isOpen = false
    if (line.trim() === '' || line.startsWith('#')) continue
    if (!isOpen) stanzas.push({ line: index + 1, lines: [] })
    isOpen = true
    stanzas.at(-1)?.lines.push(line)
  }
  return stanzas
}

/** The entry, what is wrong with it, or undefined if it is switched off. */
function readStanza(stanza: Stanza): Omit<AptEntry, 'origin'> | string | undefined {
  if (parseAptBool(stanza.get('Enabled') ?? '') === false) return undefined
  const list = (name: string): string[] =>
    (stanza.get(name) ?? '').split(/\s+/).filter((word) => word !== '')
  const [types, uris, suites] = [list('Types'), list('URIs'), list('Suites')]
  if (types.length === 0) return 'there is no field Types'
  if (uris.length === 0) return 'there is no field URIs'
  if (suites.length === 0) return 'there is no field Suites'
  const components = list('Components')
  const problem = checkComponents(suites, components)
  if (problem !== undefined) return problem
  const options = new Map([...stanza].map(([name, value]) => [name.toLowerCase(), value.trim()]))
  return { types, uris, suites, components, options }
}
