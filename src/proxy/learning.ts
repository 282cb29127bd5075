/**
 * How suites are learned and kept up: their Release is fetched when a client first asks, and again behind those who ask
 * later; the next one takes the place of the last only when all indexes that clients asked for lately are here with it.
 * So a client sees one suite, whatever upstream does meanwhile. Whoever asks at the same time shares one look.
 */
import type { Upstream } from '../archives/upstream.ts'
import type { Clock } from '../base/clock.ts'
import { isAppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { mapBounded } from '../base/mutex.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import type { Keyring } from '../debian/keyring.ts'
import type { Release } from '../debian/release.ts'
import type { LearnedIndexes } from './learned-indexes.ts'
import { releaseDir } from './learned-place.ts'
import { fetchLearnedRelease, type LearnedRelease } from './learned-release.ts'
import type { LearnedSuites } from './learned-suites.ts'
import {
  type LearnedFacts,
  type LearnedState,
  type LearnedSuite,
  type SuitePlace,
  stateKey,
} from './learned-table.ts'
import { likelyIndexes } from './likely-indexes.ts'

const KEPT_STATES = 4
/** An index that nobody asked for in so many days is not fetched ahead any more. */
const ASKED_DAYS = 14
const FETCHES_AT_ONCE = 2
/** How often an archive is looked at that has other files than its Release says. */
const LOOKS = 4

export interface LearningParts {
  readonly upstream: Pick<Upstream, 'get'>
  readonly clock: Clock
  readonly suites: LearnedSuites
  readonly indexes: LearnedIndexes
  readonly keyring: Keyring | undefined
  readonly mayFollow: (url: URL) => Promise<boolean>
}

export interface Learning {
  /** Looks upstream; undefined if there is nothing from which anything could be verified. Throws if it is not here yet. */
  look(place: SuitePlace): Promise<LearnedSuite | undefined>
  close(): Promise<void>
}

interface State extends LearningParts {
  readonly looks: Map<string, Promise<LearnedSuite | undefined>>
  readonly stop: AbortController
}

/** Nothing under way. */
export function createLearning(parts: LearningParts): Learning {
  const state: State = { ...parts, looks: new Map(), stop: new AbortController() }
  return {
    look: (place) => {
      const key = `${place.origin}/${releaseDir(place)}`
      const running = state.looks.get(key)
      if (running !== undefined) return running
      const look = lookUpstream(state, place).finally(() => state.looks.delete(key))
      state.looks.set(key, look)
      return look
    },
    close: async () => {
      state.stop.abort()
      await Promise.allSettled([...state.looks.values()])
    },
  }
}

/** Upstream may publish while it is looked at: then once more. */
async function lookUpstream(state: State, place: SuitePlace): Promise<LearnedSuite | undefined> {
  for (let left = LOOKS - 1; ; left--) {
    try {
      return await lookOnce(state, place, left === 0)
    } catch (error) {
      if (left === 0 || !isOther(error) || state.stop.signal.aborted) throw error
    }
  }
}

async function lookOnce(
  state: State,
  place: SuitePlace,
  isLast: boolean,
): Promise<LearnedSuite | undefined> {
  const { suites, clock, stop } = state
  const known = suites.find(place)
  try {
    const fetched = await fetchLearnedRelease(state, place, known?.states[0], stop.signal)
    if (fetched === undefined) return known
    if (fetched !== 'unchanged') return await take(state, place, known, fetched)
    return await suites.change(
      place,
      (now) => now && { ...now, checkedAt: clock.now(), problem: undefined },
    )
  } catch (error) {
    if (known === undefined || (!isLast && isOther(error))) throw error
    const { code, message } = toAppError(error)
    return suites.change(place, (now) => {
      const since = now?.problem?.code === code ? now.problem.since : clock.now()
      return now && { ...now, checkedAt: clock.now(), problem: { code, message, since } }
    })
  }
}

async function take(
  state: State,
  place: SuitePlace,
  known: LearnedSuite | undefined,
  fetched: LearnedRelease,
): Promise<LearnedSuite | undefined> {
  const { suites, clock } = state
  const { release, inRelease, releaseText, releaseGpg } = fetched
  const digest = (data: Buffer | undefined): Sha256 | undefined => data && sha256Of(data)
  const [last] = known?.states ?? []
  const files = await fetchAsked(state, place, known, release)
  crashPoint('learning: indexes here, before the state')
  const next: LearnedState = {
    inRelease: digest(inRelease),
    release: digest(releaseText),
    releaseGpg: digest(releaseGpg),
    date: release.date,
    validUntil: release.validUntil,
    lastModified: fetched.lastModified,
    etag: fetched.etag,
    isByHash: release.acquireByHash,
    signers: fetched.signers,
    modifiedAt: Math.max(
      release.date ?? Math.floor(clock.now() / 1000),
      (last?.modifiedAt ?? 0) +
        (last !== undefined && stateKey(last) === digest(inRelease ?? releaseText) ? 0 : 1),
    ),
    files,
    tables: tablesFor(known, files),
  }
  const blobs = [inRelease, releaseText, releaseGpg].filter((one) => one !== undefined)
  const now = await suites.change(place, (suite) => withState(suite, next, clock.now()), blobs)
  crashPoint('learning: state written')
  for (const path of Object.keys(files)) {
    const file = release.files.get(path)
    if (file !== undefined) state.indexes.wantTable(place, next, { release, file })
  }
  return now
}

/** The indexes that clients asked for lately, or are likely to, as the new Release names them. */
async function fetchAsked(
  { indexes }: State,
  place: SuitePlace,
  known: LearnedSuite | undefined,
  release: Release,
): Promise<Record<string, Sha256>> {
  const since = indexes.today() - ASKED_DAYS
  const asked = Object.entries(known?.asked ?? {}).flatMap(([path, day]) => {
    const file = day >= since ? release.files.get(path) : undefined
    return file === undefined || file.size === 0 ? [] : [file]
  })
  await mapBounded(asked, FETCHES_AT_ONCE, (file) => indexes.fetch(place, { release, file }))
  if (!release.acquireByHash) {
    await mapBounded(likelyIndexes(release), FETCHES_AT_ONCE, async (file) => {
      // Archives list files that they do not have.
      await indexes.fetch(place, { release, file }).catch((error: unknown) => {
        if (isOther(error)) throw error
      })
    })
  }
  return Object.fromEntries(asked.map(({ path, sha256 }) => [path, sha256]))
}

function tablesFor(
  known: LearnedSuite | undefined,
  files: Readonly<Record<string, Sha256>>,
): Record<string, Sha256> {
  const named = new Set<string>(Object.values(files))
  const made = (known?.states ?? []).flatMap(({ tables }) => Object.entries(tables))
  return Object.fromEntries(made.filter(([index]) => named.has(index)))
}

function withState(suite: LearnedSuite | undefined, next: LearnedState, now: number): LearnedFacts {
  const others = (suite?.states ?? []).filter((one) => stateKey(one) !== stateKey(next))
  return {
    states: [next, ...others].slice(0, KEPT_STATES),
    asked: suite?.asked ?? {},
    checkedAt: now,
    changedAt:
      others.length === suite?.states.length || suite === undefined ? now : suite.changedAt,
  }
}

/** Whether upstream has another file than the Release says. */
function isOther(error: unknown): boolean {
  return isAppError(error, 'ERR_DIGEST_MISMATCH') || isAppError(error, 'ERR_SIZE_MISMATCH')
}
