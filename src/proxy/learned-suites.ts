/**
 * The learned suites in memory, by the host that they are on; what changes is written down at once, what is only used
 * from time to time. Those that no client asked for in a month are forgotten, and those used longest ago where there are
 * too many.
 */
import { noteChange } from '../archives/changes.ts'
import type { Clock } from '../base/clock.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { createMutex } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { BlobStore } from '../store/blobs.ts'
import { putRows } from '../store/blobs.ts'
import { type Db, inTransaction } from '../store/database.ts'
import {
  deleteLearned,
  type LearnedFacts,
  type LearnedState,
  type LearnedSuite,
  listLearned,
  type SuitePlace,
  saveLearned,
} from './learned-table.ts'
import { type ReadRelease, readStored } from './read-release.ts'

const MOST = 500
const FORGOTTEN_MS = 30 * 24 * 3600_000
const LOOK_MS = 3600_000
const NOTE_MS = 3600_000
const RELEASES = 16

export interface LearnedSuites {
  all(): LearnedSuite[]
  /** Those on this host. */
  on(origin: string): readonly LearnedSuite[]
  find(place: SuitePlace): LearnedSuite | undefined
  /**
   * Writes what becomes of the suite, with the bytes of its Release files; one change after the other. Nothing if
   * `change` says undefined.
   */
  change(
    place: SuitePlace,
    change: (known: LearnedSuite | undefined) => LearnedFacts | undefined,
    blobs?: readonly Buffer[],
  ): Promise<LearnedSuite | undefined>
  /** A client asked for it. */
  touch(suite: LearnedSuite): Promise<void>
  /** Forgets what nobody asked for in a month; looks once an hour. */
  forgetOld(): Promise<void>
  /** What the state's Release says; undefined if it is not in the store any more. */
  read(state: LearnedState): Promise<ReadRelease | undefined>
}

interface State {
  readonly db: Db
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly byOrigin: Map<string, LearnedSuite[]>
  readonly releases: Lru<Sha256, ReadRelease>
  lookedAt: number
}

/** The suites that were learned up to now. */
export async function openLearnedSuites(
  parts: Pick<State, 'db' | 'blobs' | 'clock'>,
): Promise<LearnedSuites> {
  const { db, blobs, clock } = parts
  const state: State = {
    db,
    blobs,
    clock,
    byOrigin: new Map(),
    releases: createLru(RELEASES),
    lookedAt: 0,
  }
  for (const suite of await listLearned(db)) remember(state, suite)
  await forgetOld(state)
  const alone = createMutex()
  return {
    all: () => [...state.byOrigin.values()].flat(),
    on: (origin) => state.byOrigin.get(origin) ?? [],
    find: (place) => find(state, place),
    change: ({ origin, base, suite }, change, data = []) =>
      alone(async () => {
        const known = find(state, { origin, base, suite })
        const facts = change(known)
        if (facts === undefined) return known
        const usedAt = known?.usedAt ?? clock.now()
        const { states, asked, checkedAt, changedAt, problem } = facts
        const now = {
          ...{ origin, base, suite, usedAt },
          ...{ states, asked, checkedAt, changedAt, problem },
        }
        const id = await inTransaction(db, async (trx) => {
          if (data.length > 0) await putRows(trx, data)
          return saveLearned(trx, now)
        })
        remember(state, { ...now, id })
        await forgetOld(state)
        return { ...now, id }
      }),
    touch: (suite) =>
      alone(async () => {
        const known = find(state, suite)
        if (known === undefined || clock.now() - known.usedAt < NOTE_MS) return
        const now = { ...known, usedAt: clock.now() }
        remember(state, now)
        await saveLearned(db, now)
      }),
    forgetOld: () => alone(() => forgetOld(state)),
    read: (one) => readState(state, one),
  }
}

function find({ byOrigin }: State, { origin, base, suite }: SuitePlace): LearnedSuite | undefined {
  return byOrigin.get(origin)?.find((one) => one.base === base && one.suite === suite)
}

function remember(state: State, suite: LearnedSuite): void {
  const others = (state.byOrigin.get(suite.origin) ?? []).filter(({ id }) => id !== suite.id)
  state.byOrigin.set(suite.origin, [...others, suite])
  noteChange('learned')
}

async function forgetOld(state: State): Promise<void> {
  const all = [...state.byOrigin.values()].flat()
  const now = state.clock.now()
  if (all.length <= MOST && Math.abs(now - state.lookedAt) < LOOK_MS) return
  state.lookedAt = now
  const gone = all
    .sort((a, b) => b.usedAt - a.usedAt)
    .filter(({ usedAt }, at) => at >= MOST || usedAt < now - FORGOTTEN_MS)
    .map(({ id }) => id)
  if (gone.length === 0) return
  await deleteLearned(state.db, gone)
  for (const [origin, suites] of state.byOrigin) {
    state.byOrigin.set(
      origin,
      suites.filter(({ id }) => !gone.includes(id)),
    )
  }
  noteChange('learned')
}

async function readState(
  { blobs, releases }: State,
  { inRelease, release }: LearnedState,
): Promise<ReadRelease | undefined> {
  const digest = inRelease ?? release
  const known = digest === undefined ? undefined : releases.get(digest)
  if (known !== undefined || digest === undefined) return known
  if (!(await blobs.has(digest))) return undefined
  const read = readStored(await blobs.read(digest), inRelease !== undefined)
  releases.set(digest, read)
  return read
}
