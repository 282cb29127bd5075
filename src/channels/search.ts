/**
 * Where a package is: which channels hold which versions of it, now and in the generations that are kept, by the name of
 * a binary or a source package.
 */
import type { IndexParts } from '../archives/index-parts.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { compareVersions } from '../debian/version.ts'
import { type Channel, isClass, listChannels } from './channel-table.ts'
import { createFinder, type PackageFinder, type StatePackage } from './find-packages.ts'
import {
  listNamedSuites,
  listSerials,
  type NamedSuite,
  type SerialTime,
} from './generation-removal.ts'
import { parsePattern } from './package-pattern.ts'
import type { GenerationView } from './views.ts'

/** Where a package stands. */
interface Place extends StatePackage {
  readonly channel: string
  readonly archive: string
  readonly suite: string
}

export interface FoundPackage extends Place {
  readonly serial: number
}

/** A run of generations, with none between, that have a package. */
export interface PackageRun extends Place {
  readonly since: SerialTime
  /** The last that has it, and when the next one came; that is not there for the head. */
  readonly until: { readonly serial: number; readonly replacedAt?: number | undefined }
}

/** The packages of these generations whose name, or whose source's, is `name` or matches it. */
export async function searchPackages(
  parts: IndexParts,
  views: readonly GenerationView[],
  name: string,
): Promise<FoundPackage[]> {
  const finder = await createFinder(parts, parsePattern(name))
  const found: FoundPackage[] = []
  for (const { channel, serial, suites } of views) {
    for (const { archive, suite, state } of suites) {
      const where = { channel, serial, archive, suite }
      for (const one of (await finder.find(state)).values()) found.push({ ...where, ...one })
    }
  }
  return found
}

/** The newest version of the source package of this name, or of a binary package's of this name. */
export async function newestSource(
  parts: IndexParts,
  view: GenerationView,
  name: string,
): Promise<{ archive: string; source: string; version: string } | undefined> {
  const found = await searchPackages(parts, [view], name)
  const ofSource = found.filter((one) => one.source === name)
  const [newest] = (ofSource.length > 0 ? ofSource : found)
    .filter((one) => one.architecture !== 'source')
    .sort((a, b) => compareVersions(b.sourceVersion, a.sourceVersion))
  if (newest === undefined) return undefined
  return { archive: newest.archive, source: newest.source, version: newest.sourceVersion }
}

/** The same through all generations that are kept, of all channels or of one: newest runs first. */
export async function searchHistory(
  parts: IndexParts,
  input: { readonly name: string; readonly channel?: string | undefined },
): Promise<PackageRun[]> {
  const finder = await createFinder(parts, parsePattern(input.name))
  const runs: PackageRun[] = []
  for (const channel of await listChannels(parts.db)) {
    const isWanted =
      input.channel === undefined ? !isClass(channel) : input.channel === channel.name
    if (isWanted) runs.push(...(await runsOf(parts, finder, channel)))
  }
  return runs
}

/** What a suite has from a generation on, and each package of it since when. */
interface OpenSuite {
  readonly archive: string
  readonly suite: string
  readonly state: Sha256
  readonly found: ReadonlyMap<string, StatePackage>
  readonly since: ReadonlyMap<string, SerialTime>
}

/** Generations are gone through from the oldest on; where the state of a suite stays, nothing is looked at. */
async function runsOf(
  parts: IndexParts,
  finder: PackageFinder,
  channel: Channel,
): Promise<PackageRun[]> {
  const serials = (await listSerials(parts.db, channel.id)).reverse()
  const named = await suitesBySerial(parts, channel, serials)
  const runs: PackageRun[] = []
  let open: ReadonlyMap<string, OpenSuite> = new Map()
  for (const [at, generation] of serials.entries()) {
    const now = new Map<string, OpenSuite>()
    for (const suite of named.get(generation.serial) ?? []) {
      const name = `${suite.archive} ${suite.suite}`
      now.set(name, await continued(finder, open.get(name), suite, generation))
    }
    const last = serials[at - 1]
    const until = last && { serial: last.serial, replacedAt: generation.madeAt }
    if (until !== undefined) runs.push(...endedRuns(channel, open, now, until))
    open = now
    await breathe()
  }
  const newest = serials.at(-1)
  const head = newest && { serial: newest.serial }
  if (head !== undefined) runs.push(...endedRuns(channel, open, new Map(), head))
  return runs.sort((a, b) => b.until.serial - a.until.serial)
}

async function suitesBySerial(
  { db }: IndexParts,
  channel: Channel,
  serials: readonly SerialTime[],
): Promise<Map<number, (NamedSuite & { readonly state: Sha256 })[]>> {
  const all = serials.map((one) => one.serial)
  const suites = (await listNamedSuites(db, channel.id, all)).flatMap(({ state, ...suite }) =>
    state === undefined ? [] : [{ ...suite, state }],
  )
  return Map.groupBy(suites, ({ serial }) => serial)
}

async function continued(
  finder: PackageFinder,
  before: OpenSuite | undefined,
  { archive, suite, state }: Pick<OpenSuite, 'archive' | 'suite' | 'state'>,
  generation: SerialTime,
): Promise<OpenSuite> {
  if (before?.state === state) return before
  const found = await finder.find(state)
  const since = new Map<string, SerialTime>()
  for (const key of found.keys()) since.set(key, before?.since.get(key) ?? generation)
  return { archive, suite, state, found, since }
}

/** What the generation `until` had, and the one after it has not. */
function endedRuns(
  channel: Channel,
  open: ReadonlyMap<string, OpenSuite>,
  now: ReadonlyMap<string, OpenSuite>,
  until: PackageRun['until'],
): PackageRun[] {
  const runs: PackageRun[] = []
  for (const [name, before] of open) {
    const after = now.get(name)
    if (after === before) continue
    const { archive, suite } = before
    for (const [key, one] of before.found) {
      const since = before.since.get(key)
      if (after?.found.has(key) || since === undefined) continue
      runs.push({ channel: channel.name, archive, suite, ...one, since, until })
    }
  }
  return runs
}
