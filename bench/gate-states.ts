/**
 * Real states of Debian, as large as they are: indexes of the suites that the machine's own sources name, and of others of the
 * same archive, fetched by apt itself into a directory of its own. Of each stanza only what installability needs is kept.
 *
 * This does not read relations as the gate does: who judges must not depend on who is judged.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { splitStanzas } from './stanzas.ts'

export interface Package {
  readonly name: string
  readonly version: string
  readonly source: string
  readonly isEssential: boolean
  /** Names in Depends and Pre-Depends: alternatives, clause by clause. */
  readonly needs: readonly (readonly string[])[]
  /** Its own name and those that it provides. */
  readonly gives: readonly string[]
  /** The stanza, with the fields that matter here, and its last newline. */
  readonly text: string
}

/** The packages of one architecture at one time, all suites together. */
export interface State {
  readonly label: string
  readonly packages: readonly Package[]
  readonly bySource: ReadonlyMap<string, readonly Package[]>
}

const sourcesDirectory = '/etc/apt'
const fields = new Set(
  'package version architecture source essential multi-arch pre-depends depends conflicts breaks provides'.split(
    ' ',
  ),
)

/** Fetches the indexes of main of these suites, of which the machine's sources must name one; what cannot be had is not there. */
export function fetchSuites(directory: string, suites: readonly string[]): void {
  const parts = join(directory, 'sources')
  for (const sub of ['sources', 'lists/partial', 'cache']) {
    mkdirSync(join(directory, sub), { recursive: true })
  }
  const texts = new Map(sourceFiles().map((file) => [basename(file), readFileSync(file, 'utf8')]))
  const words = new Set([...texts.values()].flatMap((text) => text.split(/\s+/)))
  const [main = '', ...others] = suites
  const more = others.filter((suite) => !words.has(suite))
  for (const [name, text] of texts) writeFileSync(join(parts, name), withSuites(text, main, more))
  const options = [
    `Dir::Etc::sourceparts=${parts}`,
    'Dir::Etc::sourcelist=/dev/null',
    `Dir::State::lists=${join(directory, 'lists')}`,
    `Dir::Cache=${join(directory, 'cache')}`,
    'Acquire::Languages=none',
    'APT::Get::List-Cleanup=0',
  ]
  try {
    execFileSync('apt-get', ['-q', ...options.flatMap((one) => ['-o', one]), 'update'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
  } catch (error) {
    // Of suites that are not served it fails for those alone; what is missing is told when it is read.
    console.error(`apt-get update: ${error instanceof Error ? error.message.split('\n')[0] : ''}`)
  }
}

/** The packages of a suite that was fetched; undefined if it could not be had. */
export function readSuite(directory: string, suite: string): Package[] | undefined {
  const lists = join(directory, 'lists')
  const pattern = new RegExp(`_dists_${suite}_main_binary-amd64_Packages(\\.[a-z0-9]+)?$`)
  const name = existsSync(lists) ? readdirSync(lists).find((one) => pattern.test(one)) : undefined
  if (name === undefined) return undefined
  const options = { maxBuffer: 1 << 30 }
  const text = execFileSync('/usr/lib/apt/apt-helper', ['cat-file', join(lists, name)], options)
  return readPackages(text.toString('latin1'))
}

/** The packages of an index. */
export function readPackages(index: string): Package[] {
  return splitStanzas(index).map(readPackage)
}

/** All suites of a state side by side. */
export function makeState(label: string, ...suites: readonly (readonly Package[])[]): State {
  const packages = suites.flat()
  const bySource = new Map<string, Package[]>()
  for (const one of packages) {
    const others = bySource.get(one.source)
    if (others === undefined) bySource.set(one.source, [one])
    else others.push(one)
  }
  return { label, packages, bySource }
}

/** A stanza as a package. */
export function readPackage(stanza: string): Package {
  const lines = stanza.split('\n').filter((line) => {
    const colon = line.indexOf(':')
    return colon > 0 && fields.has(line.slice(0, colon).toLowerCase())
  })
  const values = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const value = (name: string): string => values.get(name) ?? ''
  const name = value('package')
  return {
    name,
    version: value('version'),
    source: (values.get('source') ?? name).replace(/ .*$/, ''),
    isEssential: value('essential') === 'yes',
    needs: `${value('pre-depends')},${value('depends')}`
      .split(',')
      .map(namesIn)
      .filter((names) => names.length > 0),
    gives: [name, ...namesIn(value('provides'))],
    text: `${lines.join('\n')}\n`,
  }
}

/** The names of packages in a field of relations. */
function namesIn(relations: string): string[] {
  return [...relations.matchAll(/(?:^|[,|])\s*([A-Za-z0-9][A-Za-z0-9+.-]*)/g)].map(
    ([, name = '']) => name,
  )
}

function sourceFiles(): string[] {
  const parts = join(sourcesDirectory, 'sources.list.d')
  return [
    join(sourcesDirectory, 'sources.list'),
    ...(existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : []),
  ].filter((file) => /\.(list|sources)$/.test(file) && existsSync(file))
}

/** Sources as they are, and where they name the main suite more of the same archive. */
function withSuites(text: string, main: string, more: readonly string[]): string {
  return text
    .replace(/^Suites:(.*)$/gm, (line, words: string) => {
      return words.split(/\s+/).includes(main) ? [line, ...more].join(' ') : line
    })
    .replace(/^(deb (?:\[[^\]]*\] )?\S+) (\S+) (.*)$/gm, (line, head, suite, rest) => {
      if (suite !== main) return line
      return [line, ...more.map((one) => `${head} ${one} ${rest}`)].join('\n')
    })
}
