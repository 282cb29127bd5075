/**
 * The files of an upload by its `.changes`: where they are, and what goes with it. A folder may be shared by who uploads with one
 * token (dput tells no more of itself), so that other uploads may lie in it, and their files are left alone.
 *
 * A file that is missing may be in the archive: an upstream tarball that an earlier upload brought, or one that another upload of
 * the same folder had, and took along when it was published.
 */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isAppError, systemCode } from '../base/errors.ts'
import { readChanges } from '../debian/changes-file.ts'
import type { ListedFile } from '../debian/file-lists.ts'
import { beyond } from '../debian/upload-refusal.ts'
import { unverified } from '../debian/upload-signature.ts'
import type { PartFiles, PartName } from '../store/part-files.ts'
import { type Archive, listSuites } from './archive-table.ts'
import type { LocalParts } from './change-local.ts'
import { chunksAt, readEntries } from './index-parts.ts'
import { readState } from './suite-state.ts'
import { findUploadsOf } from './upload-table.ts'

const MOST_BYTES = 4 * 1024 * 1024
/** Larger ones lie about until the next collection. */
const READ_BYTES = 64 * 1024

type FolderParts = { readonly partFiles: PartFiles }

/** Bytes of a small file of a folder, whole; undefined if it is gone. `ERR_TOO_LARGE` beyond 4 MB. */
export async function readSmall(
  { partFiles }: FolderParts,
  part: PartName,
): Promise<Buffer | undefined> {
  if ((await partFiles.size(part)) > MOST_BYTES)
    throw beyond('upload-size', `larger than ${MOST_BYTES} bytes`, { member: part.file })
  try {
    return await readFile(partFiles.path(part))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** What a `.changes` lists, whoever signed it; nothing where it is gone or cannot be read. */
export async function listedFiles(
  parts: FolderParts,
  part: PartName,
): Promise<readonly ListedFile[]> {
  try {
    const data = await readSmall(parts, part)
    if (data === undefined) return []
    return readChanges(part.file, unverified(part.file, data)).files
  } catch (error) {
    if (isAppError(error)) return []
    throw error
  }
}

/** The `.changes` of a folder that list this file. */
export async function listedBy(parts: FolderParts, part: PartName): Promise<string[]> {
  const all = await changesIn(parts, part.folder)
  const found: string[] = []
  for (const file of all) {
    const listed = await listedFiles(parts, { folder: part.folder, file })
    if (listed.some((one) => one.name === part.file)) found.push(file)
  }
  return found
}

/** Removes a `.changes`, and of these files that it lists those that no other one there waits with. */
export async function removeUpload(
  parts: FolderParts,
  part: PartName,
  files: readonly ListedFile[],
): Promise<void> {
  const { partFiles } = parts
  const { folder } = part
  await partFiles.remove(part)
  const kept = new Set<string>()
  for (const file of await changesIn(parts, folder))
    for (const { name } of await listedFiles(parts, { folder, file })) kept.add(name)
  for (const { name } of files) if (!kept.has(name)) await partFiles.remove({ folder, file: name })
}

async function changesIn({ partFiles }: FolderParts, folder: string): Promise<string[]> {
  return (await partFiles.list(folder)).filter((name) => name.endsWith('.changes'))
}

/** Bytes of a file that the archive has. */
export function readPublished({ blobs }: Pick<LocalParts, 'blobs'>, { sha256 }: ListedFile) {
  return createReadStream(blobs.filePath(sha256), { highWaterMark: READ_BYTES })
}

/** Whether the archive has just this file now: as a package, or as a part of this source. */
export async function isPublished(
  parts: LocalParts,
  archive: Archive,
  source: string,
  file: ListedFile,
): Promise<boolean> {
  if (/\.(deb|dsc)$/.test(file.name)) {
    const rows = await findUploadsOf(parts.db, archive.id, file.sha256)
    return rows.some((row) => row.removedAt === undefined && row.size === file.size)
  }
  for (const { state } of await listSuites(parts.db, archive)) {
    if (state === undefined) continue
    const { indexes } = await readState(parts.blobs, state)
    for (const { root } of indexes.filter((index) => index.kind === 'Sources'))
      if (await isPart(parts, root, source, file)) return true
  }
  return false
}

async function isPart(
  parts: LocalParts,
  root: Parameters<typeof chunksAt>[1],
  source: string,
  { name, size, sha256 }: ListedFile,
): Promise<boolean> {
  for (const chunk of await chunksAt(parts, root)) {
    if (source < chunk.first || source > chunk.last) continue
    for (const entry of await readEntries(parts, chunk, 'Sources'))
      for (const file of entry.name === source ? entry.files : [])
        if (file.sha256 === sha256 && file.size === size && file.path.endsWith(`/${name}`))
          return true
  }
  return false
}
