/**
 * A .deb that was uploaded, from a file nobody vouches for to a package of a local archive: read once and judged, made a blob, and
 * published.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { CheckedDeb } from '../debian/check-deb.ts'
import { checkDebName, type DebWarning } from '../debian/deb-fields.ts'
import { refused, sendAgain } from '../debian/upload-refusal.ts'
import type { PartFiles, PartName } from '../store/part-files.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { getArchive } from './archive-table.ts'
import { assertLocal } from './change-local.ts'
import { checkInTurn } from './check-in-turn.ts'
import { putFileList } from './file-list-table.ts'
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
    const deb = await checkInTurn(() => parts.partFiles.read(input.part), {
      listFiles: archive.settings.extras?.includes('contents'),
      signal,
    })
    checkDigest(input, deb)
    checkDebName(input.fileName, deb)
    const publication = { ...input, entries: [packageEntry(deb)] }
    // Before its bytes are anywhere: refused, it leaves nothing behind.
    await admit(parts, archive, publication)
    await parts.blobs.take(parts.partFiles.path(input.part), deb)
    if (deb.fileList !== undefined) await putFileList(parts.db, deb.sha256, deb.fileList)
    crashPoint('upload: files listed, not published')
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

function checkDigest({ sha256 }: DebInput, deb: Pick<CheckedDeb, 'sha256'>): void {
  if (sha256 === undefined || sha256 === deb.sha256) return
  const what = `it has the SHA-256 ${deb.sha256}, and was sent as ${sha256}`
  throw refused({ reason: 'file-differs', what, hint: sendAgain })
}
