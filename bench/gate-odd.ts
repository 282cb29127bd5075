/**
 * New versions of packages as archives have them, and odder ones: a library whose name goes on, relations that become tighter or
 * go, conflicts with what is near, names that are provided with a version or without, other Multi-Arch, what is essential.
 */
import { type Package, readPackage } from './gate-states.ts'
import { fieldOf, needField } from './stanzas.ts'

interface Odd {
  readonly random: () => number
  /** Any package of the archive. */
  readonly any: () => Package
}

type Turn = (text: string, odd: Odd) => string

/** What becomes of the packages that get new versions together. */
interface Next {
  /** `name version` -> the next version. */
  readonly versions: ReadonlyMap<string, string>
  /** Names of packages, and what they become. */
  readonly renamed: ReadonlyMap<string, string>
}

/** These packages, all in new versions. */
export function oddVersions(
  packages: readonly Package[],
  all: readonly Package[],
  random: () => number,
): Package[] {
  const any = (): Package => all[Math.floor(random() * all.length)] ?? readPackage('Package: none')
  const renamed = new Map<string, string>()
  for (const { name } of packages) {
    if (random() < 0.1 && /^lib.*\d$/.test(name)) renamed.set(name, `${name}t64`)
  }
  const numbers = new Map(packages.map(({ version }) => [version, oddNumber(version, random)]))
  const next = { renamed, versions: versionsOf(packages, (old) => numbers.get(old) ?? old) }
  return packages
    .filter(() => random() > 0.03)
    .map((one) => readPackage(oddVersion(one, next, { random, any })))
}

/** These packages in new versions, some of other names, and otherwise as they were. */
export function renamedVersions(
  packages: readonly Package[],
  renamed: ReadonlyMap<string, string>,
): Package[] {
  const next = { renamed, versions: versionsOf(packages, (old) => `${old}+t64`) }
  return packages.map((one) => readPackage(nextVersion(one, next)))
}

function versionsOf(
  packages: readonly Package[],
  next: (version: string) => string,
): Map<string, string> {
  return new Map(packages.map(({ name, version }) => [`${name} ${version}`, next(version)]))
}

function nextVersion({ text, version, name }: Package, { versions, renamed }: Next): string {
  const next = versions.get(`${name} ${version}`) ?? version
  let made = setField(text.trimEnd(), 'Version', next)
  made = made.replace(/([^\s,|:]+)(:any)? \(= ([^)]+)\)/g, (all, other, any = '', old) => {
    const its = versions.get(`${other} ${old}`)
    return its === undefined ? all : `${other}${any} (= ${its})`
  })
  for (const [old, now] of renamed) {
    if (!made.includes(old)) continue
    made = made.replace(new RegExp(`(?<=[ ,|])${escaped(old)}(?=[ ,:(]|$)`, 'gm'), now)
  }
  const now = renamed.get(name)
  if (now === undefined) return made
  return addTo(setField(made, 'Package', now), 'Breaks', `${name} (<< ${next})`)
}

function oddVersion(one: Package, next: Next, odd: Odd): string {
  const { random } = odd
  let made = nextVersion(one, next)
  if (next.renamed.has(one.name)) {
    const version = needField(made, 'Version')
    if (random() < 0.4) made = addTo(made, 'Provides', `${one.name} (= ${version})`)
    else if (random() < 0.3) made = addTo(made, 'Provides', one.name)
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

function oddNumber(version: string, random: () => number): string {
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
