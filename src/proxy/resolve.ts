/**
 * Proxy mode and path mode: from a URL of a known archive to an answer out of its verified suite state.
 *
 * What upstream signed is answered byte for byte as it was fetched, one consistent suite at a time: Release files from
 * the state, indexes as that Release names them (those not fetched yet are fetched now, and verified), pool files by
 * the digest that an index named: those of source packages where the archive's settings take these. All else of a known
 * archive (changelogs) goes by the cache of HTTP rules (web-cache.ts); so do the hosts that the setting `pass-hosts` names.
 * Others may be learned (learner.ts), or are refused, so that the proxy is no open relay.
 */
import { type Answer, contentType } from '../archives/answer.ts'
import type { ArchiveParts } from '../archives/archive-parts.ts'
import { type Archive, type ArchiveSuite, hasUrlOn } from '../archives/archive-table.ts'
import { countChanges } from '../archives/changes.ts'
import { earlierStatesOf } from '../archives/earlier-states.ts'
import { fileUrls, type IndexSource, namedUrls, suitePlace } from '../archives/fetch-index.ts'
import { createArchiveReader, type KnownArchives } from '../archives/known-archives.ts'
import { type Located, locateOrigin } from '../archives/locate.ts'
import { type Origin, originAt } from '../archives/origins.ts'
import { hostKey } from '../base/host-key.ts'
import { matchesHost } from '../base/host-patterns.ts'
import { createLru } from '../base/lru.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import type { ArchivePath } from '../debian/archive-path.ts'
import type { ReleaseFile } from '../debian/release.ts'
import { createInstallerFiles, type InstallerFiles } from './installer-files.ts'
import { isSameLogin } from './login.ts'
import { type Match, matchArchives } from './match-archive.ts'
import { looksLikePackage, parseInArchive, pathsOfPackage } from './path-in-archive.ts'
import { createReadings, type Readings } from './readings.ts'
import type { RequestTarget } from './request-target.ts'
import { hasStoredForm, readUpstream, type UpstreamSuite } from './upstream-suite.ts'

/** What is handed through beside the files of archives. */
export interface HostPolicy {
  /** Patterns of base/host-patterns.ts. */
  readonly passHosts: readonly string[]
}

/** A request on a connection. */
export interface ReadTarget extends RequestTarget {
  /** The connection, where all that comes by it is one client's: see readings.ts. */
  readonly reader?: object | undefined
}

export interface ArchiveProxy {
  /**
   * The answer to a request; `unknown` for what is in no archive, `login` for what is in one whose login it lacks,
   * undefined for what its archive does not name.
   */
  resolve(target: ReadTarget): Promise<Answer | 'unknown' | 'login' | undefined>
  /** Whether an archive is on this host. */
  knowsHost(host: string): Promise<boolean>
  /** Whether what is handed through may come from where a redirect leads: another archive, or a host that is named. */
  mayFollow(url: URL): Promise<boolean>
}

/** A proxy over the archives that Sluice has. */
export function createProxy(parts: ArchiveParts, { passHosts }: HostPolicy): ArchiveProxy {
  const suites = createLru<Sha256, UpstreamSuite>(64)
  const readSuite = async (state: Sha256): Promise<UpstreamSuite | undefined> => {
    const known = suites.get(state)
    if (known !== undefined) return known
    const made = await readUpstream(parts, state)
    if (made !== undefined) suites.set(state, made)
    return made
  }
  const readings = createReadings(parts.clock)
  const images = createInstallerFiles(parts)
  const readArchives = createArchiveReader(parts.db)
  const knowsHost = async (host: string): Promise<boolean> =>
    hasUrlOn((await readArchives()).archives, host)
  return {
    knowsHost,
    mayFollow: async (url) => matchesHost(passHosts, hostKey(url)) || knowsHost(hostKey(url)),
    resolve: async (target) => {
      const known = await readArchives()
      const all = matchArchives(known.archives, target)
      if (all.length === 0) {
        if (!matchesHost(passHosts, target.host)) return 'unknown'
        return { kind: 'pass', urls: [target.url], login: target.login }
      }
      const matches = all.filter(
        ({ login }) => login === undefined || isSameLogin(login, target.login),
      )
      if (matches.length === 0) return 'login'
      for (const match of matches) {
        const { reader = {} } = target
        const how = { readSuite, known, readings, reader, images }
        const answer = await answerFrom(parts, how, match)
        if (answer === 'absent') return undefined
        if (answer !== undefined) return answer
      }
      const [first] = matches
      return first && passOn(first.archive, first.rest)
    },
  }
}

/** What is known of archives, and of what their suites' upstreams served. */
interface Known {
  readonly known: KnownArchives
  readonly readings: Readings
  readonly reader: object
  readonly images: InstallerFiles
  readSuite(state: Sha256): Promise<UpstreamSuite | undefined>
}

async function answerFrom(
  parts: ArchiveParts,
  { known, readSuite, readings, reader, images }: Known,
  { archive, rest, login }: Match,
): Promise<Answer | 'absent' | undefined> {
  const path = parseInArchive(archive.settings, rest)
  if (path === undefined) return undefined
  // Where a login is wanted, each request has to show it.
  const holds = login === undefined ? known.holds : undefined
  if (path.kind === 'pool' || path.kind === 'other') {
    // Whatever its suites are found to be when upstream is looked at.
    return poolAnswer(parts, archive, rest, holds && known.holdsArchives)
  }
  const isBegun = path.kind === 'release' && path.file !== 'Release.gpg'
  const suite =
    (isBegun ? undefined : readings.of(reader, archive, path.suite)) ??
    known.suites.get(archive.id)?.find((one) => one.suite === path.suite)
  const upstream = suite?.state === undefined ? undefined : await readSuite(suite.state)
  if (suite === undefined || upstream === undefined) return undefined
  const { release, files } = upstream
  const isByName = !release.acquireByHash || files.inRelease === undefined
  if (isBegun && isByName) readings.begin(reader, archive, suite)
  const answer =
    (await suiteAnswer(parts, archive, { known: suite, suite: upstream }, path)) ??
    (path.kind === 'by-hash' ? await earlierAnswer(parts, readSuite, archive, path) : undefined) ??
    (path.kind === 'index'
      ? ((await imageAnswer(images, archive, suite, upstream, path.path)) ??
        (await poolAnswer(parts, archive, rest, holds)))
      : undefined)
  const isOurs = typeof answer === 'object' && (answer.kind === 'bytes' || answer.kind === 'blob')
  if (!isOurs) return answer
  const { confirmedAt } = answer.isMutable ? suite : {}
  const isForAll = !isByName || !answer.isMutable
  return { ...answer, holds: isForAll ? holds : undefined, archive: archive.name, confirmedAt }
}

async function poolAnswer(
  parts: ArchiveParts,
  archive: Archive,
  path: string,
  holds: KnownArchives['holds'] | undefined,
): Promise<Answer | undefined> {
  const changes = countChanges('origins')
  if (!looksLikePackage(path)) return undefined
  let origin: Origin | undefined
  for (const one of pathsOfPackage(path)) origin ??= await originAt(parts.db, archive.id, one)
  if (origin === undefined) return undefined
  return {
    kind: 'blob',
    sha256: origin.sha256,
    type: contentType(path),
    isMutable: false,
    archive: archive.name,
    holds: holds && (() => countChanges('origins') === changes && holds()),
    locate: async () => locateOrigin(archive, origin),
  }
}

async function suiteAnswer(
  parts: ArchiveParts,
  archive: Archive,
  { known, suite }: { known: ArchiveSuite; suite: UpstreamSuite },
  path: Exclude<ArchivePath, { kind: 'pool' | 'other' }>,
): Promise<Answer | 'absent' | undefined> {
  const modifiedAt = suite.files.date ?? Math.floor((known.changedAt ?? 0) / 1000)
  const source = { ...suitePlace(archive.settings, known.suite), release: suite.release }
  if (path.kind === 'release') {
    const { inRelease, release, releaseGpg } = suite.files
    const digest = { InRelease: inRelease, Release: release, 'Release.gpg': releaseGpg }[path.file]
    if (digest === undefined) return absentRelease(archive, known.suite, path.file)
    const data = await parts.blobs.read(digest)
    return { kind: 'bytes', data, type: contentType(path.file), modifiedAt, isMutable: true }
  }
  if (path.kind === 'index') {
    const file = suite.release.files.get(path.path)
    const hasOtherForm = file !== undefined && hasStoredForm(suite, file)
    return file && fileAnswer(archive, source, file, { modifiedAt, isMutable: true, hasOtherForm })
  }
  const file = suite.byDigest.get(path.digest)
  if (file !== undefined) {
    const hasOtherForm = hasStoredForm(suite, file)
    return fileAnswer(archive, source, file, { isMutable: false, hasOtherForm })
  }
  return undefined
}

/** How many states a client may be behind. */
const EARLIER = 8

/** An index that an earlier Release of the suite names: from here, or from upstream and verified. */
async function earlierAnswer(
  parts: ArchiveParts,
  readSuite: Known['readSuite'],
  archive: Archive,
  { suite, dir, algorithm, digest }: Extract<ArchivePath, { kind: 'by-hash' }>,
): Promise<Answer | undefined> {
  const which = { archiveId: archive.id, suite, most: EARLIER }
  for (const state of await earlierStatesOf(parts.db, which)) {
    const earlier = await readSuite(state).catch(() => undefined)
    const file = earlier?.byDigest.get(digest)
    if (earlier === undefined || file === undefined) continue
    const source = { ...suitePlace(archive.settings, suite), release: earlier.release }
    const hasOtherForm = hasStoredForm(earlier, file)
    return fileAnswer(archive, source, file, { isMutable: false, hasOtherForm })
  }
  const sha256 = algorithm === 'SHA256' ? parseSha256(digest) : undefined
  return sha256 && earlierIndex(parts, archive, sha256, { suite, dir })
}

/** An index of an earlier state, while it is here. */
async function earlierIndex(
  { blobs }: ArchiveParts,
  archive: Archive,
  sha256: Sha256,
  path: { readonly suite: string; readonly dir: string },
): Promise<Answer | undefined> {
  const open = await blobs.openFile(sha256)
  if (open === undefined) return undefined
  await open.handle.close()
  const wanted = { sha256, size: open.size, label: `${path.suite} ${path.dir} of an earlier day` }
  const locate = async (): Promise<Located> => ({
    wanted,
    source: { urls: [] },
    archive: archive.name,
  })
  return { kind: 'blob', sha256, type: contentType(path.dir), isMutable: false, locate }
}

function imageAnswer(
  images: InstallerFiles,
  archive: Archive,
  { suite, changedAt = 0 }: ArchiveSuite,
  { release, files: { date } }: UpstreamSuite,
  path: string,
): Promise<Answer | undefined> {
  const source = { ...suitePlace(archive.settings, suite), release }
  const urlsOf = (file: ReleaseFile | string): string[] =>
    typeof file === 'string' ? namedUrls(source, file) : fileUrls(source, file)
  const modifiedAt = date ?? Math.floor(changedAt / 1000)
  return images.answer({ release, archive: archive.name, modifiedAt, urlsOf }, path, {})
}

/** Upstream is known by InRelease or by Release and Release.gpg; what we did not fetch is not mixed in. */
function absentRelease(archive: Archive, suite: string, file: string): Answer | 'absent' {
  if (file === 'InRelease') return 'absent'
  return { kind: 'pass', urls: namedUrls(suitePlace(archive.settings, suite), file) }
}

function fileAnswer(
  archive: Archive,
  source: IndexSource,
  file: ReleaseFile,
  how: Pick<Extract<Answer, { kind: 'blob' }>, 'modifiedAt' | 'isMutable' | 'hasOtherForm'>,
): Answer {
  return {
    kind: 'blob',
    sha256: file.sha256,
    type: contentType(file.path),
    ...how,
    locate: async () => ({
      wanted: { sha256: file.sha256, size: file.size, label: `${source.suite} ${file.path}` },
      source: { urls: fileUrls(source, file) },
      archive: archive.name,
    }),
  }
}

function passOn(archive: Archive, rest: string): Answer {
  const encoded = rest.split('/').map(encodeURIComponent).join('/')
  return { kind: 'pass', urls: archive.settings.urls.map((url) => `${url}/${encoded}`) }
}
