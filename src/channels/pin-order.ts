/**
 * Whether what was promoted to a derived channel is newer than what its base has: by the version of the source in Debian's
 * order; where that is the same (a binNMU), by those of the binary packages that both have.
 *
 * A removal is as new as what it removed: a newer version in the base ends it.
 */
import type { IndexParts } from '../archives/index-parts.ts'
import { readState, type SuiteState } from '../archives/suite-state.ts'
import { compareVersions } from '../debian/version.ts'
import { entriesOfSource } from './diff.ts'
import type { Pin } from './pin-table.ts'

/** Whether the pin's content is newer than what the state has of its source. */
export async function isAhead(
  parts: IndexParts,
  pin: Pick<Pin, 'source' | 'state' | 'old' | 'new'>,
  base: SuiteState,
): Promise<boolean> {
  const below = await contentOf(parts, base, pin.source)
  if (below.newest === undefined) return pin.new.length > 0
  const newest = pin.new.at(-1) ?? pin.old.at(-1)
  if (newest === undefined) return false
  const order = compareVersions(newest, below.newest)
  if (order !== 0) return order > 0
  if (pin.new.length === 0) return true
  const own = await contentOf(parts, await readState(parts.blobs, pin.state), pin.source)
  return hasNewerBinary(own.binaries, below.binaries)
}

/** All versions that the state has of a source, the newest last. */
export async function versionsIn(
  parts: IndexParts,
  state: SuiteState,
  source: string,
): Promise<string[]> {
  const found = await entriesOfSource(parts, state, source)
  const versions = found.flatMap(({ entries }) => entries.map((entry) => entry.sourceVersion))
  return [...new Set(versions)].sort(compareVersions)
}

interface SourceContent {
  /** The newest version of the source; undefined where it is absent. */
  readonly newest: string | undefined
  /** `name architecture` -> newest version. */
  readonly binaries: ReadonlyMap<string, string>
}

async function contentOf(
  parts: IndexParts,
  state: SuiteState,
  source: string,
): Promise<SourceContent> {
  let newest: string | undefined
  const binaries = new Map<string, string>()
  for (const { index, entries } of await entriesOfSource(parts, state, source)) {
    for (const { name, version, sourceVersion } of entries) {
      newest = newer(newest, sourceVersion)
      const key = `${name} ${index.architecture}`
      binaries.set(key, newer(binaries.get(key), version))
    }
  }
  return { newest, binaries }
}

function newer(known: string | undefined, version: string): string {
  return known === undefined || compareVersions(known, version) < 0 ? version : known
}

function hasNewerBinary(own: SourceContent['binaries'], below: SourceContent['binaries']): boolean {
  let isNewer = false
  for (const [key, version] of own) {
    const other = below.get(key)
    const order = other === undefined ? 0 : compareVersions(version, other)
    if (order < 0) return false
    if (order > 0) isNewer = true
  }
  return isNewer
}
