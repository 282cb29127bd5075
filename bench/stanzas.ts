/**
 * Stanzas of a `Packages` index as text: where the real ones come from, which to take, and what becomes of them.
 *
 * Text is latin1 all through, so that every byte of the index survives and the strings stay one byte a character.
 * This is deliberately not Sluice's own reader: a benchmark's input must not depend on what it measures.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Sources that every archive of a useful size has: the largest there are in Debian, binaries by the hundred. */
export const largeSources = ['linux', 'gcc-12', 'libreoffice'] as const

const listsDirectory = '/var/lib/apt/lists'

/** The stanzas, in order and without blank lines, of `file` or of the machine's own list of the suite. */
export function readStanzas(suite: string, file?: string): string[] {
  const bytes = file === undefined ? aptList(suite) : readFileSync(file)
  return splitStanzas(bytes.toString('latin1'))
}

/** The stanzas of an index, without the blank lines between them. */
export function splitStanzas(text: string): string[] {
  return text
    .split('\n\n')
    .map((stanza) => stanza.replace(/^\n+|\n+$/g, ''))
    .filter((stanza) => stanza !== '')
}

function aptList(suite: string): Buffer {
  if (findAptList(suite) === undefined)
    execFileSync('apt-get', ['-q', 'update'], { stdio: 'inherit' })
  const path = findAptList(suite)
  if (path === undefined) {
    throw new Error(
      `no list of main for amd64 in ${listsDirectory}: run apt-get update, or give --list FILE`,
    )
  }
  return execFileSync('/usr/lib/apt/apt-helper', ['cat-file', path], { maxBuffer: 1 << 30 })
}

/** The list of the suite if the machine has it, else the largest list of any suite's main. */
function findAptList(suite: string): string | undefined {
  const lists = readdirSync(listsDirectory)
    .filter((name) => /_main_binary-amd64_Packages(\.[a-z0-9]+)?$/.test(name))
    .map((name) => ({ name, sizeBytes: statSync(join(listsDirectory, name)).size }))
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
  const own = lists.find(({ name }) => name.includes(`_dists_${suite}_`))
  const best = own ?? lists[0]
  return best === undefined ? undefined : join(listsDirectory, best.name)
}

/** The first line of a field's value; undefined if the stanza does not have it. */
export function fieldOf(stanza: string, name: string): string | undefined {
  const start = stanza.startsWith(`${name}:`) ? 0 : stanza.indexOf(`\n${name}:`) + 1
  if (start === 0 && !stanza.startsWith(`${name}:`)) return undefined
  const end = stanza.indexOf('\n', start)
  return stanza.slice(start + name.length + 1, end === -1 ? undefined : end).trim()
}

/** A field that every stanza of a sound index has. */
export function needField(stanza: string, name: string): string {
  const value = fieldOf(stanza, name)
  if (value === undefined) throw new Error(`a stanza without ${name}: ${stanza.slice(0, 80)}`)
  return value
}

/** The name of the source package that the stanza's package was built from. */
export function sourceOf(stanza: string): string {
  return (fieldOf(stanza, 'Source') ?? needField(stanza, 'Package')).replace(/ .*$/, '')
}

/** Whole source packages, the large ones first and the others spread evenly, until there are `count` stanzas. */
export function takeStanzas(stanzas: readonly string[], count: number): string[] {
  if (count === 0 || count >= stanzas.length) return [...stanzas]
  const bySource = new Map<string, number[]>()
  for (const [at, stanza] of stanzas.entries()) {
    const source = sourceOf(stanza)
    const others = bySource.get(source)
    if (others === undefined) bySource.set(source, [at])
    else others.push(at)
  }
  const chosen = new Set<number>()
  const take = (source: string, limit: number) => {
    for (const at of bySource.get(source) ?? []) if (chosen.size < limit) chosen.add(at)
  }
  for (const source of largeSources) take(source, Math.floor(count / 2))
  const rest = [...bySource.keys()].filter(
    (source) => !largeSources.some((name) => name === source),
  )
  const step = Math.max(1, Math.floor((rest.length * 2) / count))
  for (let offset = 0; offset < step; offset++) {
    for (let at = offset; at < rest.length; at += step) take(rest[at] ?? '', count)
  }
  return stanzas.filter((_, at) => chosen.has(at))
}

/** The same package for another architecture; a package for all of them stays as it is. */
export function forArchitecture(stanza: string, architecture: string): string {
  const own = needField(stanza, 'Architecture')
  if (own === 'all' || own === architecture) return stanza
  return stanza
    .replace(/^Architecture: .*$/m, `Architecture: ${architecture}`)
    .replace(/^(Filename: .*)_[^_]+\.deb$/m, `$1_${architecture}.deb`)
}

/** The same package one version up: `suffix` and a number after the version, in Filename and Source too. */
export function withNewVersion(stanza: string, suffix: string): string {
  const old = needField(stanza, 'Version')
  const next = nextVersion(old, suffix)
  const inName = `_${old.replace(/^\d+:/, '')}_`
  const filename = needField(stanza, 'Filename')
  const cut = filename.lastIndexOf(inName)
  if (cut === -1) throw new Error(`the name of ${filename} does not hold the version ${old}`)
  const nextName = `_${next.replace(/^\d+:/, '')}_`
  const renamed = filename.slice(0, cut) + nextName + filename.slice(cut + inName.length)
  return stanza
    .replace(/^Version: .*$/m, () => `Version: ${next}`)
    .replace(/^Filename: .*$/m, () => `Filename: ${renamed}`)
    .replace(/^Source: (\S+) \((\S+)\)$/m, (_, name, version) => {
      return `Source: ${name} (${nextVersion(version, suffix)})`
    })
}

/** Rewrites relations to just the old version of what has a new one. */
export function followVersions(
  old: readonly string[],
  bumped: readonly string[],
): (stanza: string) => string {
  const next = new Map<string, string>()
  for (const [at, stanza] of bumped.entries()) {
    const before = old[at]
    if (before === undefined || before === stanza) continue
    const key = `${needField(before, 'Package')} (= ${needField(before, 'Version')})`
    next.set(key, `${needField(stanza, 'Package')} (= ${needField(stanza, 'Version')})`)
  }
  return (stanza) =>
    stanza.replace(
      /[a-z0-9][a-z0-9.+-]* \(= [^)]+\)/g,
      (relation) => next.get(relation) ?? relation,
    )
}

function nextVersion(version: string, suffix: string): string {
  const at = version.lastIndexOf(suffix)
  const count = at === -1 ? Number.NaN : Number(version.slice(at + suffix.length))
  return Number.isInteger(count)
    ? `${version.slice(0, at)}${suffix}${count + 1}`
    : `${version}${suffix}1`
}

// Fields that an archive adds to its index and that no .deb carries.
const indexOnly = new Set(['Filename', 'Size', 'MD5sum', 'SHA1', 'SHA256', 'Description-md5'])

/** What the `.deb` of this stanza has as its control file. */
export function controlOf(stanza: string): string {
  const lines: string[] = []
  let isKept = true
  for (const line of stanza.split('\n')) {
    if (line[0] !== ' ' && line[0] !== '\t')
      isKept = !indexOnly.has(line.slice(0, line.indexOf(':')))
    if (isKept) lines.push(line)
  }
  return `${lines.join('\n')}\n`
}

/** The stanza with the size and digests of the `.deb` that was made for it; SHA1 goes, as in Debian's own index. */
export function withDigests(
  stanza: string,
  deb: { readonly sizeBytes: number; readonly md5: string; readonly sha256: string },
): string {
  return stanza
    .replace(/^Size: .*$/m, `Size: ${deb.sizeBytes}`)
    .replace(/^MD5sum: .*$/m, `MD5sum: ${deb.md5}`)
    .replace(/^SHA1: .*\n/m, '')
    .replace(/^SHA256: .*$/m, `SHA256: ${deb.sha256}`)
}
