/**
 * What machines get after something was revoked: which other versions of it each channel has, and which it had before, to be
 * promoted again. No channel goes back to one by itself: what was replaced was replaced for a reason.
 */
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import { compareVersions } from '../debian/version.ts'
import type { ChannelParts } from './channel-parts.ts'
import { findChannelById, isClass, listChannels } from './channel-table.ts'
import { listHolds } from './hold-end.ts'
import type { CleanedChannel } from './revoke.ts'
import { type PackageRun, searchHistory } from './search.ts'

/** A version of the name that was revoked. */
export interface KeptVersion {
  readonly version: string
  /** The newest generation of the channel that has it. */
  readonly serial: number
}

export interface AfterRevocation {
  /** By the name that was revoked: what the channel offers of it, the newest first. */
  readonly offers: readonly string[]
  /** What it offered last before that, of what generations that are kept still have. */
  readonly earlier?: KeptVersion | undefined
  readonly kind: 'following' | 'curated' | 'derived' | 'class'
  /** Sources of what went that are held in it: nothing else of them comes before that is let go. */
  readonly held: readonly string[]
  /** What it is based on. */
  readonly base?: string | undefined
}

/** The same for each of these channels; empty where too much matches to be told. */
export async function afterRevocation(
  parts: ChannelParts,
  name: string,
  cleaned: readonly CleanedChannel[],
  { signal }: Abortable = {},
): Promise<ReadonlyMap<string, AfterRevocation>> {
  const after = new Map<string, AfterRevocation>()
  const channels = await listChannels(parts.db)
  for (const { channel, serial, removed } of cleaned) {
    signal?.throwIfAborted()
    const own = channels.find((one) => one.name === channel)
    if (own === undefined) continue
    const runs = isClass(own) ? [] : await runsIn(parts, name, channel)
    const base = own.baseId === undefined ? undefined : await findChannelById(parts.db, own.baseId)
    const now = runs.filter((run) => run.until.serial === serial)
    const offers = [...new Set(now.map(versionOf))].sort((a, b) => compareVersions(b, a))
    const sources = new Set(removed.map(({ source }) => source))
    const holds = (await listHolds(parts, own.id)).filter(({ source }) => sources.has(source))
    after.set(channel, {
      offers,
      held: [...new Set(holds.map(({ source }) => source))],
      earlier: earlierIn(parts, runs, offers),
      kind: own.kind,
      base: base?.name,
    })
  }
  return after
}

async function runsIn(parts: ChannelParts, name: string, channel: string): Promise<PackageRun[]> {
  try {
    const runs = await searchHistory(parts, { name, channel })
    const ofSource = runs.filter((run) => run.source === name)
    return ofSource.length > 0 ? ofSource : runs
  } catch (error) {
    if (isAppError(error, 'ERR_TOO_LARGE')) return []
    throw error
  }
}

function versionOf({ sourceVersion }: PackageRun): string {
  return sourceVersion
}

/** Runs come with the newest first. */
function earlierIn(
  { revocations }: ChannelParts,
  runs: readonly PackageRun[],
  offers: readonly string[],
): KeptVersion | undefined {
  const run = runs.find(
    (one) =>
      !offers.includes(versionOf(one)) &&
      revocations.of({ ...one, name: one.package }) === undefined,
  )
  return run && { version: versionOf(run), serial: run.until.serial }
}
