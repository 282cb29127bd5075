/**
 * How one generation differs from another, to be looked at: source packages with their versions, the binary packages
 * that come, go or change, and if asked for the fields of the control file in which these differ.
 *
 * A suite that only one of the two has is told as a whole.
 */
import type { IndexEntry, IndexParts } from '../archives/index-parts.ts'
import { readState, type SuiteState } from '../archives/suite-state.ts'
import { fieldLines, fieldText } from '../debian/control.ts'
import { compareVersions } from '../debian/version.ts'
import { changesOf, diffStates, type IndexDiff } from './diff.ts'
import type { SourceChange } from './generation-table.ts'
import type { GenerationView } from './views.ts'

/** A field of the control file, and what it says; absent where the stanza has no such field. */
export interface FieldDifference {
  readonly field: string
  readonly old?: string | undefined
  readonly new?: string | undefined
}

/** A binary package (or, with the architecture `source`, the source package itself) in both; one version is absent where it comes or goes. */
export interface PackageDifference {
  readonly package: string
  readonly architecture: string
  readonly old?: string | undefined
  readonly new?: string | undefined
  /** Of a package that is in both, if asked for; empty where its files differ and nothing else. */
  readonly fields?: readonly FieldDifference[] | undefined
}

export interface SourceDifference extends SourceChange {
  readonly packages: readonly PackageDifference[]
}

/** A suite that only one side has. */
export interface LoneSuite {
  readonly archive: string
  readonly suite: string
  readonly side: 'from' | 'to'
  readonly packages: number
}

export interface GenerationDifference {
  readonly changes: readonly SourceDifference[]
  readonly loneSuites: readonly LoneSuite[]
}

/** The fields that say where the file is, and those that every new version changes. */
const untold = new Set(['filename', 'directory', 'size', 'sha256', 'checksums-sha256', 'version'])

/** How `to` differs from `from`, whatever the phasing of either. */
export async function compareGenerations(
  parts: IndexParts,
  from: GenerationView,
  to: GenerationView,
  { fields }: { readonly fields: boolean },
): Promise<GenerationDifference> {
  const changes: SourceDifference[] = []
  const loneSuites: LoneSuite[] = []
  const names = new Map(
    [...from.suites, ...to.suites].map((one) => [`${one.archive} ${one.suite}`, one]),
  )
  for (const { archive, suite } of names.values()) {
    const [left, right] = [
      await stateOf(parts, from, archive, suite),
      await stateOf(parts, to, archive, suite),
    ]
    if (left !== undefined && right !== undefined) {
      const diffs = await diffStates(parts, left, right, 'all', 'ignored')
      const packages = packagesOf(diffs, fields)
      for (const change of changesOf({ archive, suite }, diffs))
        changes.push({ ...change, packages: packages.get(change.source) ?? [] })
      continue
    }
    const indexes = (left ?? right)?.indexes ?? []
    const count = indexes
      .filter(({ kind }) => kind === 'Packages')
      .reduce((sum, one) => sum + one.stanzas, 0)
    loneSuites.push({ archive, suite, side: left === undefined ? 'to' : 'from', packages: count })
  }
  return { changes, loneSuites }
}

async function stateOf(
  { blobs }: IndexParts,
  view: GenerationView,
  archive: string,
  suite: string,
): Promise<SuiteState | undefined> {
  const found = view.suites.find((one) => one.archive === archive && one.suite === suite)
  return found && readState(blobs, found.state)
}

/** The stanzas of one package for one architecture that only one side has, by version. */
interface Sides {
  readonly source: string
  readonly removed: Map<string, IndexEntry>
  readonly added: Map<string, IndexEntry>
}

/** What stands on the one side for what on the other; one of them is absent where a package comes or goes. */
export type EntryPair = readonly [old: IndexEntry | undefined, new: IndexEntry | undefined]

/** By source package. A package of all architectures stands in the index of each: it is told once. */
export function entryPairs(diffs: readonly IndexDiff[]): Map<string, EntryPair[]> {
  const sides = new Map<string, Sides>()
  for (const diff of diffs) {
    for (const side of ['removed', 'added'] as const) {
      for (const entry of diff[side]) {
        const key = [entry.source, entry.name, entry.architecture].join(' ')
        const known = sides.get(key) ?? {
          source: entry.source,
          removed: new Map(),
          added: new Map(),
        }
        sides.set(key, known)
        known[side].set(entry.version, entry)
      }
    }
  }
  const found = new Map<string, EntryPair[]>()
  for (const one of sides.values()) {
    const list = found.get(one.source) ?? []
    found.set(one.source, list)
    list.push(...pairs(one))
  }
  return found
}

function packagesOf(
  diffs: readonly IndexDiff[],
  fields: boolean,
): Map<string, PackageDifference[]> {
  const all = [...entryPairs(diffs)].map(
    ([source, list]) => [source, list.map((pair) => differenceOf(pair, fields))] as const,
  )
  for (const [, list] of all) list.sort(byName)
  return new Map(all)
}

/** What stands for what: the same version first, then the newest of both; what is left comes or goes. */
function pairs({ removed, added }: Sides): EntryPair[] {
  const made: EntryPair[] = []
  for (const [version, entry] of removed) {
    const same = added.get(version)
    if (same === undefined) continue
    made.push([entry, same])
    removed.delete(version)
    added.delete(version)
  }
  const [old, fresh] = [newestFirst(removed), newestFirst(added)]
  for (let at = 0; at < Math.max(old.length, fresh.length); at++) made.push([old[at], fresh[at]])
  return made
}

function newestFirst(entries: ReadonlyMap<string, IndexEntry>): IndexEntry[] {
  return [...entries.values()].sort((a, b) => compareVersions(b.version, a.version))
}

function differenceOf([old, fresh]: EntryPair, fields: boolean): PackageDifference {
  const { name = '', architecture = '' } = fresh ?? old ?? {}
  const one = { package: name, architecture, old: old?.version, new: fresh?.version }
  const isInBoth = old !== undefined && fresh !== undefined
  return isInBoth && fields ? { ...one, fields: fieldsOf(old, fresh) } : one
}

function fieldsOf(old: IndexEntry, fresh: IndexEntry): FieldDifference[] {
  const [left, right] = [fieldsIn(old.text), fieldsIn(fresh.text)]
  return [...new Map([...left, ...right])].flatMap(([key, { field }]) => {
    const [before, after] = [left.get(key)?.value, right.get(key)?.value]
    return untold.has(key) || before === after ? [] : [{ field, old: before, new: after }]
  })
}

/** The fields of a stanza under their names in lower case. */
function fieldsIn(text: Buffer): Map<string, { readonly field: string; readonly value: string }> {
  const fields = new Map<string, { field: string; value: string }>()
  const places = fieldLines(text, 0, text.length)
  for (let at = 0; at < places.length; at += 3) {
    const [start = 0, nameEnd = 0, end = 0] = places.slice(at, at + 3)
    const field = text.toString('latin1', start, nameEnd)
    fields.set(field.toLowerCase(), { field, value: fieldText(text, nameEnd, end) })
  }
  return fields
}

function byName(a: PackageDifference, b: PackageDifference): number {
  const [left, right] = [`${a.package} ${a.architecture}`, `${b.package} ${b.architecture}`]
  return left < right ? -1 : Number(left > right)
}
