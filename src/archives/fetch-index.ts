/**
 * Fetches one `Packages` file of a suite and unpacks it: by hash, else by name, in the form that is here soonest.
 *
 * What Release says of length and SHA-256 holds for the file as fetched (it becomes a blob, which proxy mode serves)
 * and again for the text after unpacking.
 */
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { type Sha256, sha256Stream } from '../base/sha256.ts'
import type { ByteSource } from '../debian/byte-source.ts'
import { type Compression, compressionOf, decompress, letGo } from '../debian/compression.ts'
import type { Release, ReleaseFile } from '../debian/release.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { ArchiveSettings } from './archive-table.ts'
import type { Downloads } from './download.ts'
import type { IndexText } from './index-text.ts'
import { inDirectory, suiteDirectory, urlBelow } from './suite-place.ts'

/** An index larger than this after unpacking is refused; Debian's largest has some 60 MB. */
const MAX_INDEX_BYTES = 1024 * 1024 * 1024
const ASSUMED_BYTES_PER_S = 12_500_000
/** Bytes of text unpacked in a second, measured on one core. */
const UNPACKED_PER_S: Partial<Record<Compression, number>> = {
  none: 2e9,
  gz: 200e6,
  xz: 52e6,
  bz2: 8e6,
}

/** A suite of an archive, and where it stands. */
export interface SuitePlace {
  /** Roots of the archive. */
  readonly urls: readonly string[]
  readonly suite: string
  /** Where its Release lies below a root. */
  readonly directory: string
}

export interface IndexSource extends SuitePlace {
  readonly release: Release
}

/** The place of the suite of this name. */
export function suitePlace(
  settings: Pick<ArchiveSettings, 'urls' | 'suites'>,
  suite: string,
): SuitePlace {
  return { urls: settings.urls, suite, directory: suiteDirectory(settings, suite) }
}

/** The forms of an index that Release names and that can be read here, the one that is here soonest first. */
export function indexForms(release: Release, path: string): ReleaseFile[] {
  const plainSize = release.files.get(path)?.size
  const cost = (file: ReleaseFile): number => {
    const rate = UNPACKED_PER_S[compressionOf(file.path)] ?? 1e6
    return file.size / ASSUMED_BYTES_PER_S + (plainSize ?? file.size * 5) / rate
  }
  return ['', '.gz', '.xz', '.bz2']
    .flatMap((ending) => release.files.get(path + ending) ?? [])
    .sort((a, b) => cost(a) - cost(b))
}

/** How to fetch: when to stop, and whom to tell how many bytes of how many are here. */
export interface FetchOptions extends Abortable {
  readonly onBytes?: ((written: number, size: number) => void) | undefined
}

/** Fetches the index at `path` below the suite, in its first form that can be had, and adds its text to `text`. */
export async function fetchIndex(
  parts: { readonly blobs: BlobStore; readonly downloads: Downloads },
  source: IndexSource,
  { path, text }: { readonly path: string; readonly text: IndexText },
  { signal, onBytes }: FetchOptions,
): Promise<ReleaseFile> {
  let problem: unknown
  for (const file of indexForms(source.release, path)) {
    try {
      await addFile(parts, source, { path, text, file }, { signal, onBytes })
      return file
    } catch (error) {
      if (signal?.aborted) throw error
      problem ??= error
    }
  }
  throw (
    problem ??
    new AppError('ERR_FORMAT', { message: `${source.suite}: Release does not name ${path}` })
  )
}

interface Added {
  readonly path: string
  readonly text: IndexText
  readonly file: ReleaseFile
}

/** Adds the text of one form. One that is not here is unpacked while it arrives: its end comes when its digest matched. */
async function addFile(
  { blobs, downloads }: { readonly blobs: BlobStore; readonly downloads: Downloads },
  source: IndexSource,
  { path, text, file }: Added,
  { signal, onBytes }: FetchOptions,
): Promise<void> {
  const add = (bytes: ByteSource): Promise<void> =>
    text.append(unpack(bytes, source.release, { path, file }, signal))
  if (!(await blobs.has(file.sha256))) {
    const { sha256, size } = file
    const wanted = { sha256, size, label: `${source.suite} ${file.path}` }
    const from = { urls: fileUrls(source, file) }
    const failed = new AbortController()
    const until = { signal: signal ? AbortSignal.any([signal, failed.signal]) : failed.signal }
    const landing = downloads
      .fetch(wanted, from, { signal, onBytes: (written) => onBytes?.(written, size) })
      .catch((error: unknown) => {
        failed.abort()
        throw error
      })
    const adding = downloads.open(wanted, from, until).then(async (download) => {
      await add(download.read(0, until)).finally(() => download.end?.())
    })
    const [landed, added] = await Promise.allSettled([landing, adding])
    if (landed.status === 'rejected') throw landed.reason
    // Where the first URL gave wrong bytes, these were read, and another had the right ones.
    if (added.status === 'fulfilled') return
  }
  await add(await readable(blobs, file.sha256))
}

/** Where a file of a suite can be had: by hash where the suite offers that, then by name, at each URL of the archive. */
export function fileUrls(source: IndexSource, file: ReleaseFile): string[] {
  const dir = file.path.includes('/') ? file.path.slice(0, file.path.lastIndexOf('/') + 1) : ''
  const paths = source.release.acquireByHash
    ? [`${dir}by-hash/SHA256/${file.sha256}`, file.path]
    : [file.path]
  return source.urls.flatMap((url) =>
    paths.map((path) => urlBelow(url, inDirectory(source.directory, path))),
  )
}

/** Where a file of a suite can be had by its name. */
export function namedUrls({ urls, directory }: SuitePlace, path: string): string[] {
  return urls.map((url) => urlBelow(url, inDirectory(directory, path)))
}

async function* unpack(
  source: ByteSource,
  release: Release,
  { path, file }: { readonly path: string; readonly file: ReleaseFile },
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, undefined> {
  const plain = release.files.get(path)
  const hash = sha256Stream()
  let size = 0
  const kind = compressionOf(file.path)
  for await (const piece of decompress(kind, source, { signal })) {
    size += piece.length
    if (size > (plain?.size ?? MAX_INDEX_BYTES)) break
    hash.update(piece)
    yield piece
    letGo(kind, piece)
  }
  if (plain !== undefined && (size !== plain.size || hash.digest() !== plain.sha256)) {
    throw new AppError('ERR_DIGEST_MISMATCH', {
      message: `${file.path}: its text is not what Release names`,
      hint: 'the archive was published broken; it is tried again at the next refresh',
    })
  }
  if (size <= MAX_INDEX_BYTES) return
  throw new AppError('ERR_TOO_LARGE', {
    message: `${file.path} is larger than ${MAX_INDEX_BYTES} bytes`,
  })
}

async function readable(blobs: BlobStore, sha256: Sha256): Promise<Readable> {
  const file = await blobs.openFile(sha256)
  if (file === undefined) return Readable.from([await blobs.read(sha256)])
  return createReadStream('', { fd: file.handle, highWaterMark: 1024 * 1024 })
}
