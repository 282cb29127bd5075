/**
 * Which binary package of a source stands for which: the same name and architecture; and where a name has a number in it that
 * changed (libssl1.1 and libssl3, linux-image-6.1.0-18-amd64 and -20-), the one that goes and the one that comes, if there
 * is just one of each.
 */
import type { IndexEntry } from '../archives/index-parts.ts'
import type { EntryPair } from '../channels/compare.ts'
import type { NamedFile } from '../channels/needed-files.ts'

/** One is absent where a package comes or goes. */
export interface PackagePair {
  readonly old?: NamedFile | undefined
  readonly new?: NamedFile | undefined
}

/** Pairs of these architectures and of all, sorted by name. */
export function pairPackages(
  pairs: readonly EntryPair[],
  architectures: readonly string[],
): PackagePair[] {
  const files = pairs.map(([old, fresh]) => ({ old: fileOf(old), new: fileOf(fresh) }))
  const wanted = files.filter(({ old, new: fresh }) => {
    const architecture = (fresh ?? old)?.architecture ?? ''
    return architecture === 'all' || architectures.includes(architecture)
  })
  return withRenamed(wanted).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

function fileOf(entry: IndexEntry | undefined): NamedFile | undefined {
  const file = entry?.files[0]
  if (entry === undefined || file === undefined) return undefined
  const { name, version, architecture } = entry
  return { package: name, version, architecture, sha256: file.sha256, size: file.size }
}

function keyOf({ old, new: fresh }: PackagePair): string {
  const { package: name = '', architecture = '' } = fresh ?? old ?? {}
  return `${name} ${architecture}`
}

function withRenamed(pairs: readonly PackagePair[]): PackagePair[] {
  const gone = byStem(pairs.flatMap((pair) => (pair.new === undefined ? (pair.old ?? []) : [])))
  const fresh = byStem(pairs.flatMap((pair) => (pair.old === undefined ? (pair.new ?? []) : [])))
  const partners = new Map<NamedFile, NamedFile>()
  for (const [stem, [one, ...others]] of fresh) {
    const [old, ...more] = gone.get(stem) ?? []
    if (one === undefined || old === undefined || others.length + more.length > 0) continue
    partners.set(one, old)
  }
  const taken = new Set(partners.values())
  return pairs
    .filter(({ old, new: one }) => one !== undefined || old === undefined || !taken.has(old))
    .map((pair) => {
      const old = pair.new && partners.get(pair.new)
      return old === undefined ? pair : { old, new: pair.new }
    })
}

/** By the name without its numbers. */
function byStem(files: readonly NamedFile[]): Map<string, NamedFile[]> {
  const found = new Map<string, NamedFile[]>()
  for (const file of files) {
    const stem = `${file.package.replaceAll(/[0-9]+([.+~-]?[0-9]+)*/g, '#')} ${file.architecture}`
    found.set(stem, [...(found.get(stem) ?? []), file])
  }
  return found
}
