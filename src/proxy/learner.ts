/**
 * Archives that nobody told this server of, learned by what machines ask for: a machine that was set up for another apt
 * cache works with nothing changed.
 *
 * A request for a suite's Release at a host that the policy lets ask makes a learned suite: from then on its Release,
 * indexes and packages are answered out of the verified store, one consistent suite at a time, each file by the digest that
 * the Release, or an index that it names, has for it. Who signed it is the client's to judge, as it is without us; it is
 * noted where `learn-keyrings` has the key. Nothing of it is an archive that a channel could follow.
 * What no index names goes by the cache of HTTP rules, and so do archives that cannot be verified, and logins.
 */
import { type Answer, contentType } from '../archives/answer.ts'
import { waitFor, withTimeout } from '../base/abortable.ts'
import type { Clock } from '../base/clock.ts'
import { isAppError } from '../base/errors.ts'
import { createLru, type Lru } from '../base/lru.ts'
import type { ReleaseFile } from '../debian/release.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { Asking } from './given-states.ts'
import type { InstallerFiles } from './installer-files.ts'
import { createFileMemory, type FileParts, indexAnswer, namedAnswer } from './learned-files.ts'
import type { LearnedIndexes } from './learned-indexes.ts'
import {
  below,
  flatRelease,
  learnedUrls,
  looksLikeArchive,
  mayLearn,
  parseBelow,
  type ReleaseName,
  releaseDir,
  splitAtDists,
  urlAt,
} from './learned-place.ts'
import type { LearnedSuites } from './learned-suites.ts'
import { type LearnedSuite, type SuitePlace, stateKey } from './learned-table.ts'
import type { Learning } from './learning.ts'
import type { RequestTarget } from './request-target.ts'

/** What was looked at so lately is not looked at again; after the other time clients wait for it. */
const FRESH_MS = 5 * 60_000
const OLD_MS = 3600_000
/**
 * The same for an archive without by-hash, and a client whose indexes may be none of those that are here: it would ask
 * for them by names under which upstream has those of its newest Release.
 */
const BY_NAME_MS = 10_000
/** How long clients wait for it then. */
const NEWS_MS = 5_000
/** How long it is remembered that there is nothing to learn. */
const BARREN_MS = 60_000

export interface Learner {
  /** The answer to a request at a host where no archive of this server is; undefined for what is not to be asked for. */
  resolve(target: RequestTarget, asking: Asking): Promise<Answer | 'absent' | undefined>
  /** Whether the policy lets this host be asked. */
  allows(url: URL): boolean
  readonly suites: LearnedSuites
  close(): Promise<void>
}

export interface LearnerParts {
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly suites: LearnedSuites
  readonly learning: Learning
  readonly indexes: LearnedIndexes
  readonly images: InstallerFiles
  /** Patterns of base/host-patterns.ts, and the word `any`. */
  readonly hosts: readonly string[]
}

interface State extends LearnerParts, FileParts {
  /** Until when. */
  readonly barren: Lru<string, number>
}

/** Learns from now on. */
export function createLearner(parts: LearnerParts): Learner {
  const state: State = { ...parts, ...createFileMemory(), barren: createLru(10_000) }
  const allows = (url: URL): boolean => mayLearn(parts.hosts, url)
  return {
    resolve: async (target, asking) => {
      const url = URL.parse(target.url)
      if (url === null || !allows(url)) return undefined
      await state.suites.forgetOld()
      const { path, login } = target
      const pass: Answer = { kind: 'pass', urls: [target.url], login }
      if (login !== undefined || url.search !== '') return looksLikeArchive(path) ? pass : undefined
      const found =
        (await inDists(state, url.origin, path, asking)) ??
        (await inFlat(state, url.origin, path, asking)) ??
        (await namedAnswer(state, url.origin, path, asking))
      if (found === 'barren') return pass
      if (found !== undefined) return found
      return isNearSuite(state, url.origin, path) || looksLikeArchive(path) ? pass : undefined
    },
    allows,
    suites: parts.suites,
    close: async () => {
      await parts.learning.close()
      await parts.indexes.close()
    },
  }
}

/** `barren` is what cannot be verified. */
type Found = Answer | 'absent' | 'barren' | undefined

async function inDists(state: State, origin: string, path: string, asking: Asking): Promise<Found> {
  const split = splitAtDists(path)
  if (split === undefined) return undefined
  const { base, rest } = split
  const known = state.suites.on(origin).filter((one) => one.suite !== '' && one.base === base)
  const parsed = parseBelow(
    rest,
    known.map(({ suite }) => suite),
  )
  if (parsed === undefined) return 'absent'
  if (parsed.kind === 'release') {
    return releaseAnswer(state, { origin, base, suite: parsed.suite }, parsed.file, asking)
  }
  if (parsed.kind !== 'index' && parsed.kind !== 'by-hash') return undefined
  const suite = known.find((one) => one.suite === parsed.suite)
  if (suite === undefined) return undefined
  const answer = await indexAnswer(state, suite, parsed, asking)
  if (answer !== undefined) return answer
  const image =
    parsed.kind === 'index' ? await imageIn(state, suite, parsed.path, asking) : undefined
  if (image !== undefined) return image
  // Patches are named by their Index, images may be by a list of their own: the others go by HTTP's rules.
  const isListedElsewhere = /\.diff\/|(?:^|\/)installer-|^by-hash\//.test(
    rest.slice(6 + suite.suite.length),
  )
  return isListedElsewhere || parsed.kind === 'by-hash' ? 'barren' : 'absent'
}

async function imageIn(
  { suites, images }: State,
  suite: LearnedSuite,
  path: string,
  { signal }: Asking,
): Promise<Answer | undefined> {
  const [state] = suite.states
  const read = state && (await suites.read(state))
  if (state === undefined || read === undefined) return undefined
  const { release } = read
  const urlsOf = (file: ReleaseFile | string): string[] =>
    typeof file === 'string'
      ? [urlAt(suite, `${releaseDir(suite)}/${file}`)]
      : learnedUrls(suite, release, file)
  const { modifiedAt } = state
  return images.answer({ release, archive: suite.origin, modifiedAt, urlsOf }, path, { signal })
}

async function inFlat(state: State, origin: string, path: string, asking: Asking): Promise<Found> {
  const release = splitAtDists(path) === undefined ? flatRelease(path) : undefined
  if (release !== undefined) {
    return releaseAnswer(state, { origin, base: release.base, suite: '' }, release.file, asking)
  }
  for (const suite of state.suites.on(origin).filter((one) => one.suite === '')) {
    const rest = below(suite.base, path)
    const parsed = rest === undefined ? undefined : parseBelow(`dists/-/${rest}`, ['-'])
    if (parsed?.kind !== 'index' && parsed?.kind !== 'by-hash') continue
    const answer = await indexAnswer(state, suite, parsed, asking)
    if (answer !== undefined) return answer
  }
  return undefined
}

async function releaseAnswer(
  state: State,
  place: SuitePlace,
  file: ReleaseName,
  asking: Asking,
): Promise<Found> {
  const suite = await current(state, place, asking)
  const [newest] = suite?.states ?? []
  if (suite === undefined || newest === undefined) return 'barren'
  await state.suites.touch(suite)
  const digest = {
    InRelease: newest.inRelease,
    Release: newest.release,
    'Release.gpg': newest.releaseGpg,
  }[file]
  // Of the two ways to be signed upstream is known by one.
  if (digest === undefined && newest.inRelease !== undefined) return 'barren'
  if (digest === undefined) return 'absent'
  const key = stateKey(newest)
  if (key !== undefined) state.given.note(asking, suite, key)
  return {
    kind: 'bytes',
    data: await state.blobs.read(digest),
    type: contentType(file),
    modifiedAt: newest.modifiedAt,
    isMutable: true,
    archive: place.origin,
    confirmedAt: suite.checkedAt,
  }
}

/** The suite as it is to be shown now: what is here is shown at once, unless it is old; what is new comes in behind. */
async function current(
  state: State,
  place: SuitePlace,
  asking: Asking,
): Promise<LearnedSuite | undefined> {
  const { signal } = asking
  const { suites, learning, clock, barren } = state
  const known = suites.find(place)
  const now = clock.now()
  const key = `${place.origin}/${releaseDir(place)}`
  if (known === undefined) {
    const until = barren.get(key) ?? 0
    if (now < until && until <= now + BARREN_MS) return undefined
    const learned = await waitFor(learning.look(place), signal).catch((error: unknown) => {
      // What cannot be kept is handed through.
      if (isAppError(error, 'ERR_DISK_FULL')) return undefined
      throw error
    })
    if (learned === undefined) barren.set(key, now + BARREN_MS)
    return learned
  }
  const [newest] = known.states
  const age = now - known.checkedAt
  const digest = newest && stateKey(newest)
  const isHere = digest !== undefined && (await state.blobs.has(digest))
  const isKnownClient = state.given.of(asking, known) !== undefined
  const isExact = isKnownClient || newest?.isByHash === true
  if (isHere && age >= 0 && age < (isExact ? FRESH_MS : BY_NAME_MS)) return known
  const look = learning.look(place)
  look.catch(() => undefined)
  const isOver = newest?.validUntil !== undefined && newest.validUntil * 1000 < now
  if (isHere && age >= 0 && age < OLD_MS && isExact && !isOver) return known
  const patience = isHere ? withTimeout(signal, NEWS_MS) : signal
  const looked = await waitFor(look, patience).catch((error: unknown) => {
    if (isHere && signal?.aborted !== true) return known
    throw error
  })
  return looked ?? known
}

/** Whether it is below the root of a suite that was learned. */
function isNearSuite(state: State, origin: string, path: string): boolean {
  return state.suites.on(origin).some(({ base }) => below(base, path) !== undefined)
}
