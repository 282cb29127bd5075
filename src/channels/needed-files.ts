/**
 * The files that a change of a channel needs before it is published: all of them, or it is refused.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { assertRoom } from '../store/disk-reserve.ts'
import type { ChannelParts } from './channel-parts.ts'
import {
  type FetchFailure,
  type FetchProgress,
  fetchFiles,
  type NeededFile,
} from './fetch-files.ts'
import type { Books } from './file-ledger.ts'
import { missingFiles } from './missing-files.ts'

const NAMED = 10

/** A file with what it belongs to. */
export interface NamedFile extends NeededFile {
  readonly package: string
  readonly version: string
  readonly architecture: string
}

/**
 * Fetches these files. `ERR_REFUSED` names those that are lost: no archive lists them any more and no URL has them; what
 * may only be out of reach for the moment is the upstream's error.
 */
export async function fetchNeeded(
  parts: ChannelParts,
  files: readonly NamedFile[],
  onFile: ((progress: FetchProgress) => void) | undefined,
  { signal }: Abortable,
): Promise<void> {
  await assertRoomFor(parts, files)
  const options = { onFile, goOn: ({ isGone }: FetchFailure<NamedFile>) => isGone }
  const failures = await fetchFiles(parts, files, options, { signal })
  const [first] = failures
  if (first === undefined) return
  const passing = failures.find((failure) => !failure.isGone)
  if (passing !== undefined) throw passing.error
  const lost = await unlisted(
    parts,
    failures.map((failure) => failure.file),
    { signal },
  )
  if (lost.length === 0) throw first.error
  throw new AppError('ERR_REFUSED', {
    message: `${lost.length === 1 ? 'a file is' : `${lost.length} files are`} lost: ${namesOf(lost)}; upstream replaced what was not here yet`,
    hint: 'if another server still has such files: sluice archive set ARCHIVE --fallback URL',
    details: { lost },
    cause: first.error,
  })
}

/** Before the first of them is fetched: half of what is needed is of no use. */
async function assertRoomFor({ blobs }: ChannelParts, files: readonly NamedFile[]): Promise<void> {
  const here = await blobs.present(files.map(({ sha256 }) => sha256))
  const missing = files.filter(({ sha256 }) => !here.has(sha256))
  const bytes = missing.reduce((sum, { size }) => sum + size, 0)
  if (bytes > 0) await assertRoom(blobs, bytes, 'what is to be published')
}

/** Those of these files that are known to be lost. */
export async function findLost<File extends NeededFile>(
  parts: ChannelParts,
  files: readonly File[],
  abortable: Abortable,
): Promise<File[]> {
  if (files.length === 0) return []
  return parts.ledger.look(async (books) => {
    const missing = await missingFiles(parts, books)
    return files.filter((file) => missing.get(numberOf(books, file))?.isLost === true)
  }, abortable)
}

async function unlisted(
  parts: ChannelParts,
  files: readonly NamedFile[],
  abortable: Abortable,
): Promise<NamedFile[]> {
  return parts.ledger.look(
    (books) => files.filter((file) => !books.isListed(numberOf(books, file))),
    abortable,
  )
}

function numberOf({ files }: Books, { sha256 }: NeededFile): number {
  return files.find(Buffer.from(sha256, 'hex'), 0)
}

function namesOf(files: readonly NamedFile[]): string {
  const names = files.map((one) => `${one.package} ${one.version} ${one.architecture}`)
  const more = names.length - NAMED
  return more > 0 ? `${names.slice(0, NAMED).join(', ')} and ${more} more` : names.join(', ')
}
