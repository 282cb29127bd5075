/**
 * Fetches what a suite is signed by, and believes it only after these checks, in apt's order: a good signature by a key
 * of the archive, the right suite, a Date that is neither in the future nor older than what we have (a replay), a
 * Valid-Until not yet past.
 *
 * InRelease is asked for conditionally, so that a suite in which nothing changed costs one request. Where there is none
 * (404), Release and Release.gpg are fetched instead.
 */
import type { Abortable } from '../base/abortable.ts'
import { type Clock, nowSeconds } from '../base/clock.ts'
import { AppError, isAppError } from '../base/errors.ts'
import { readKeyring } from '../debian/keyring.ts'
import { type Verified, verifyClearSigned, verifyDetached } from '../debian/openpgp-verify.ts'
import { formatReleaseDate, parseRelease, type Release } from '../debian/release.ts'
import type { Archive, ArchiveSuite } from './archive-table.ts'
import type { Urgency } from './origin-circuit.ts'
import { inDirectory, isFlatSuite, suiteDirectory, urlBelow, writtenSuite } from './suite-place.ts'
import type { Upstream, UpstreamResponse } from './upstream.ts'

/** apt's Acquire::MaxReleaseFileSize. */
const MAX_RELEASE_BYTES = 10 * 1024 * 1024
const MAX_FUTURE_S = 300

export interface FetchedRelease {
  readonly release: Release
  readonly signers: Verified['signers']
  /** What will not be good for ever of who signed it. */
  readonly warnings: readonly string[]
  /** The root of the archive that answered. */
  readonly url: string
  readonly inRelease?: Buffer | undefined
  readonly releaseText?: Buffer | undefined
  readonly releaseGpg?: Buffer | undefined
  readonly lastModified?: string | undefined
  readonly etag?: string | undefined
}

export interface ReleaseParts {
  readonly upstream: Pick<Upstream, 'get'>
  readonly clock: Clock
}

/** A refresh asks for Releases in spite of what is known of the archive's server: it is the one who looks. */
export interface ReleaseOptions extends Abortable {
  readonly urgency?: Urgency | undefined
}

/** The suite's signed Release, checked; undefined if upstream says that it did not change since `known`. */
export async function fetchRelease(
  parts: ReleaseParts,
  archive: Archive,
  known: ArchiveSuite,
  { signal, urgency = 'probe' }: ReleaseOptions,
): Promise<FetchedRelease | undefined> {
  const upstream = insistent(parts.upstream, urgency)
  let problem: unknown
  for (const url of archive.settings.urls) {
    try {
      const fetched = await fetchFrom({ ...parts, upstream }, archive, known, url, signal)
      if (fetched === undefined) return undefined
      checkRelease(fetched.release, archive, known, nowSeconds(parts.clock))
      return fetched
    } catch (error) {
      if (!isAppError(error) || signal?.aborted) throw error
      problem ??= error
    }
  }
  throw problem ?? new AppError('ERR_CONFIG', { message: `archive ${archive.name} has no URL` })
}

async function fetchFrom(
  parts: ReleaseParts,
  archive: Archive,
  known: ArchiveSuite,
  url: string,
  signal: AbortSignal | undefined,
): Promise<FetchedRelease | undefined> {
  const ring = await readKeyring(archive.keyring)
  const now = nowSeconds(parts.clock)
  const directory = suiteDirectory(archive.settings, known.suite)
  const at = (file: string): string => urlBelow(url, inDirectory(directory, file))
  const validators =
    known.state === undefined ? {} : { ifModifiedSince: known.lastModified, etag: known.etag }
  const absent: unknown[] = []
  const note = (status: unknown): number => absent.push(status)
  const answer = await getUnless404(
    parts.upstream,
    at('InRelease'),
    { ...validators, note },
    signal,
  )
  if (answer === 'unchanged') return undefined
  if (answer !== undefined) {
    const { text, ...by } = await verifyClearSigned(answer.body, ring, now)
    return {
      release: parseRelease(text),
      ...by,
      url,
      inRelease: answer.body,
      ...answer.validators,
    }
  }
  const release = await getUnless404(parts.upstream, at('Release'), { ...validators, note }, signal)
  if (release === 'unchanged') return undefined
  if (release === undefined) throw noRelease(archive, known.suite, absent.includes(403))
  const gpg = await getUnless404(parts.upstream, at('Release.gpg'), {}, signal)
  if (gpg === undefined || gpg === 'unchanged') {
    throw new AppError('ERR_SIGNATURE_MISSING', {
      message: `${known.suite}: Release has no Release.gpg: nobody signed it`,
      hint: 'an archive without signatures is never taken: ask its maintainer to sign it, or publish its packages in a local archive',
    })
  }
  const { text, ...by } = await verifyDetached(release.body, gpg.body, ring, now)
  return {
    release: parseRelease(text),
    ...by,
    url,
    releaseText: release.body,
    releaseGpg: gpg.body,
    ...release.validators,
  }
}

function noRelease({ name, settings }: Archive, suite: string, isForbidden: boolean): AppError {
  const isFlatHere = isFlatSuite(settings, suite)
  const other = isFlatHere
    ? 'the folder with its Packages is the suite'
    : 'one without dists/ is taken as --suite ./ or, below a folder, --suite FOLDER/'
  return new AppError('ERR_UPSTREAM_STATUS', {
    message: `there is neither InRelease nor Release for the suite ${writtenSuite(settings, suite)}${isForbidden ? ': it answers 403' : ''}`,
    hint: `look at the suites of the archive (${other}), then: sluice archive set ${name} --suite …${isForbidden ? '; or, where it wants a login, --auth FILE' : ''}`,
  })
}

function insistent({ get }: Pick<Upstream, 'get'>, urgency: Urgency): Pick<Upstream, 'get'> {
  return { get: (url, options, abortable) => get(url, { ...options, urgency }, abortable) }
}

interface Answer {
  readonly body: Buffer
  readonly validators: Pick<FetchedRelease, 'lastModified' | 'etag'>
}

interface Conditions {
  readonly ifModifiedSince?: string | undefined
  readonly etag?: string | undefined
  /** Told the status of what is not there. */
  readonly note?: (status: unknown) => void
}

async function getUnless404(
  upstream: Pick<Upstream, 'get'>,
  url: string,
  validators: Conditions,
  signal: AbortSignal | undefined,
): Promise<Answer | 'unchanged' | undefined> {
  let response: UpstreamResponse
  try {
    const conditions = {
      ...(validators.ifModifiedSince && { ifModifiedSince: validators.ifModifiedSince }),
      ...(validators.etag && { etag: validators.etag }),
    }
    response = await upstream.get(url, { ...conditions, maxBytes: MAX_RELEASE_BYTES }, { signal })
  } catch (error) {
    if (!isAppError(error, 'ERR_UPSTREAM_STATUS') || !isAbsent(error.details?.status)) throw error
    validators.note?.(error.details?.status)
    return undefined
  }
  if (response.status === 304) return 'unchanged'
  const pieces: Buffer[] = []
  for await (const piece of response.body) pieces.push(piece)
  return {
    body: Buffer.concat(pieces),
    validators: { lastModified: response.lastModified, etag: response.headers.etag },
  }
}

/** 404, and the 403 and 410 that object stores and mirrors answer for what is not there. */
function isAbsent(status: unknown): boolean {
  return status === 404 || status === 403 || status === 410
}

function checkRelease(release: Release, archive: Archive, known: ArchiveSuite, now: number): void {
  const { suite } = known
  // Whoever has a flat archive in its sources names no suite.
  const isNamed = !isFlatSuite(archive.settings, suite)
  const names = [release.suite, release.codename].filter((name) => name !== undefined)
  const isOther =
    isNamed &&
    names.length > 0 &&
    !names.includes(suite) &&
    !names.includes(suite.split('/')[0] ?? '')
  if (isOther && archive.settings.allowOtherSuite !== true) {
    throw new AppError('ERR_RELEASE_WRONG_SUITE', {
      message: `${suite}: the Release there is of another suite (${names.join(', ')})`,
      hint: `if that is meant: sluice archive set ${archive.name} --allow-other-suite`,
    })
  }
  if (release.date !== undefined && release.date > now + MAX_FUTURE_S) {
    throw new AppError('ERR_RELEASE_FUTURE', {
      message: `${suite}: Release is dated ${formatReleaseDate(release.date)}, in the future`,
      hint: 'compare this machine’s clock with upstream’s: timedatectl',
    })
  }
  if (known.releaseDate !== undefined && (release.date ?? 0) < known.releaseDate) {
    const found = release.date === undefined ? 'undated' : `of ${formatReleaseDate(release.date)}`
    throw new AppError('ERR_RELEASE_REPLAYED', {
      message: `${suite}: Release is ${found}, older than the one of ${formatReleaseDate(known.releaseDate)} that is here`,
      hint: 'the mirror lags behind or replays old data; another URL: sluice archive set',
    })
  }
  assertNotExpired(suite, archive, release.validUntil, now)
}

/** Throws `ERR_RELEASE_EXPIRED` past Valid-Until (epoch seconds), unless the archive may be expired. */
export function assertNotExpired(
  suite: string,
  archive: Archive,
  validUntil: number | undefined,
  now: number,
): void {
  if (validUntil === undefined || validUntil >= now || archive.settings.allowExpired === true)
    return
  throw new AppError('ERR_RELEASE_EXPIRED', {
    message: `${suite}: Release expired on ${formatReleaseDate(validUntil)}`,
    hint: `the mirror is not updated any more; if it is meant to stand still: sluice archive set ${archive.name} --allow-expired`,
  })
}
