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
import type { Appending, PartName } from '../store/part-files.ts'
import type { ServerParts } from './parts.ts'

/** Of one file. */
const MOST_BYTES = 20 * 1024 ** 3
const MOST_FILES = 5000
/** Of what one token has begun and not ended. */
const MOST_FOLDERS = 1000
const MOST_WAITING_BYTES = 2 * MOST_BYTES
const uploadable =
  /^[A-Za-z0-9][A-Za-z0-9+.~_-]{0,240}\.(?:changes|buildinfo|deb|dsc|diff\.gz|git|asc|tar\.[a-z0-9]+)$/

const looking = new Map<string, { readonly lock: Mutex; waiting: number }>()

/** The folder of an upload: whose it is, and what else makes it one, in words. */
export function sessionFolder(kind: string, who: string, ...words: readonly string[]): string {
  const own = sha256Of(JSON.stringify([kind, who, ...words])).slice(0, 32)
  return `${sha256Of(who).slice(0, OWNER_LENGTH)}-${own}`
}

const OWNER_LENGTH = 16

/** What limits the bytes that come: the disk's reserve, whatever came beside, and what one token may have waiting. */
export async function boundsOf(
  { partFiles, blobs }: FileParts,
  { folder, file }: PartName,
  length: number,
): Promise<Pick<Appending, 'maxBytes' | 'mayGrow'>> {
  const owner = folder.slice(0, OWNER_LENGTH + 1)
  // Bytes are here twice for a moment.
  await assertRoom(blobs, 2 * length, file)
  const folders = await partFiles.folders(owner)
  if (folders.length >= MOST_FOLDERS && !folders.includes(folder)) {
    throw tooMuch(`${folders.length} uploads of one token were begun and not ended`)
  }
  const mayGrow = async (size: number): Promise<void> => {
    await assertRoom(blobs, size, file)
    let bytes = 0
    for (const one of await partFiles.folders(owner))
      for (const name of await partFiles.list(one))
        bytes += await partFiles.size({ folder: one, file: name })
    if (bytes > MOST_WAITING_BYTES)
      throw tooMuch(`${bytes} bytes of one token wait to be published`)
  }
  return { maxBytes: MOST_BYTES, mayGrow }
}

function tooMuch(message: string): AppError {
  const hint = 'end one of them, or wait: what nobody goes on with for a day is removed'
  return new AppError('ERR_TOO_LARGE', { message, hint })
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
  parts: FileParts,
  { folder, file, part, offset, length }: FileInput,
  body: Readable,
  next: () => Promise<T>,
): Promise<T> {
  const { partFiles } = parts
  checkFileName(file)
  const bounds = await boundsOf(parts, { folder, file }, length ?? 0)
  if ((await partFiles.list(folder)).length > MOST_FILES) {
    throw new AppError('ERR_TOO_LARGE', {
      message: `more than ${MOST_FILES} files wait to be published`,
      hint: 'send the .changes that list them; what waits for a day is removed',
    })
  }
  return partFiles.hold({ folder, file: part }, async (append) => {
    await append(body, { offset, ...bounds })
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
