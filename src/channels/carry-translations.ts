/**
 * Translations go with the packages: a state has the entries that its own packages name (name and Description-md5, over
 * all architectures of the component), and no others. Where packages came or went, entries do: from the state that the
 * packages came from, or from what was there before.
 *
 * The cost follows the difference: only names that changed are looked at. A translation that was only reworded comes with
 * the next change of its package, or when all packages of the component are those of the other state.
 */
import {
  descriptionName,
  descriptionsOf,
  entriesNamed,
  namedDescriptions,
} from '../archives/description-names.ts'
import { editIndex } from '../archives/index-edit.ts'
import { chunksAt, type IndexEntry, type IndexParts, readEntries } from '../archives/index-parts.ts'
import { type Chunk, findChunk, measure } from '../archives/index-tree.ts'
import {
  findIndex,
  type IndexName,
  type IndexState,
  indexPath,
  type SuiteState,
} from '../archives/suite-state.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { descriptionMd5Of } from '../debian/translation-index.ts'
import type { IndexDiff } from './diff.ts'

export interface CarryInput {
  /** The state before the change. */
  readonly old: SuiteState | undefined
  /** The states that packages came from, the best first. */
  readonly donors: readonly SuiteState[]
  /** The indexes after the change; of these, `Packages` count. */
  readonly indexes: readonly IndexState[]
  /** What the change was. */
  readonly diffs: readonly IndexDiff[]
}

/** The Translation indexes after the change; their chunks and trees are in the store on return. */
export async function carryTranslations(
  parts: IndexParts,
  input: CarryInput,
): Promise<IndexState[]> {
  const states = [...input.donors, ...(input.old === undefined ? [] : [input.old])]
  const all = states.flatMap((state) => state.indexes.filter((one) => one.kind === 'Translation'))
  const names = new Map(all.map((index) => [indexPath(index), index]))
  const made: IndexState[] = []
  for (const { kind, component, architecture } of names.values()) {
    const name = { kind, component, architecture }
    const root = await carryOne(parts, input, name)
    if (root === undefined) continue
    const { stanzas, plainSize } = measure(await chunksAt(parts, root))
    made.push({ ...name, root, stanzas, plainSize })
  }
  return made
}

async function carryOne(
  parts: IndexParts,
  { old, donors, indexes, diffs }: CarryInput,
  name: IndexName,
): Promise<Sha256 | undefined> {
  const packages = packagesRoots(indexes, name)
  const twin = donors.find((donor) => isSameList(packagesRoots(donor.indexes, name), packages))
  const roots = donors.flatMap((donor) => findIndex(donor, name)?.root ?? [])
  const ofTwin = findIndex(twin, name)?.root
  if (ofTwin !== undefined) return ofTwin
  const before = findIndex(old, name)?.root
  // The language was just switched on: what the packages here name of it.
  if (before === undefined) return roots[0] && filterWhole(parts, roots[0], packages)
  const touched = await touchedNames(parts, diffs, name, [before, ...roots])
  if (touched.size === 0) return before
  const wanted = await descriptionsOf(parts, packages, touched)
  const have = await entriesNamed(parts, { root: before, kind: 'Translation' }, touched)
  const offered: IndexEntry[] = []
  for (const root of roots.filter((one) => one !== before))
    offered.push(...(await entriesNamed(parts, { root, kind: 'Translation' }, touched)))
  const chosen = new Map<string, IndexEntry>()
  for (const entry of [...offered, ...have]) {
    const key = keyOf(entry)
    if (wanted.has(key) && !chosen.has(key)) chosen.set(key, entry)
  }
  const isHere = (entry: IndexEntry): boolean =>
    have.some((one) => keyOf(one) === keyOf(entry) && one.text.equals(entry.text))
  return editIndex(parts, before, {
    remove: have.filter((entry) => !chosen.has(keyOf(entry))),
    add: [...chosen.values()].filter((entry) => !isHere(entry)),
  })
}

/** Of an entry to be removed: with its own it would keep the text of its whole chunk in memory. */
const NO_TEXT = Buffer.alloc(0)

/** The index at `root` without the entries that these packages do not name. */
async function filterWhole(
  parts: IndexParts,
  root: Sha256,
  packages: readonly Sha256[],
): Promise<Sha256> {
  const wanted = await namedDescriptions(parts, packages)
  const remove: IndexEntry[] = []
  for (const [at, chunk] of (await chunksAt(parts, root)).entries()) {
    for (const entry of await readEntries(parts, chunk, 'Translation'))
      if (!wanted.has(keyOf(entry))) remove.push({ ...entry, text: NO_TEXT })
    if (at % 50 === 0) await breathe()
  }
  return editIndex(parts, root, { remove, add: [] })
}

function packagesRoots(indexes: readonly IndexState[], { component }: IndexName): Sha256[] {
  return indexes
    .filter((index) => index.kind === 'Packages' && index.component === component)
    .map((index) => index.root)
    .sort()
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, at) => one === b[at])
}

/**
 * Names of the packages of the component whose entries may change: those that changed, but for the ones that name the
 * descriptions that they named, where the entries of all states stand in the same chunk.
 */
async function touchedNames(
  parts: IndexParts,
  diffs: readonly IndexDiff[],
  { component }: IndexName,
  roots: readonly Sha256[],
): Promise<Set<string>> {
  const own = diffs.filter((diff) => diff.kind === 'Packages' && diff.component === component)
  const gone = described(own.flatMap(({ removed }) => removed))
  const come = described(own.flatMap(({ added }) => added))
  const lists: (readonly Chunk[])[] = []
  for (const root of roots) lists.push(await chunksAt(parts, root))
  return new Set(
    [...new Set([...gone.keys(), ...come.keys()])].filter((name) => {
      const places = new Set(lists.map((chunks) => findChunk(chunks, name)?.plain))
      return places.size > 1 || !isSameSet(gone.get(name), come.get(name))
    }),
  )
}

/** The descriptions that these packages name, by their names. */
function described(entries: readonly IndexEntry[]): Map<string, Set<string | undefined>> {
  const named = new Map<string, Set<string | undefined>>()
  for (const { name, text } of entries) {
    const known = named.get(name) ?? new Set()
    named.set(name, known.add(descriptionMd5Of(text, 0, text.length)))
  }
  return named
}

function isSameSet<T>(a: ReadonlySet<T> | undefined, b: ReadonlySet<T> | undefined): boolean {
  return (
    a !== undefined && b !== undefined && a.size === b.size && [...a].every((one) => b.has(one))
  )
}

function keyOf({ name, version }: IndexEntry): string {
  return descriptionName(name, version)
}
