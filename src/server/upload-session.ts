/**
 * Uploads of several files: folders in which files are whole or have `.part` at their end. One at a time makes a file whole, or
 * looks whether all of an upload are here: while one is published nobody else sees its files go.
 */
import type { Readable } from 'node:stream'
import { type ChangesInput, type ChangesOutcome, takeChanges } from '../archives/take-changes.ts'
import { AppError } from '../base/errors.ts'
import { createMutex, type Mutex } from '../base/mutex.ts'
import { sha256Of } from '../base/sha256.ts'
import { assertRoom } from '../store/disk-reserve.ts'
import type { PartName } from '../store/part-files.ts'
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

export interface FileInput extends PartName {
  /** Where its bytes are until they are whole, in the same folder. */
  readonly part: string
  /** Where the body begins in the file. */
  readonly offset: number
  /** Of the body; undefined where that was not told. */
  readonly length: number | undefined
}

type FileParts = Pick<ServerParts, 'partFiles' | 'blobs'>

/** Takes the bytes of a file, with which it is whole, and then does `next`. One that breaks off can be gone on with. */
export async function takeFileBytes<T>(
  { partFiles, blobs }: FileParts,
  { folder, file, part, offset, length }: FileInput,
  body: Readable,
  next: () => Promise<T>,
): Promise<T> {
  checkFileName(file)
  // Its bytes are here twice for a moment.
  await assertRoom(blobs, 2 * (length ?? 0), file)
  if ((await partFiles.list(folder)).length > MOST_FILES) {
    throw new AppError('ERR_TOO_LARGE', {
      message: `more than ${MOST_FILES} files wait to be published`,
      hint: 'send the .changes that list them; what waits for a day is removed',
    })
  }
  return partFiles.hold({ folder, file: part }, async (append) => {
    await append(body, { offset, maxBytes: MOST_BYTES })
    return inFolder(folder, async () => {
      await partFiles.rename({ folder, file: part }, file)
      return next()
    })
  })
}

/** Works in a folder alone. */
export async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const slot = looking.get(folder) ?? { lock: createMutex(), waiting: 0 }
  looking.set(folder, slot)
  slot.waiting += 1
  try {
    return await slot.lock(work)
  } finally {
    slot.waiting -= 1
    if (slot.waiting === 0) looking.delete(folder)
  }
}

/** Publishes what this `.changes` lists, if all of it is here; see take-changes.ts. The caller works in its folder alone. */
export async function takeSession(
  parts: ServerParts,
  input: ChangesInput,
): Promise<ChangesOutcome> {
  const outcome = await takeChanges(parts, input)
  const isNew =
    outcome.kind === 'published' && outcome.published.some((one) => one.outcome === 'published')
  if (isNew) parts.uploadFollow.note(input.archive)
  return outcome
}
