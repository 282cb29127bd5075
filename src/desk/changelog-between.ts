/**
 * The changelog of a source package as a channel has it: the whole text, or the entries that came since the version that
 * another channel has. Its package is fetched if it is not here: somebody asked for this one.
 */
import { isUtf8 } from 'node:buffer'
import type { Changelogs } from '../archives/changelogs.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { breathe } from '../base/mutex.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { findGeneration } from '../channels/generation-name.ts'
import { newestSource } from '../channels/search.ts'
import type { GenerationView } from '../channels/views.ts'
import {
  type ChangelogEntry,
  cvesIn,
  decodeChangelog,
  entriesSince,
  highestUrgency,
  readChangelogEntries,
} from '../debian/changelog-entries.ts'
import { compareVersions, withoutEpoch } from '../debian/version.ts'

export interface ChangelogParts extends ChannelParts {
  readonly changelogs: Changelogs
}

export interface ChangelogInput {
  /** Of a source package, or of a binary one of it. */
  readonly name: string
  /** `testing`, `testing@41`. */
  readonly from: string
  /** Where the other version is: only what is newer than it is told. */
  readonly to?: string | undefined
}

/** Which source package, in which version of the newest that the channel has. */
export interface ChangelogOf {
  readonly from: GenerationView
  readonly archive: string
  readonly source: string
  readonly version: string
  /** False if some of the text is not UTF-8, and was read as Latin-1. */
  readonly isUtf8: boolean
}

export interface WholeChangelog extends ChangelogOf {
  readonly changelog: string
}

export interface NewChangelog extends ChangelogOf {
  readonly to: GenerationView
  /** The version that the other channel has; absent if it has none: then the newest entry is told alone. */
  readonly old?: string | undefined
  /** Whether that is as new, or newer. */
  readonly isAsNew: boolean
  /** The highest of the entries; `unknown` if none is told. */
  readonly urgency: string
  readonly entries: readonly (ChangelogEntry & { readonly cves: readonly string[] })[]
}

/** The changelog; `ERR_NOT_FOUND` if the channel has no such package, or its packages have no changelog. */
export async function readChangelogOf(
  parts: ChangelogParts,
  { name, from, to }: ChangelogInput,
  abortable: Abortable = {},
): Promise<WholeChangelog | NewChangelog> {
  const view = await findGeneration(parts, from)
  const found = await newestSource(parts, view, name)
  if (found === undefined) {
    throw new AppError('ERR_NOT_FOUND', {
      message: `${from} holds no binary or source package ${name}`,
      hint: `sluice search ${name} --history`,
    })
  }
  const other = to === undefined ? undefined : await findGeneration(parts, to)
  const { archive, source, version } = found
  const wanted = { archive, source, version: withoutEpoch(version) }
  const bytes = await parts.changelogs.read(wanted, abortable)
  const text = await decodeWhole(bytes)
  const of = { from: view, archive, source, version, isUtf8: isUtf8(bytes) }
  if (other === undefined) return { ...of, changelog: text }
  const old = (await newestSource(parts, other, source))?.version
  const isAsNew = old !== undefined && compareVersions(old, version) >= 0
  const entries: NewChangelog['entries'][number][] = []
  for (const entry of entriesSince(readChangelogEntries(text), old, version)) {
    entries.push({ ...entry, cves: cvesIn(entry.text) })
    await breathe()
  }
  return { ...of, to: other, old, isAsNew, urgency: highestUrgency(entries), entries }
}

const PIECE_BYTES = 256 * 1024

/** Some megabytes at most, a piece at a time where it is not plain UTF-8. */
async function decodeWhole(bytes: Buffer): Promise<string> {
  if (isUtf8(bytes)) return bytes.toString()
  const pieces: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(0x0a, at + PIECE_BYTES)
    const end = found < 0 ? bytes.length : found + 1
    pieces.push(decodeChangelog(bytes.subarray(at, end)).text)
    at = end
    await breathe()
  }
  return pieces.join('')
}
