/**
 * Which suites of a channel machines have side by side, so that packages of the one may need packages of the other.
 *
 * Suites of one release go together, of whatever archive: those whose codename (or whose path, without one) begins with
 * the same word: `bookworm`, `bookworm-updates`, `bookworm-security`, and another archive's `bookworm`. What has no system
 * of its own (no package `dpkg`) goes with each release that has one: `nodistro`, `stable` of somebody's tools. Other
 * releases are apart: no machine has `bookworm` and `trixie`. What apt takes only on demand (NotAutomatic: backports) is
 * there for itself and is no help to others: each such suite is looked at beside those that come by themselves.
 */
import { readStanza } from '../archives/index-kinds.ts'
import { chunksAt, type IndexParts, readChunk } from '../archives/index-parts.ts'
import { findChunk } from '../archives/index-tree.ts'
import { binaryIndexes, type SuiteState } from '../archives/suite-state.ts'
import { splitStanzas } from '../debian/control.ts'

/** Suites that machines have together. */
export interface Surroundings {
  /** `bookworm` */
  readonly release: string
  readonly suites: readonly SuiteState[]
}

/** All that machines may have of these suites of a channel. */
export async function sideBySide(
  parts: IndexParts,
  suites: readonly SuiteState[],
): Promise<Surroundings[]> {
  const groups = [...Map.groupBy(suites, releaseOf)]
  const whole: typeof groups = []
  for (const one of groups) {
    if (groups.length === 1 || (await hasSystem(parts, one[1]))) whole.push(one)
  }
  const besides = groups.filter((one) => !whole.includes(one)).flatMap(([, some]) => some)
  const releases = whole.length > 0 ? whole : [['', []] as const]
  return releases.flatMap(([release, own]) => {
    const all = [...own, ...besides]
    const automatic = all.filter(({ identity }) => !identity.notAutomatic)
    const onDemand = all.filter(({ identity }) => identity.notAutomatic)
    return [
      { release, suites: automatic },
      ...onDemand.map((suite) => ({ release, suites: [...automatic, suite] })),
    ].filter((one) => one.suites.length > 0)
  })
}

function releaseOf({ suite, identity }: SuiteState): string {
  return (identity.codename ?? suite).split(/[-/]/)[0] ?? suite
}

/** Whether a system can be made of one of them: every one has dpkg. */
async function hasSystem(parts: IndexParts, suites: readonly SuiteState[]): Promise<boolean> {
  for (const index of suites
    .filter(({ identity }) => !identity.notAutomatic)
    .flatMap(binaryIndexes)) {
    const chunk = findChunk(await chunksAt(parts, index.root), 'dpkg')
    if (chunk === undefined) continue
    const text = await readChunk(parts, chunk)
    const ranges = splitStanzas(text)
    for (let at = 0; at < ranges.length; at += 2) {
      const [start = 0, end = 0] = ranges.subarray(at, at + 2)
      if (readStanza('Packages', text, { start, end }).name === 'dpkg') return true
    }
  }
  return false
}
