/**
 * Contents of local archives that are asked for them: states of the archive only say so, since many uploads are one generation;
 * a channel that takes such a state makes them, out of those that it has. What was made is remembered, for the other channels.
 */
import { fitContents, hasContents } from '../archives/own-contents.ts'
import { encodeState, readState, type SuiteState } from '../archives/suite-state.ts'
import { createLru, type Lru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import { putRows } from '../store/blobs.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts } from './channel-parts.ts'
import { listChannels } from './channel-table.ts'
import type { SuiteEntry } from './draft-suite.ts'

const REMEMBERED = 200
const HOUR_MS = 3600_000
const memories = new WeakMap<ChannelParts['blobs'], Lru<string, Promise<Sha256>>>()

/** The same suites, with the Contents of their packages where these are wanted; states that are new are in the store on return. */
export async function withContents<Entry extends SuiteEntry>(
  parts: ChannelParts,
  entries: readonly Entry[],
): Promise<Entry[]> {
  const made: Entry[] = []
  for (const entry of entries) {
    const state = await readState(parts.blobs, entry.state)
    const isWanted = state.ownContents === 'wanted'
    made.push(isWanted ? { ...entry, state: await fitted(parts, entry, state) } : entry)
  }
  return made
}

async function fitted(parts: ChannelParts, entry: SuiteEntry, state: SuiteState): Promise<Sha256> {
  const memory = memories.get(parts.blobs) ?? createLru<string, Promise<Sha256>>(REMEMBERED)
  memories.set(parts.blobs, memory)
  // What was made and nothing names is kept for a day: it is remembered for less.
  // The file of a package that is revoked cannot be listed; taken back, it can.
  const key = `${parts.revocations.count} ${Math.floor(parts.clock.now() / HOUR_MS)} ${entry.state}`
  const known = memory.get(key)
  if (known !== undefined && (await hasContents(parts, await readState(parts.blobs, await known))))
    return known
  const made = fit(parts, entry, state)
  memory.set(key, made)
  made.catch(() => memory.delete(key))
  return made
}

async function fit(parts: ChannelParts, entry: SuiteEntry, state: SuiteState): Promise<Sha256> {
  const before = await published(parts, entry)
  const { digest, blob } = encodeState(await fitContents(parts, before, state))
  await inTransaction(parts.db, (trx) => putRows(trx, [blob]))
  return digest
}

/** What channels that follow the archive have of the suite now, with Contents. */
async function published(
  parts: ChannelParts,
  { archive, suite }: SuiteEntry,
): Promise<SuiteState | undefined> {
  for (const { name, follows } of await listChannels(parts.db)) {
    if (!follows.includes(archive)) continue
    const suites = parts.views.head(name)?.suites ?? []
    const own = suites.find((one) => one.archive === archive && one.suite === suite)
    if (own === undefined) continue
    const state = await readState(parts.blobs, own.state)
    if (await hasContents(parts, state)) return state
  }
  return undefined
}
