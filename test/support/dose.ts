/**
 * dose-debcheck as a judge: which packages of a list cannot be installed; and lists of packages written in short.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findBroken } from '../../src/gate/judge.ts'
import { readFacts } from '../../src/gate/package-facts.ts'
import { openUniverse } from '../../src/gate/universe.ts'
import { createVocabulary } from '../../src/gate/vocabulary.ts'
import { run } from './run.ts'

/** Names of which no version can be installed on the architecture, as dose-debcheck says. */
export async function doseBroken(
  dir: string,
  stanzas: readonly string[],
  architecture = 'amd64',
): Promise<Set<string>> {
  const file = join(dir, 'Packages')
  await writeFile(file, `${stanzas.join('\n')}\n`)
  const args = [`--deb-native-arch=${architecture}`, '-f', file]
  const { code, stdout, stderr } = await run('dose-debcheck', args, { timeoutMs: 600_000 })
  if (code !== 0 && code !== 1) throw new Error(`dose-debcheck: ${stderr}`)
  const broken = new Set<string>()
  for (const [, name, version] of stdout.matchAll(/^ {2}package: (\S+)\n {2}version: (\S+)$/gm)) {
    broken.add(`${name} ${version}`)
  }
  const here = stanzas.filter((one) => isOn(architecture, field(one, 'Architecture')))
  const good = here.filter((one) => !broken.has(`${nameOf(one)} ${field(one, 'Version')}`))
  const installable = new Set(good.map(nameOf))
  return new Set(here.map(nameOf).filter((name) => !installable.has(name)))
}

/** What is newly broken by dose-debcheck's word: what was broken before is known. */
export function newly(before: ReadonlySet<string>, after: ReadonlySet<string>): string[] {
  return [...after].filter((name) => !before.has(name)).sort()
}

/** What the gate says that the change breaks. */
export async function gateBroken(
  change: {
    readonly before: readonly string[]
    readonly removed: readonly string[]
    readonly added: readonly string[]
  },
  architecture = 'amd64',
): Promise<string[]> {
  const vocabulary = createVocabulary()
  const facts = (stanzas: readonly string[]): Int32Array[] => [
    readFacts(vocabulary, Buffer.from(`${stanzas.join('\n')}\n`)),
  ]
  const [base, removed, added] = [facts(change.before), facts(change.removed), facts(change.added)]
  const universe = openUniverse(vocabulary, { architecture, base, removed, added })
  const broken = await findBroken(universe, async () => undefined)
  return [...broken].map((name) => vocabulary.names.text(name)).sort()
}

/** `a 1; Depends: b | c; Multi-Arch: foreign` as a stanza, of amd64 unless it says otherwise. */
export function stanza(short: string): string {
  const [head = '', ...fields] = short.split(';').map((part) => part.trim())
  const [name, version] = head.split(' ')
  const own = fields.some((one) => one.startsWith('Architecture:')) ? [] : ['Architecture: amd64']
  return `${[`Package: ${name}`, `Version: ${version}`, ...own, ...fields].join('\n')}\n`
}

/** The value of a field that stands on one line. */
export function field(text: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1]
}

function nameOf(text: string): string {
  return field(text, 'Package') ?? ''
}

function isOn(architecture: string, of: string | undefined): boolean {
  return of === 'all' || of === architecture
}
