/**
 * A .deb that was uploaded, from a file nobody vouches for to a package of a local archive: read once and judged, made a blob, and
 * published. Two are read at once at the most, since each may take a hundred megabytes and a processor.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { createSlots } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ByteSource } from '../debian/byte-source.ts'
import { type CheckedDeb, checkDeb } from '../debian/check-deb.ts'
import { checkDebName, type DebWarning } from '../debian/deb-fields.ts'
import { refused, sendAgain } from '../debian/upload-refusal.ts'
import type { PartFiles, PartName } from '../store/part-files.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { getArchive } from './archive-table.ts'
import { assertLocal } from './change-local.ts'
import { isFinal } from './is-final.ts'
import { packageEntry } from './local-stanza.ts'
import { admit, type Publication, type Published, type UploadQueue } from './upload-queue.ts'

/** What takes uploads. */
export interface UploadParts extends ArchiveParts {
  readonly partFiles: PartFiles
  readonly uploads: UploadQueue
}

export interface TakenDeb {
  readonly published: Published
  readonly warnings: readonly DebWarning[]
}

export interface DebInput extends Omit<Publication, 'entries'> {
  /** Where its bytes are. */
  readonly part: PartName
  /** As it is to be named: `NAME_VERSION_ARCHITECTURE.deb`. */
  readonly fileName: string
  /** What the sender says that it is. */
  readonly sha256?: Sha256 | undefined
}

const inTurn = createSlots(2)

/** Checks a .deb, two at once at the most; refusals are `ERR_PACKAGE` and `ERR_TOO_LARGE`. */
export function checkInTurn(
  read: () => ByteSource,
  { signal }: Abortable = {},
): Promise<CheckedDeb> {
  return inTurn(() => checkDeb(read(), { signal }))
}

/** Publishes the .deb, or refuses it; either way its part file is gone then, but for an interruption. */
export async function takeDeb(
  parts: UploadParts,
  input: DebInput,
  { signal }: Abortable = {},
): Promise<TakenDeb> {
  const end = parts.leases.begin()
  try {
    const archive = await getArchive(parts.db, input.archive)
    assertLocal(archive)
    const deb = await checkInTurn(() => parts.partFiles.read(input.part), { signal })
    checkDigest(input, deb)
    checkDebName(input.fileName, deb)
    const publication = { ...input, entries: [packageEntry(deb)] }
    // Before its bytes are anywhere: refused, it leaves nothing behind.
    await admit(parts, archive, publication)
    await parts.blobs.take(parts.partFiles.path(input.part), deb)
    const [published] = await parts.uploads.publish(publication)
    if (published === undefined)
      throw new AppError('ERR_INTERNAL', { message: 'nothing published' })
    await parts.partFiles.remove(input.part)
    return { published, warnings: deb.warnings }
  } catch (error) {
    if (isFinal(error)) await parts.partFiles.remove(input.part)
    throw error
  } finally {
    end()
  }
}

function checkDigest({ sha256 }: DebInput, deb: CheckedDeb): void {
  if (sha256 === undefined || sha256 === deb.sha256) return
  const what = `it has the SHA-256 ${deb.sha256}, and was sent as ${sha256}`
  throw refused({ reason: 'file-differs', what, hint: sendAgain })
}
