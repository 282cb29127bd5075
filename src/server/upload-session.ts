/**
 * Uploads of several files: a folder for each, in which files are whole or have `.part` at their end, and one look at a time
 * whether all are here.
 */
import type { Readable } from 'node:stream'
import { type ChangesInput, type ChangesOutcome, takeChanges } from '../archives/take-changes.ts'
import { AppError } from '../base/errors.ts'
import { createMutex, type Mutex } from '../base/mutex.ts'
import { sha256Of } from '../base/sha256.ts'
import { assertRoom } from '../store/disk-reserve.ts'
import type { ServerParts } from './parts.ts'

/** Of one file. */
export const MOST_BYTES = 20 * 1024 ** 3
const MOST_FILES = 5000
const uploadable =
  /^[A-Za-z0-9][A-Za-z0-9+.~_-]{0,240}\.(?:changes|buildinfo|deb|dsc|diff\.gz|git|asc|tar\.[a-z0-9]+)$/

const looking = new Map<string, { readonly lock: Mutex; waiting: number }>()

/** The folder of an upload: what makes it one, in words. */
export function sessionFolder(...words: readonly string[]): string {
  return sha256Of(JSON.stringify(words)).slice(0, 32)
}

/** Refuses a name that no file of a package has. */
export function checkFileName(file: string): void {
  if (uploadable.test(file)) return
  throw new AppError('ERR_USAGE', {
    message: `${JSON.stringify(file.slice(0, 120))} is no file of an upload`,
    hint: '.changes, and what it lists: .dsc, .deb, .buildinfo, tarballs',
  })
}

export interface FileInput {
  readonly folder: string
  readonly file: string
  /** Where the body begins in the file. */
  readonly offset: number
  /** Of the body; undefined where that was not told. */
  readonly length: number | undefined
}

/** Takes the bytes of a file; with them it is whole. One that breaks off can be gone on with. */
export async function takeFileBytes(
  { partFiles, blobs }: Pick<ServerParts, 'partFiles' | 'blobs'>,
  { folder, file, offset, length }: FileInput,
  body: Readable,
): Promise<void> {
  checkFileName(file)
  // Its bytes are here twice for a moment.
  await assertRoom(blobs, 2 * (length ?? 0), file)
  if ((await partFiles.list(folder)).length > MOST_FILES) {
    throw new AppError('ERR_TOO_LARGE', { message: `more than ${MOST_FILES} files in one upload` })
  }
  const part = { folder, file: `${file}.part` }
  await partFiles.append(part, body, { offset, maxBytes: MOST_BYTES })
  await partFiles.rename(part, file)
}

/** Publishes what this `.changes` lists, if all of it is here; see take-changes.ts. */
export async function takeSession(
  parts: ServerParts,
  input: ChangesInput,
): Promise<ChangesOutcome> {
  const { folder, archive } = input
  const slot = looking.get(folder) ?? { lock: createMutex(), waiting: 0 }
  looking.set(folder, slot)
  slot.waiting += 1
  try {
    const outcome = await slot.lock(() => takeChanges(parts, input))
    const isNew =
      outcome.kind === 'published' && outcome.published.some((one) => one.outcome === 'published')
    if (isNew) parts.uploadFollow.note(archive)
    return outcome
  } finally {
    slot.waiting -= 1
    if (slot.waiting === 0) looking.delete(folder)
  }
}
