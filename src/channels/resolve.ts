/**
 * From a path below `/channels/` or `/class/` to an answer. Heads are answered from memory; by-hash and pool files of any
 * retained generation of anything are found by their digest alone.
 *
 *   channels/<channel>[@<serial>|@<time>]/<archive>/dists/<suite>/…    …/<archive>/pool/<2 hex>/<62 hex>/<file>
 *   channels/<channel>/key.asc    …/key.gpg
 *   class/<class>…, the same
 *   …/sluice/…: keyring-files.ts
 */
import { type Answer, contentType, digestTime } from '../archives/answer.ts'
import { KEYRING_ARCHIVE } from '../archives/archive-faults.ts'
import { locate } from '../archives/locate.ts'
import type { Abortable } from '../base/abortable.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { findPublication } from '../signing/publication-table.ts'
import { publicKeyFiles } from '../signing/sign-release.ts'
import type { ChannelParts } from './channel-parts.ts'
import { channelOfClass } from './channel-table.ts'
import { openComposite } from './composite.ts'
import { publicationOf } from './ensure-publication.ts'
import { findGeneration } from './generation-name.ts'
import { findFormsByGz, type IndexForms } from './index-forms.ts'
import { keyringAnswer } from './keyring-files.ts'
import { findPdiffFile, type PdiffFile } from './pdiff-files.ts'
import { findSourceFile, isNamedByDsc } from './source-files.ts'
import type { GenerationView, SuiteView } from './views.ts'

/** Whether a path of ours (no slash before it) is one of files that are published. */
export function isPublishedPath(path: string): boolean {
  return path.startsWith('channels/') || path.startsWith('class/')
}

/** The answer to such a path, decoded; undefined for what no channel and no class has. */
export async function resolvePublishedPath(
  parts: ChannelParts,
  path: string,
  abortable: Abortable = {},
): Promise<Answer | undefined> {
  const [root = '', own = '', archive = '', kind = '', ...rest] = path.split('/')
  const name = root === 'class' ? channelOfClass(own) : own
  if (kind === '' && (archive === 'key.asc' || archive === 'key.gpg')) {
    return keyAnswer(parts, name, archive)
  }
  const view = await findView(parts, name)
  const suites = view?.archives.get(archive)
  if (suites === undefined && archive === KEYRING_ARCHIVE) {
    return keyringAnswer(parts, name, [kind, ...rest])
  }
  if (view === undefined || suites === undefined) return undefined
  const holds = (): boolean => parts.views.head(name) === view
  if (kind === 'pool') {
    const { count } = parts.revocations
    const answer = await poolAnswer(parts, rest, abortable)
    const isSame = (): boolean => parts.revocations.count === count && holds()
    return answer && { ...answer, holds: isSame, archive }
  }
  if (kind !== 'dists') return undefined
  const found = findSuite(suites, rest)
  if (found === undefined) return undefined
  const answer = await suiteAnswer(parts, found.suite, found.path)
  if (answer?.kind === 'blob') return { ...answer, holds, archive }
  if (answer?.kind === 'pieces') return { ...answer, archive }
  if (answer?.kind !== 'bytes') return answer
  if (!/^(In)?Release$/.test(found.path)) return { ...answer, holds, archive }
  const { channel, serial } = view
  const { suite } = found.suite
  const release = { channel, serial, archive, suite, isPinned: name.includes('@') }
  return { ...answer, holds, archive, release }
}

/** The head is in memory; other generations are looked for. */
async function findView(parts: ChannelParts, name: string): Promise<GenerationView | undefined> {
  return name.includes('@') ? findGeneration(parts, name) : parts.views.head(name)
}

/** The suite whose name begins the path (names may hold slashes: the longest wins), and the path below it. */
function findSuite(
  suites: ReadonlyMap<string, SuiteView>,
  segments: readonly string[],
): { suite: SuiteView; path: string } | undefined {
  for (let count = segments.length - 1; count > 0; count--) {
    const suite = suites.get(segments.slice(0, count).join('/'))
    if (suite !== undefined) return { suite, path: segments.slice(count).join('/') }
  }
  return undefined
}

async function suiteAnswer(
  parts: ChannelParts,
  suite: SuiteView,
  path: string,
): Promise<Answer | undefined> {
  const signed = {
    InRelease: suite.inRelease,
    Release: suite.release,
    'Release.gpg': suite.releaseGpg,
  }
  if (path === 'InRelease' || path === 'Release' || path === 'Release.gpg') {
    const type = contentType(path)
    return { kind: 'bytes', data: signed[path], type, modifiedAt: suite.date, isMutable: true }
  }
  const byName = suite.indexes.get(path)
  if (byName !== undefined) return indexAnswer(parts, byName, suite.date, true)
  const extra = suite.extras.get(path)?.sha256
  if (extra !== undefined) return extraAnswer(parts, path, extra, suite.date)
  const pdiff = await findPdiffFile(parts, suite, path)
  if (pdiff !== undefined) return pdiffAnswer(suite, pdiff)
  const hash = /^(?:.+\/)?by-hash\/SHA256\/([0-9a-f]{64})$/.exec(path)?.[1]
  const digest = hash === undefined ? undefined : parseSha256(hash)
  if (digest === undefined) return undefined
  const ofHead = [...suite.indexes.values()].find((forms) => forms.gz.sha256 === digest)
  const forms = ofHead ?? (await findFormsByGz(parts.db, digest))
  if (forms !== undefined) return indexAnswer(parts, forms, digestTime(digest), false)
  const isHere = [...suite.extras.values()].some(({ sha256 }) => sha256 === digest)
  return isHere || (await isFile(parts, digest)) ? extraAnswer(parts, path, digest) : undefined
}

/** Whether it is a blob that was fetched: among them are the extras of earlier generations. */
async function isFile(parts: ChannelParts, digest: Sha256): Promise<boolean> {
  const open = await parts.blobs.openFile(digest)
  await open?.handle.close()
  return open !== undefined
}

/** A file that is listed as it is; called by its digest unless a Last-Modified is told. */
function extraAnswer(
  parts: ChannelParts,
  path: string,
  sha256: Sha256,
  modifiedAt?: number,
): Answer {
  return {
    kind: 'blob',
    sha256,
    type: contentType(path),
    modifiedAt: modifiedAt ?? digestTime(sha256),
    isMutable: modifiedAt !== undefined,
    locate: () => locate(parts.db, sha256),
  }
}

function pdiffAnswer({ date }: SuiteView, { data, digest, isMutable }: PdiffFile): Answer {
  const modifiedAt = isMutable ? date : digestTime(digest)
  return { kind: 'bytes', data, type: contentType('.diff'), modifiedAt, isMutable }
}

function indexAnswer(
  parts: ChannelParts,
  forms: IndexForms,
  modifiedAt: number,
  isMutable: boolean,
): Answer {
  return {
    kind: 'pieces',
    size: forms.gz.size,
    type: contentType('.gz'),
    modifiedAt,
    isMutable,
    open: () => openComposite(parts, forms.root),
  }
}

async function poolAnswer(
  parts: ChannelParts,
  segments: readonly string[],
  abortable: Abortable,
): Promise<Extract<Answer, { kind: 'blob' }> | undefined> {
  const [prefix = '', rest = '', file = '', ...more] = segments
  const named = parseSha256(prefix + rest)
  if (named === undefined || prefix.length !== 2 || file === '' || more.length > 0) return undefined
  // Of a source package all files are called by its .dsc.
  parts.blobs.withdrawn.refuse(named)
  const sha256 = isNamedByDsc(file) ? await findSourceFile(parts, named, file, abortable) : named
  if (sha256 === undefined) return undefined
  return {
    kind: 'blob',
    sha256,
    type: contentType(file),
    isMutable: false,
    locate: () => locate(parts.db, sha256),
  }
}

async function keyAnswer(
  parts: ChannelParts,
  channel: string,
  file: 'key.asc' | 'key.gpg',
): Promise<Answer | undefined> {
  if (parts.views.head(channel) === undefined) return undefined
  const publication = await findPublication(parts.db, publicationOf(channel))
  if (publication === undefined) return undefined
  const { armored, binary, changedAt } = await publicKeyFiles(parts, publication)
  return {
    kind: 'bytes',
    data: file === 'key.asc' ? Buffer.from(armored) : binary,
    type: contentType('.asc'),
    modifiedAt: Math.floor(changedAt / 1000),
    isMutable: true,
  }
}
