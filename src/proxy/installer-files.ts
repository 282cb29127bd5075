/**
 * Images of the installer: a Release lists no more of them than `SHA256SUMS`, and that lists them. So they are verified
 * like all else, and kept in the store, as long as the newest Release names that list.
 *
 * The list tells digests and no sizes; a size is asked for before the first fetch.
 */
import { type Answer, contentType } from '../archives/answer.ts'
import type { Downloads } from '../archives/download.ts'
import type { Upstream } from '../archives/upstream.ts'
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { parseSha256, type Sha256, sha256In } from '../base/sha256.ts'
import type { Release, ReleaseFile } from '../debian/release.ts'
import type { BlobStore } from '../store/blobs.ts'

const MAX_SUMS_BYTES = 4 * 1024 * 1024
const MAX_IMAGE_BYTES = 16 * 1024 ** 3
const listedSums = /^ +([0-9a-f]{64}) +\d+ +\S*\/installer-\w+\/\S*\/SHA256SUMS$/gm

export interface ImageParts {
  readonly blobs: BlobStore
  readonly downloads: Pick<Downloads, 'fetch'>
  readonly upstream: Pick<Upstream, 'get'>
}

/** A suite, and where its files are. */
export interface ImageSource {
  readonly release: Release
  /** For people. */
  readonly archive: string
  /** Epoch seconds: what the image is called by can change. */
  readonly modifiedAt: number
  /** Complete URLs of a file that Release lists, and of any other path below the suite. */
  readonly urlsOf: (file: ReleaseFile | string) => readonly string[]
}

export interface InstallerFiles {
  /** The image at this path below the suite; undefined if no list names it, or it cannot be told how long it is. */
  answer(source: ImageSource, path: string, abortable: Abortable): Promise<Answer | undefined>
}

interface State extends ImageParts {
  readonly lists: Lru<Sha256, ReadonlyMap<string, Sha256>>
  readonly sizes: Lru<Sha256, Promise<number | undefined>>
}

/** Nothing is known yet. */
export function createInstallerFiles(parts: ImageParts): InstallerFiles {
  const state: State = { ...parts, lists: createLru(32), sizes: createLru(1000) }
  return {
    answer: (source, path, { signal }) => imageAnswer(state, source, path, signal),
  }
}

/** The digests that the lists of a Release name, as far as the lists are in the store, and those of the lists. */
export async function imagesNamed(blobs: BlobStore, release: Buffer): Promise<Sha256[]> {
  const lists = [...release.toString('latin1').matchAll(listedSums)].flatMap(
    ([, digest = '']) => parseSha256(digest) ?? [],
  )
  const here = await blobs.present([...new Set(lists)])
  const named: Sha256[] = [...here]
  for (const list of here) named.push(...sha256In(await blobs.read(list, MAX_SUMS_BYTES)))
  return named
}

async function imageAnswer(
  state: State,
  source: ImageSource,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Answer | undefined> {
  if (!/(?:^|\/)installer-\w+\//.test(path)) return undefined
  const list = listFor(source.release, path)
  const digests = list && (await readList(state, source, list, signal))
  const sha256 = list && digests?.get(path.slice(list.path.lastIndexOf('/') + 1))
  const size = sha256 && (await sizeOf(state, source, { sha256, path }))
  if (sha256 === undefined || size === undefined) return undefined
  const { archive } = source
  return {
    kind: 'blob',
    sha256,
    type: contentType(path),
    isMutable: true,
    modifiedAt: source.modifiedAt,
    archive,
    locate: async () => ({
      wanted: { sha256, size, label: path.slice(path.lastIndexOf('/') + 1) },
      source: { urls: source.urlsOf(path) },
      archive,
    }),
  }
}

/** The nearest list above the path. */
function listFor(release: Release, path: string): ReleaseFile | undefined {
  for (let dir = path; dir.includes('/'); ) {
    dir = dir.slice(0, dir.lastIndexOf('/'))
    const list = release.files.get(`${dir}/SHA256SUMS`)
    if (list !== undefined) return list.size <= MAX_SUMS_BYTES ? list : undefined
  }
  return undefined
}

/** Undefined where it cannot be had: then nothing is verified by it. */
async function readList(
  { blobs, downloads, lists }: State,
  { urlsOf, archive }: ImageSource,
  list: ReleaseFile,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Sha256> | undefined> {
  const known = lists.get(list.sha256)
  if (known !== undefined) return known
  try {
    const { sha256, size, path } = list
    if (!(await blobs.has(sha256))) {
      const wanted = { sha256, size, label: `${archive} ${path}` }
      await downloads.fetch(wanted, { urls: urlsOf(list) }, { signal })
    }
    const found = new Map<string, Sha256>()
    const text = (await blobs.read(sha256, MAX_SUMS_BYTES)).toString()
    for (const [, hex = '', file = ''] of text.matchAll(/^([0-9a-f]{64}) [ *](?:\.\/)?(\S+)$/gm)) {
      const digest = parseSha256(hex)
      if (digest !== undefined) found.set(file, digest)
    }
    lists.set(sha256, found)
    return found
  } catch (error) {
    if (isAppError(error) && signal?.aborted !== true) return undefined
    throw error
  }
}

/** What upstream says; asked once by all who want it. */
async function sizeOf(
  { blobs, upstream, sizes }: State,
  { urlsOf }: ImageSource,
  { sha256, path }: { readonly sha256: Sha256; readonly path: string },
): Promise<number | undefined> {
  const open = await blobs.openFile(sha256)
  if (open !== undefined) {
    await open.handle.close()
    return open.size
  }
  const known = sizes.get(sha256)
  if (known !== undefined) return known
  const asked = askSize(upstream, urlsOf(path)).catch(() => undefined)
  sizes.set(sha256, asked)
  const size = await asked
  if (size === undefined) sizes.delete(sha256)
  return size
}

async function askSize(
  upstream: Pick<Upstream, 'get'>,
  urls: readonly string[],
): Promise<number | undefined> {
  for (const url of urls) {
    const { contentLength, body } = await upstream.get(url, { maxBytes: MAX_IMAGE_BYTES }, {})
    await body[Symbol.asyncIterator]().return?.()
    if (contentLength !== undefined) return contentLength
  }
  return undefined
}
