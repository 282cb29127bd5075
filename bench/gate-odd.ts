/**
 * New versions of packages as archives have them, and odder ones: a library whose name goes on, relations that become tighter or
 * go, conflicts with what is near, names that are provided with a version or without, other Multi-Arch, what is essential.
 */
import { type Package, readPackage } from './gate-states.ts'
import { fieldOf } from './stanzas.ts'

interface Odd {
  readonly random: () => number
  /** Any package of the archive. */
  readonly any: () => Package
  /** Names of packages of these sources, and what they become. */
  readonly renamed: Map<string, string>
}

type Turn = (text: string, odd: Odd) => string

/** These packages, all in new versions. */
export function oddVersions(
  packages: readonly Package[],
  all: readonly Package[],
  random: () => number,
): Package[] {
  const any = (): Package => all[Math.floor(random() * all.length)] ?? readPackage('Package: none')
  const odd: Odd = { random, any, renamed: new Map() }
  for (const { name } of packages) {
    if (random() < 0.1 && /^lib.*\d$/.test(name)) odd.renamed.set(name, `${name}t64`)
  }
  const versions = new Map(packages.map(({ version }) => [version, newVersion(version, random)]))
  return packages
    .filter(() => random() > 0.03)
    .map((one) => readPackage(oddVersion(one, versions.get(one.version) ?? '2', odd)))
}

function oddVersion({ text, version, name }: Package, next: string, odd: Odd): string {
  const { random, renamed } = odd
  const own = `(= ${version})`
  let made = setField(text.trimEnd(), 'Version', next).replaceAll(own, `(= ${next})`)
  // Packages of one source follow each other's names.
  for (const [old, now] of renamed) {
    made = made.replace(new RegExp(`(?<=[ ,|])${escaped(old)}(?=[ ,:(]|$)`, 'gm'), now)
  }
  const now = renamed.get(name)
  if (now !== undefined) {
    made = addTo(setField(made, 'Package', now), 'Breaks', `${name} (<< ${next})`)
    if (random() < 0.4) made = addTo(made, 'Provides', `${name} (= ${next})`)
    else if (random() < 0.3) made = addTo(made, 'Provides', name)
  }
  const count = random() < 0.5 ? 0 : Math.ceil(random() * 3)
  for (let turn = 0; turn < count; turn++) {
    made = turns[Math.floor(random() * turns.length)]?.(made, odd) ?? made
  }
  return made
}

const turns: readonly Turn[] = [
  (text, { random }) => alter(text, 'Depends', random, () => []),
  (text, { random }) => alter(text, 'Provides', random, () => []),
  (text, { random }) => alter(text, 'Provides', random, (one) => [one.replace(/ \(.*/, '')]),
  (text, { random }) =>
    alter(text, 'Provides', random, (one) => [one.replace(/ \(.*|$/, ' (= 1:2~rc1)')]),
  (text, { random }) => alter(text, 'Depends', random, (one) => [one.replace(/ ?\|.*/, '')]),
  (text, { random }) =>
    alter(text, 'Depends', random, (one) => [one.replace(/\((?:>=|=) /g, '(<< ')]),
  (text, { random }) =>
    alter(text, 'Depends', random, (one) => [one.replace(/\(>= ([^)]*)\)/g, '(= $1)')]),
  (text, { random }) =>
    alter(text, 'Depends', random, (one) => [one.replace(/^([^ :|]+)(?=$| \|)/, '$1:any')]),
  (text, { any }) => addTo(text, 'Depends', any().name),
  (text, { any }) => addTo(text, 'Pre-Depends', `${any().name} | ${any().name}`),
  (text, { any }) => addTo(text, 'Depends', exactly(any(), '=')),
  (text, { any }) => addTo(text, 'Depends', exactly(any(), '>>')),
  (text, { any }) => addTo(text, 'Breaks', exactly(any(), '<=')),
  (text, { any }) => addTo(text, 'Conflicts', any().name),
  (text, { random }) => nearFoe(text, random, 'Conflicts', ''),
  (text, { random }) => nearFoe(text, random, 'Breaks', ' (<< 1:3~)'),
  (text, { any }) => addTo(text, 'Provides', any().name),
  (text, { any }) => addTo(text, 'Provides', exactly(any(), '=')),
  (text) => withOwnVirtual(text),
  (text, { random }) => setField(text, 'Multi-Arch', random() < 0.5 ? 'foreign' : 'allowed'),
  (text) => text.replace(/^Multi-Arch:.*\n/m, ''),
  (text) => text.replace(/^Essential:.*\n/m, ''),
  (text, { random }) => (random() < 0.05 ? setField(text, 'Essential', 'yes') : text),
  (text) => text.replace(/^(Conflicts|Breaks):.*\n/m, ''),
]

function newVersion(version: string, random: () => number): string {
  const kind = random()
  if (kind < 0.1) return `${version}~bpo12+1`
  if (kind < 0.15) return version.includes(':') ? version.replace(/^\d+/, '9') : `1:${version}`
  return kind < 0.5
    ? `${version}+deb12u1`
    : version.replace(/\d+/, (digits) => `${Number(digits) + 1}`)
}

/** A conflict with something that the package needs, or that would be an alternative to it. */
function nearFoe(text: string, random: () => number, field: string, version: string): string {
  const names = (fieldOf(text, 'Depends') ?? '').split(/[,|]/).map((one) => one.trim())
  const name = names[Math.floor(random() * names.length)]?.replace(/[: ].*/, '') ?? ''
  return name === '' ? text : addTo(text, field, `${name}${version}`)
}

function withOwnVirtual(text: string): string {
  const name = (fieldOf(text, 'Provides') ?? '').replace(/[, ].*/s, '')
  return name === '' ? text : addTo(text, 'Conflicts', name)
}

function exactly({ name, version }: Package, operator: string): string {
  return `${name} (${operator} ${version})`
}

/** One clause of a field becomes others. */
function alter(
  text: string,
  field: string,
  random: () => number,
  change: (clause: string) => readonly string[],
): string {
  const value = fieldOf(text, field) ?? ''
  if (value === '') return text
  const clauses = value.split(',').map((one) => one.trim())
  const at = Math.floor(random() * clauses.length)
  const made = clauses.flatMap((one, place) => (place === at ? change(one) : [one]))
  return setField(text, field, made.filter((one) => one !== '').join(', '))
}

function addTo(text: string, field: string, clause: string): string {
  const has = fieldOf(text, field)
  return setField(text, field, has === undefined || has === '' ? clause : `${has}, ${clause}`)
}

function setField(text: string, field: string, value: string): string {
  const line = value === '' ? [] : [`${field}: ${value}`]
  if (fieldOf(text, field) === undefined) return [text, ...line].join('\n')
  const lines = text.split('\n')
  return lines.flatMap((one) => (one.startsWith(`${field}:`) ? line : [one])).join('\n')
}

function escaped(text: string): string {
  return text.replace(/[.+]/g, '\\$&')
}
