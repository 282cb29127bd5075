/**
 * Packages by name in any number of suite states. States of a thousand generations share nearly all of their leaves and
 * chunks: each leaf is looked into once for the names that it covers, each chunk that can have one is read once.
 */
import { chunksOfSources } from '../archives/chunk-table.ts'
import { type IndexEntry, type IndexParts, readEntries } from '../archives/index-parts.ts'
import { type Chunk, readLeaves, readRoot } from '../archives/index-tree.ts'
import { type IndexState, readState } from '../archives/suite-state.ts'
import { AppError } from '../base/errors.ts'
import { createLru } from '../base/lru.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { PackagePattern } from './package-pattern.ts'

/** A package of a suite state; a source package has the architecture `source`. */
export interface StatePackage {
  readonly component: string
  readonly package: string
  readonly version: string
  readonly architecture: string
  readonly source: string
  readonly sourceVersion: string
}

export interface PackageFinder {
  /** The packages of the state whose name, or whose source's, matches: each once, under a key that tells it from others. */
  find(state: Sha256): Promise<ReadonlyMap<string, StatePackage>>
}

const LEAVES_AT_ONCE = 64
const MAX_PACKAGES = 20_000

/** A finder that remembers what it read: for one search. `ERR_TOO_LARGE` if too much matches. */
export async function createFinder(
  parts: IndexParts,
  pattern: PackagePattern,
): Promise<PackageFinder> {
  // Without a beginning every chunk is looked into anyway.
  const ofSource =
    pattern.prefix === '' ? new Set<Sha256>() : await chunksOfSources(parts.db, pattern)
  const mayHave = (chunk: Chunk): boolean =>
    pattern.mayLieIn(chunk.first, chunk.last) || ofSource.has(chunk.plain)
  const leaves = new Map<Sha256, readonly Chunk[]>()
  const chunks = new Map<string, readonly Keyed[]>()
  const states = createLru<Sha256, ReadonlyMap<string, StatePackage>>(16)
  let count = 0

  const chunksIn = async (root: Sha256): Promise<Chunk[]> => {
    const list = await readRoot(parts.db, root)
    const unknown = list.filter((leaf) => !leaves.has(leaf))
    for (let at = 0; at < unknown.length; at += LEAVES_AT_ONCE) {
      const read = await readLeaves(parts.db, unknown.slice(at, at + LEAVES_AT_ONCE))
      for (const [leaf, all] of read) leaves.set(leaf, all.filter(mayHave))
      await breathe()
    }
    return list.flatMap((leaf) => leaves.get(leaf) ?? [])
  }
  const packagesIn = async (chunk: Chunk, index: IndexState): Promise<readonly Keyed[]> => {
    const key = `${index.component} ${chunk.plain}`
    const known = chunks.get(key)
    if (known !== undefined) return known
    const entries = await readEntries(parts, chunk, index.kind)
    const found = entries
      .filter(({ name, source }) => pattern.matches(name) || pattern.matches(source))
      .map((entry) => keyed(index.component, entry))
    count += found.length
    if (count > MAX_PACKAGES) throw tooMany(pattern)
    chunks.set(key, found)
    await breathe()
    return found
  }
  return {
    find: async (digest) => {
      const known = states.get(digest)
      if (known !== undefined) return known
      const found = new Map<string, StatePackage>()
      for (const index of (await readState(parts.blobs, digest)).indexes) {
        if (index.kind === 'Translation') continue
        // A package of all architectures stands in the index of each.
        for (const chunk of await chunksIn(index.root))
          for (const [key, one] of await packagesIn(chunk, index)) found.set(key, one)
      }
      states.set(digest, found)
      return found
    },
  }
}

type Keyed = readonly [key: string, one: StatePackage]

function keyed(component: string, entry: IndexEntry): Keyed {
  const { name, version, architecture, source, sourceVersion } = entry
  const one = { component, package: name, version, architecture, source, sourceVersion }
  return [Object.values(one).join(' '), one]
}

function tooMany({ text }: PackagePattern): AppError {
  return new AppError('ERR_TOO_LARGE', {
    message: `${text} matches too many packages`,
    hint: 'say more of the name',
  })
}
