/**
 * Proxy mode: from an absolute URI of a known archive to an answer out of its verified suite state.
 *
 * What upstream signed is answered byte for byte as it was fetched, one consistent suite at a time: Release files from
 * the state, indexes as that Release names them (those not fetched yet are fetched now, and verified), pool files by
 * the digest that an index named. All else of a known archive (changelogs, installer, sources) is handed through
 * unkept; a host that is not known is refused, so that the proxy is no open relay.
 */
import { type Answer, contentType } from '../archives/answer.ts'
import type { ArchiveParts } from '../archives/archive-parts.ts'
import {
  type Archive,
  type ArchiveSuite,
  listArchives,
  listSuites,
} from '../archives/archive-table.ts'
import { fileUrls, type IndexSource } from '../archives/fetch-index.ts'
import { locateOrigin } from '../archives/locate.ts'
import { originAt } from '../archives/origins.ts'
import { readState, type UpstreamFiles } from '../archives/suite-state.ts'
import { createLru } from '../base/lru.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { type ArchivePath, parseArchivePath } from '../debian/archive-path.ts'
import { parseRelease, type Release, type ReleaseFile } from '../debian/release.ts'

/** What a suite's upstream served when its state was made, read. */
interface UpstreamSuite {
  readonly files: UpstreamFiles
  readonly release: Release
  readonly byDigest: ReadonlyMap<string, ReleaseFile>
}

export interface ArchiveProxy {
  /** The answer to `http://host[:port]/path` (path decoded, without its first slash); `unknown` for a foreign host. */
  resolve(host: string, path: string): Promise<Answer | 'unknown' | undefined>
}

/** A proxy over the archives that Sluice has. */
export function createProxy(parts: ArchiveParts): ArchiveProxy {
  const suites = createLru<Sha256, UpstreamSuite>(64)
  const readSuite = async (state: Sha256): Promise<UpstreamSuite | undefined> => {
    const known = suites.get(state)
    if (known !== undefined) return known
    const made = await readUpstream(parts, state)
    if (made !== undefined) suites.set(state, made)
    return made
  }
  return {
    resolve: async (host, path) => {
      const matches = (await listArchives(parts.db)).flatMap((archive) =>
        matchArchive(archive, host, path),
      )
      if (matches.length === 0) return 'unknown'
      for (const { archive, rest } of matches) {
        const answer = await answerFrom(parts, readSuite, archive, rest)
        if (answer !== undefined) return answer
      }
      const [first] = matches
      return first && passOn(first.archive, first.rest)
    },
  }
}

/** The path below the archive's root, if one of its URLs begins so; http and https are one. */
function matchArchive(
  archive: Archive,
  host: string,
  path: string,
): { archive: Archive; rest: string }[] {
  for (const text of archive.settings.urls) {
    const url = new URL(text)
    const root = `${url.pathname.replace(/^\//, '').replace(/\/$/, '')}/`
    const isRoot = root === '/'
    if (url.host !== host) continue
    if (isRoot) return [{ archive, rest: path }]
    if (path.startsWith(root)) return [{ archive, rest: path.slice(root.length) }]
  }
  return []
}

type SuiteReader = (state: Sha256) => Promise<UpstreamSuite | undefined>

async function answerFrom(
  parts: ArchiveParts,
  readSuite: SuiteReader,
  archive: Archive,
  rest: string,
): Promise<Answer | undefined> {
  const path = parseArchivePath(rest, archive.settings.suites)
  if (path === undefined) return undefined
  if (path.kind === 'pool') return poolAnswer(parts, archive, path.path)
  if (path.kind === 'other') return undefined
  const known = (await listSuites(parts.db, archive)).find((one) => one.suite === path.suite)
  const suite = known?.state === undefined ? undefined : await readSuite(known.state)
  if (known === undefined || suite === undefined) return undefined
  return suiteAnswer(parts, archive, { known, suite }, path)
}

async function poolAnswer(
  parts: ArchiveParts,
  archive: Archive,
  path: string,
): Promise<Answer | undefined> {
  const origin = await originAt(parts.db, archive.id, path)
  if (origin === undefined) return undefined
  return {
    kind: 'blob',
    sha256: origin.sha256,
    type: contentType(path),
    isMutable: false,
    locate: async () => locateOrigin(archive, origin),
  }
}

async function suiteAnswer(
  parts: ArchiveParts,
  archive: Archive,
  { known, suite }: { known: ArchiveSuite; suite: UpstreamSuite },
  path: Exclude<ArchivePath, { kind: 'pool' | 'other' }>,
): Promise<Answer | undefined> {
  const modifiedAt = suite.files.date ?? Math.floor((known.changedAt ?? 0) / 1000)
  const source: IndexSource = {
    urls: archive.settings.urls,
    suite: known.suite,
    release: suite.release,
  }
  if (path.kind === 'release') {
    const { inRelease, release, releaseGpg } = suite.files
    const digest = { InRelease: inRelease, Release: release, 'Release.gpg': releaseGpg }[path.file]
    if (digest === undefined) return absentRelease(archive, known.suite, path.file)
    const data = await parts.blobs.read(digest)
    return { kind: 'bytes', data, type: contentType(path.file), modifiedAt, isMutable: true }
  }
  if (path.kind === 'index') {
    const file = suite.release.files.get(path.path)
    return file && fileAnswer(archive, source, file, { modifiedAt, isMutable: true })
  }
  const file = suite.byDigest.get(path.digest)
  if (file !== undefined) return fileAnswer(archive, source, file, { isMutable: false })
  const digest = path.algorithm === 'SHA256' ? parseSha256(path.digest) : undefined
  // One of an earlier state: served while it is here.
  if (digest === undefined || !(await parts.blobs.has(digest))) return undefined
  return fileAnswer(
    archive,
    source,
    { path: path.dir, sha256: digest, size: 0 },
    { isMutable: false },
  )
}

/** Upstream is known by InRelease or by Release and Release.gpg; what we did not fetch is not mixed in. */
function absentRelease(archive: Archive, suite: string, file: string): Answer | undefined {
  if (file === 'InRelease') return undefined
  return { kind: 'pass', urls: archive.settings.urls.map((url) => `${url}/dists/${suite}/${file}`) }
}

function fileAnswer(
  archive: Archive,
  source: IndexSource,
  file: ReleaseFile,
  how: { readonly modifiedAt?: number; readonly isMutable: boolean },
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

async function readUpstream(
  parts: ArchiveParts,
  digest: Sha256,
): Promise<UpstreamSuite | undefined> {
  const { upstream } = await readState(parts.blobs, digest)
  const text = upstream?.inRelease ?? upstream?.release
  if (upstream === undefined || text === undefined) return undefined
  const signed = (await parts.blobs.read(text)).toString()
  const release = parseRelease(upstream.inRelease === undefined ? signed : clearText(signed))
  const byDigest = new Map([...release.files.values()].map((file) => [file.sha256, file]))
  return { files: upstream, release, byDigest }
}

/** The text inside a clear-signed message that was verified before it was stored. */
function clearText(signed: string): string {
  const start = signed.indexOf('\n\n') + 2
  const end = signed.indexOf('\n-----BEGIN PGP SIGNATURE-----')
  return `${signed.slice(start, end)}\n`.replaceAll('\n- ', '\n')
}
