/**
 * The changelog of a source package, out of one of its binary packages (deb-changelog.ts tells where it lies).
 *
 * Which of the packages is read: one that is here rather than one that is not, a small one rather than a large one. A
 * package that is not here is fetched, and kept as any other.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { compressionOf, decompressTo } from '../debian/compression.ts'
import { fieldValue, splitStanzas } from '../debian/control.ts'
import { withoutEpoch } from '../debian/version.ts'
import type { OpenBlob } from '../store/blobs.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { type Archive, getArchive } from './archive-table.ts'
import { latestOfSource } from './chunk-table.ts'
import { type DebPackage, findChangelog, type PackedChangelog } from './deb-changelog.ts'
import { readStanza } from './index-kinds.ts'
import { readChunk } from './index-parts.ts'
import { locateOrigin } from './locate.ts'
import { type Origin, originsOf } from './origins.ts'

/** Which changelog. */
export interface ChangelogName {
  readonly archive: string
  readonly source: string
  /** Of the source package, without the epoch, as apt asks for it. */
  readonly version: string
}

/** A binary package of the source, as the archive has it. */
interface Deb extends DebPackage {
  readonly origin: Origin
  readonly isHere: boolean
}

const MAX_CHUNKS = 500
/** Packages without a changelog that are looked into before it is given up. */
const MAX_TRIES = 4
/** What is fetched only to read its changelog. */
const MAX_FETCHED_BYTES = 256 * 1024 ** 2
const MAX_TEXT_BYTES = 16 * 1024 ** 2

/** The text; `ERR_NOT_FOUND` if no package of the source has one, upstream's errors if none could be fetched. */
export async function readChangelog(
  parts: ArchiveParts,
  name: ChangelogName,
  { signal }: Abortable = {},
): Promise<Buffer> {
  const archive = await getArchive(parts.db, name.archive)
  const debs = await debsOf(parts, archive, name)
  const open = (deb: Deb): Promise<OpenBlob> => openDeb({ parts, archive, signal }, deb)
  let problem: unknown
  for (const deb of debs.slice(0, MAX_TRIES)) {
    try {
      const found = await findChangelog({ debs, open, signal }, deb)
      if (found !== 'none' && found !== 'not here') return await unpacked(found, signal)
    } catch (error) {
      signal?.throwIfAborted()
      problem ??= error
    }
  }
  const { source, version } = name
  throw (
    problem ??
    new AppError('ERR_NOT_FOUND', {
      message:
        debs.length === 0
          ? `archive ${archive.name} has no package of ${source} ${version}`
          : `no package of ${source} ${version} has a changelog`,
    })
  )
}

async function debsOf(
  parts: ArchiveParts,
  archive: Archive,
  { source, version }: ChangelogName,
): Promise<Deb[]> {
  const found = new Map<Sha256, Omit<Deb, 'isHere'>>()
  for (const chunk of await latestOfSource(parts.db, source, MAX_CHUNKS)) {
    const text = await readChunk(parts, chunk)
    const ranges = splitStanzas(text)
    for (let at = 0; at < ranges.length; at += 2) {
      const [start = 0, end = 0] = ranges.subarray(at, at + 2)
      // Stanzas of Sources name no one file.
      if (fieldValue(text, start, end, 'Filename') === undefined) continue
      const stanza = readStanza('Packages', text, { start, end })
      const [file] = stanza.files
      const isIt = stanza.source === source && withoutEpoch(stanza.sourceVersion) === version
      if (!isIt || file === undefined || found.has(file.sha256)) continue
      const { name, architecture } = stanza
      for (const origin of await originsOf(parts.db, file.sha256)) {
        if (origin.archiveId === archive.id)
          found.set(file.sha256, { package: name, architecture, origin })
      }
    }
    await breathe()
  }
  const here = await parts.blobs.present([...found.keys()])
  return [...found.values()]
    .map((deb) => ({ ...deb, isHere: here.has(deb.origin.sha256) }))
    .filter((deb) => deb.isHere || deb.origin.size <= MAX_FETCHED_BYTES)
    .sort((a, b) => Number(b.isHere) - Number(a.isHere) || a.origin.size - b.origin.size)
}

async function openDeb(
  { parts, archive, signal }: Abortable & { parts: ArchiveParts; archive: Archive },
  { origin }: Deb,
): Promise<OpenBlob> {
  const { wanted, source } = locateOrigin(archive, origin)
  const isHere = await parts.blobs.has(origin.sha256)
  if (!isHere) await parts.downloads.fetch(wanted, source, { signal, taker: 'files' })
  const open = await parts.blobs.openFile(origin.sha256)
  if (open !== undefined) return open
  throw new AppError('ERR_BLOB_MISSING', {
    message: `${wanted.label} went away while it was read`,
  })
}

function unpacked(
  { path, data }: PackedChangelog,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  async function* once(): AsyncGenerator<Buffer> {
    yield data
  }
  return decompressTo(compressionOf(path), once(), { max: MAX_TEXT_BYTES }, { signal })
}
