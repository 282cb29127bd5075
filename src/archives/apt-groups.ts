/**
 * What becomes of apt sources on the first start: an archive for each URI and trust, with a name of its own.
 */
import type { AptSource, SignedBy } from './apt-source.ts'

/** What is to become one archive. */
export interface GroupedSource {
  readonly name: string
  readonly uri: string
  readonly suites: readonly string[]
  /** All that any of its suites is used with. */
  readonly components: readonly string[]
  /** Whether a deb-src names any of them. */
  readonly hasSources: boolean
  readonly architectures: readonly string[]
  readonly signedBy: SignedBy
  readonly checkValidUntil: boolean
  readonly checkDate: boolean
}

const maxNameLength = 58

/** The last part of the URI's path, else the host with dashes for dots: begins with a letter or digit, all lower case. */
export function archiveName(uri: string): string {
  const url = new URL(uri)
  const last = url.pathname.split('/').findLast((part) => part !== '')
  return toName(decode(last ?? '')) ?? toName(url.hostname.replaceAll('.', '-')) ?? 'archive'
}

/** One group for each URI and trust, in the order of the sources; its name is its own (`debian`, `debian-2`). */
export function groupSources(sources: readonly AptSource[]): GroupedSource[] {
  const groups = new Map<string, AptSource[]>()
  for (const source of sources) {
    const key = JSON.stringify([source.uri, source.signedBy, source.checkValidUntil])
    groups.set(key, [...(groups.get(key) ?? []), source])
  }
  const names = new Set<string>()
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const wanted = archiveName(first.uri)
    let name = wanted
    for (let next = 2; names.has(name); next += 1) name = `${wanted}-${next}`
    names.add(name)
    const union = (pick: (source: AptSource) => readonly string[]): string[] => [
      ...new Set(group.flatMap(pick)),
    ]
    return {
      name,
      uri: first.uri,
      suites: union((source) => [source.suite]),
      components: union((source) => source.components),
      hasSources: group.some((source) => source.hasSources),
      architectures: union((source) => source.architectures),
      signedBy: first.signedBy,
      checkValidUntil: first.checkValidUntil,
      checkDate: first.checkDate,
    }
  })
}

function toName(text: string): string | undefined {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.+-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, maxNameLength)
  return name === '' ? undefined : name
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
