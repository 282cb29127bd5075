/**
 * What is revoked stands in nothing that is published: each suite of each generation goes through here (publish.ts), whatever
 * made it. A state without what is revoked is the state itself; else it is made anew without that, its translations with it,
 * and the files of what was found are withdrawn. What was found out of a state is remembered while nothing else is revoked.
 */
import { findRevoked } from '../archives/find-revoked.ts'
import type { IndexEntry } from '../archives/index-parts.ts'
import type { Revocations } from '../archives/revocations.ts'
import { encodeState, readState, type SuiteState } from '../archives/suite-state.ts'
import { createLru, type Lru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import { putRows } from '../store/blobs.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts } from './channel-parts.ts'
import type { IndexDiff } from './diff.ts'
import type { SuiteEntry } from './draft-suite.ts'
import { editState } from './edit-state.ts'

/** A package that a suite would have offered. */
export interface RevokedPackage extends Pick<SuiteEntry, 'archive' | 'suite'> {
  readonly package: string
  readonly version: string
  readonly architecture: string
  readonly source: string
  readonly sourceVersion: string
}

/** A state without what is revoked, and what that was. */
interface CleanState {
  readonly state: Sha256
  readonly removed: readonly Omit<RevokedPackage, 'archive' | 'suite'>[]
  /** Its Contents could not be made: another time they may be. */
  readonly lacksContents?: boolean
}

const REMEMBERED = 200
const HOUR_MS = 3600_000
const known = new WeakMap<Revocations, Lru<string, Promise<CleanState>>>()

/** The same suites, as they may be published. */
export async function withoutRevoked<Entry extends SuiteEntry>(
  parts: ChannelParts,
  entries: readonly Entry[],
): Promise<{ readonly entries: readonly Entry[]; readonly removed: readonly RevokedPackage[] }> {
  if (parts.revocations.list().length === 0) return { entries, removed: [] }
  const removed: RevokedPackage[] = []
  const clean: Entry[] = []
  for (const entry of entries) {
    const made = await cleanState(parts, entry.state)
    clean.push(made.state === entry.state ? entry : { ...entry, state: made.state })
    const { archive, suite } = entry
    removed.push(...made.removed.map((one) => ({ archive, suite, ...one })))
  }
  return { entries: clean, removed }
}

function cleanState(parts: ChannelParts, state: Sha256): Promise<CleanState> {
  const { revocations } = parts
  const memory = known.get(revocations) ?? createLru<string, Promise<CleanState>>(REMEMBERED)
  known.set(revocations, memory)
  // What was made and nothing names is kept for a day: it is remembered for less.
  const hour = Math.floor(parts.clock.now() / HOUR_MS)
  const key = `${revocations.count} ${hour} ${state}`
  const before = memory.get(key)
  if (before !== undefined) return before
  const made = makeClean(parts, state)
  memory.set(key, made)
  const forget = (): void => memory.delete(key)
  made.then(({ lacksContents }) => (lacksContents ? forget() : undefined), forget)
  return made
}

async function makeClean(parts: ChannelParts, digest: Sha256): Promise<CleanState> {
  const state = await readState(parts.blobs, digest)
  const found = await findRevoked(parts, state)
  if (found.length === 0) return { state: digest, removed: [] }
  await parts.revocations.noteFiles(found.flatMap(({ entries }) => entries))
  const diffs = found.map(({ index: { kind, component, architecture }, entries }) => ({
    ...{ kind, component, architecture },
    removed: entries,
    added: [],
  }))
  const edited = await editAnyway(parts, state, diffs)
  const { digest: clean, blob } = encodeState(edited)
  await inTransaction(parts.db, (trx) => putRows(trx, [blob]))
  const removed = new Map(found.flatMap(({ entries }) => entries).map((one) => [keyOf(one), one]))
  const lacksContents = edited.ownContents === 'wanted'
  return { state: clean, removed: [...removed.values()].map(packageOf), lacksContents }
}

/** Where Contents cannot be made, the state goes without: what is revoked goes now, and whoever publishes next makes them. */
async function editAnyway(
  parts: ChannelParts,
  state: SuiteState,
  diffs: readonly IndexDiff[],
): Promise<SuiteState> {
  try {
    return await editState(parts, state, diffs, [])
  } catch (error) {
    if (state.ownContents === undefined) throw error
    const bare = { ...state, extras: undefined, plainForms: undefined, ownContents: undefined }
    return { ...(await editState(parts, bare, diffs, [])), ownContents: 'wanted' }
  }
}

/** A package of all architectures stands in several indexes. */
function keyOf({ name, version, architecture }: IndexEntry): string {
  return `${name} ${version} ${architecture}`
}

function packageOf(entry: IndexEntry): CleanState['removed'][number] {
  const { name, version, architecture, source, sourceVersion } = entry
  return { package: name, version, architecture, source, sourceVersion }
}
