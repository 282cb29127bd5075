/**
 * Generations as they are served: Release files ready in memory, indexes by their names.
 *
 * The head of each channel is held here and swapped by one assignment after its transaction; requests ask no database
 * for it. Older generations are read when somebody wants them.
 */

import { type Bell, createBell } from '../archives/bell.ts'
import { noteChange } from '../archives/changes.ts'
import type { IndexParts } from '../archives/index-parts.ts'
import { type FileDigest, indexPath, readState } from '../archives/suite-state.ts'
import { createLru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import { getRelease } from '../signing/publication-table.ts'
import { readRows } from '../store/blobs.ts'
import { type Channel, listChannels } from './channel-table.ts'
import { type GenerationSuite, listGenerationSuites } from './generation-table.ts'
import { describeIndex, type IndexForms } from './index-forms.ts'
import { listPdiffIndexes } from './pdiff-table.ts'

/** One suite of a generation, ready to be served. */
export interface SuiteView {
  readonly archive: string
  readonly suite: string
  /** The names by which a client's line may call it: its path, its Suite, its Codename. */
  readonly names: readonly string[]
  readonly state: Sha256
  readonly releaseId: number
  /** Epoch seconds: Date, and Last-Modified of all that is called by name. */
  readonly date: number
  readonly validUntil: number
  readonly inRelease: Buffer
  readonly release: Buffer
  readonly releaseGpg: Buffer
  /** Fingerprints of the keys that signed. */
  readonly signedBy: readonly string[]
  /** `main/binary-amd64/Packages.gz` -> its forms. */
  readonly indexes: ReadonlyMap<string, IndexForms>
  /** `main/binary-amd64/Packages.diff/Index` -> blob. */
  readonly pdiffs: ReadonlyMap<string, FileDigest>
  /** Files that are listed as they are: path -> blob. */
  readonly extras: ReadonlyMap<string, FileDigest>
}

/** A generation, ready to be served: archive -> any name of a suite -> suite. */
export interface GenerationView {
  readonly channel: string
  readonly serial: number
  readonly archives: ReadonlyMap<string, ReadonlyMap<string, SuiteView>>
  readonly suites: readonly SuiteView[]
}

export interface Views {
  /** The generation that the channel serves. */
  head(channel: string): GenerationView | undefined
  setHead(view: GenerationView): void
  /** Of all channels. */
  heads(): Iterable<GenerationView>
  /** Rings when a head was set, dropped or renamed. */
  readonly flips: Bell
  drop(channel: string): void
  /** What was served under the first name is served under the second, from now on and at no time under both. */
  rename(channel: string, name: string): void
  /** Any generation; undefined if the channel never had it, or keeps it no more. */
  at(channel: Channel, serial: number): Promise<GenerationView | undefined>
}

/** The heads of all channels, read from the database. */
export async function openViews(parts: IndexParts): Promise<Views> {
  const heads = new Map<string, GenerationView>()
  const flips = createBell()
  const older = createLru<string, GenerationView>(64)
  const at = async (channel: Channel, serial: number): Promise<GenerationView | undefined> => {
    const head = heads.get(channel.name)
    if (head?.serial === serial) return head
    const key = `${channel.id} ${serial}`
    const list = (): Promise<GenerationSuite[]> =>
      listGenerationSuites(parts.db, channel.id, serial)
    // Asked each time: what was dropped must not be copied or rolled back to, since its content goes.
    const rows = await list()
    if (rows.length === 0) return undefined
    const known = older.get(key)
    // It may have been read when the channel had another name.
    if (known !== undefined) return { ...known, channel: channel.name }
    try {
      const view = await loadGeneration(parts, channel.name, serial, rows)
      older.set(key, view)
      return view
    } catch (error) {
      // Dropped while it was read.
      if ((await list()).length === 0) return undefined
      throw error
    }
  }
  for (const channel of await listChannels(parts.db)) {
    const rows = await listGenerationSuites(parts.db, channel.id, channel.head)
    if (rows.length === 0) continue
    heads.set(channel.name, await loadGeneration(parts, channel.name, channel.head, rows))
  }
  return {
    head: (channel) => heads.get(channel),
    setHead: (view) => {
      heads.set(view.channel, view)
      noteChange('heads')
      flips.ring()
    },
    heads: () => heads.values(),
    flips,
    drop: (channel) => {
      heads.delete(channel)
      noteChange('heads')
      flips.ring()
    },
    rename: (channel, name) => {
      const head = heads.get(channel)
      heads.delete(channel)
      if (head !== undefined) heads.set(name, { ...head, channel: name })
      noteChange('heads')
      flips.ring()
    },
    at,
  }
}

/** Puts suites together to what is served. */
export function viewOf(
  channel: string,
  serial: number,
  suites: readonly SuiteView[],
): GenerationView {
  const archives = new Map<string, Map<string, SuiteView>>()
  for (const suite of suites) {
    const names = archives.get(suite.archive) ?? new Map<string, SuiteView>()
    archives.set(suite.archive, names)
    for (const name of suite.names) if (!names.has(name)) names.set(name, suite)
  }
  // Its own path wins over what another suite of the archive calls itself.
  for (const suite of suites) archives.get(suite.archive)?.set(suite.suite, suite)
  return { channel, serial, archives, suites }
}

async function loadGeneration(
  parts: IndexParts,
  channel: string,
  serial: number,
  rows: readonly GenerationSuite[],
): Promise<GenerationView> {
  const suites: SuiteView[] = []
  for (const row of rows) {
    const state = await readState(parts.blobs, row.state)
    const signed = await getRelease(parts.db, row.releaseId)
    const files = [signed.inRelease, signed.release, signed.releaseGpg]
    const [inRelease, release, releaseGpg] = await readRows(parts.db, files)
    if (inRelease === undefined || release === undefined || releaseGpg === undefined) continue
    const indexes = new Map<string, IndexForms>()
    for (const index of state.indexes) {
      indexes.set(`${indexPath(index)}.gz`, await describeIndex(parts, index.root))
    }
    suites.push({
      archive: row.archive,
      suite: row.suite,
      names: suiteNames(row.suite, release),
      state: row.state,
      releaseId: signed.id,
      date: signed.date,
      validUntil: signed.validUntil,
      inRelease,
      release,
      releaseGpg,
      signedBy: signed.signedBy,
      indexes,
      pdiffs: await listPdiffIndexes(parts.db, signed.id),
      extras: new Map(Object.entries(state.extras ?? {})),
    })
  }
  return viewOf(channel, serial, suites)
}

/** The names that a client's line may use: the suite's path, and what its Release says of Suite and Codename. */
export function suiteNames(suite: string, release: Buffer): string[] {
  const head = release.toString('utf8', 0, 4096)
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: (.+)$`, 'm').exec(head)?.[1]
  const names = [suite, field('Suite'), field('Codename')]
  return [...new Set(names.filter((name) => name !== undefined))]
}
