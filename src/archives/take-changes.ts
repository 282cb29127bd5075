/**
 * An upload of several files by their `.changes`: judged as soon as that is here, read and published when all is, all of it or
 * nothing. What is refused leaves nothing behind: its files go with it.
 */
import { readFile } from 'node:fs/promises'
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import { readChanges } from '../debian/changes-file.ts'
import type { CheckedDeb } from '../debian/check-deb.ts'
import type { DebWarning } from '../debian/deb-fields.ts'
import { type Dsc, readDsc } from '../debian/dsc-file.ts'
import { checkListed, type ListedFile } from '../debian/file-lists.ts'
import { type FileSums, sumsOf } from '../debian/file-sums.ts'
import { type MatchedUpload, matchUpload, type UploadedFile } from '../debian/match-upload.ts'
import { beyond, refused } from '../debian/upload-refusal.ts'
import { unverified } from '../debian/upload-signature.ts'
import { type Archive, getArchive } from './archive-table.ts'
import { assertLocal } from './change-local.ts'
import { isFinal } from './is-final.ts'
import { packageEntry, sourceEntry } from './local-stanza.ts'
import { type ChangesAsked, judgeChanges, type KnownChanges } from './read-changes.ts'
import { checkInTurn, type UploadParts } from './take-deb.ts'
import { admit, type Publication, type Published } from './upload-queue.ts'

export interface ChangesInput extends Omit<ChangesAsked, 'data'> {
  readonly archive: string
  /** Of the part files that hold it. */
  readonly folder: string
  readonly who: string
  readonly why?: string | undefined
}

export type ChangesOutcome =
  | { readonly kind: 'waiting'; readonly missing: readonly string[] }
  | {
      readonly kind: 'published'
      readonly published: readonly Published[]
      readonly warnings: readonly DebWarning[]
      readonly signer: string | undefined
    }

const MOST_BYTES = 4 * 1024 * 1024

/** Publishes the upload if all of it is here; refused, its files are gone. */
export async function takeChanges(
  parts: UploadParts,
  input: ChangesInput,
  { signal }: Abortable = {},
): Promise<ChangesOutcome> {
  const end = parts.leases.begin()
  try {
    const archive = await getArchive(parts.db, input.archive)
    assertLocal(archive)
    const data = await readSmall(parts, input, input.name)
    const known = await judgeChanges(parts, archive, { ...input, data })
    const { files } = known.changes
    const here = new Set(await parts.partFiles.list(input.folder))
    const missing = files.filter((file) => !here.has(file.name)).map((file) => file.name)
    if (missing.length > 0) return { kind: 'waiting', missing }
    const outcome = await publishAll(parts, archive, input, known, signal)
    await removeAll(parts, input, files)
    return outcome
  } catch (error) {
    if (isFinal(error)) await removeRefused(parts, input)
    throw error
  } finally {
    end()
  }
}

/** By what it lists, signed or not: these came along with it. What lists nothing takes all with it. */
async function removeRefused(parts: UploadParts, input: ChangesInput): Promise<void> {
  try {
    const text = unverified(input.name, await readSmall(parts, input, input.name))
    await removeAll(parts, input, readChanges(input.name, text).files)
  } catch (error) {
    if (!isAppError(error)) throw error
    await parts.partFiles.removeFolder(input.folder)
  }
}

async function removeAll(
  { partFiles }: UploadParts,
  { folder, name }: ChangesInput,
  files: readonly ListedFile[],
): Promise<void> {
  for (const file of [name, ...files.map((one) => one.name)])
    await partFiles.remove({ folder, file })
}

async function publishAll(
  parts: UploadParts,
  archive: Archive,
  input: ChangesInput,
  { changes, suite, component, signer }: KnownChanges,
  signal: AbortSignal | undefined,
): Promise<ChangesOutcome> {
  const { folder, name } = input
  const files = new Map<string, UploadedFile>()
  for (const listed of changes.files)
    files.set(listed.name, await readUploaded(parts, folder, listed, { of: name, signal }))
  const matched = matchUpload(name, changes, files)
  await findAbsent(parts, archive, name, matched)
  const publication: Publication = {
    ...{ archive: archive.name, suite, component, why: input.why },
    entries: entriesOf(matched, files),
    who: signer === undefined ? input.who : `${input.who}, key ${signer}`,
  }
  // Before its bytes are anywhere.
  await admit(parts, archive, publication)
  for (const [file, { sums }] of files)
    if (!file.endsWith('.buildinfo'))
      await parts.blobs.take(parts.partFiles.path({ folder, file }), sums)
  const published = await parts.uploads.publish(publication)
  const warnings = matched.debs.flatMap((deb) => deb.warnings)
  return { kind: 'published', published, warnings, signer }
}

function entriesOf(
  { debs, dsc }: MatchedUpload,
  files: ReadonlyMap<string, UploadedFile>,
): Publication['entries'] {
  const source = [...files].find(([, file]) => file.kind === 'dsc')
  const own =
    dsc === undefined || source === undefined ? [] : [sourceEntry(source[0], dsc, source[1].sums)]
  return [...debs.map(packageEntry), ...own]
}

interface Reading extends Abortable {
  /** The name of the `.changes`. */
  readonly of: string
}

async function readUploaded(
  parts: UploadParts,
  folder: string,
  listed: ListedFile,
  { of, signal }: Reading,
): Promise<UploadedFile> {
  const part = { folder, file: listed.name }
  if (listed.name.endsWith('.deb')) {
    // One that is damaged is told as what it is not, before it is told what is wrong in it.
    checkListed(listed, await sumsOf(parts.partFiles.read(part)), of)
    const deb: CheckedDeb = await checkInTurn(parts, part, { signal })
    return { kind: 'deb', sums: deb, deb }
  }
  const sums: FileSums = await sumsOf(parts.partFiles.read(part))
  checkListed(listed, sums, of)
  if (!listed.name.endsWith('.dsc')) return { kind: 'other', sums }
  const text = unverified(listed.name, await readSmall(parts, { folder }, listed.name))
  const dsc: Dsc = readDsc(listed.name, text)
  return { kind: 'dsc', sums, dsc }
}

async function readSmall(
  { partFiles }: UploadParts,
  { folder }: Pick<ChangesInput, 'folder'>,
  file: string,
): Promise<Buffer> {
  const part = { folder, file }
  if ((await partFiles.size(part)) > MOST_BYTES)
    throw beyond('upload-size', `larger than ${MOST_BYTES} bytes`, { member: file })
  return readFile(partFiles.path(part))
}

/** Parts of the source that did not come along must be here: an upstream tarball of an earlier upload. */
async function findAbsent(
  parts: UploadParts,
  archive: Archive,
  name: string,
  { absent }: MatchedUpload,
): Promise<void> {
  for (const file of absent) {
    if (await parts.blobs.has(file.sha256)) continue
    const what = `${file.name} is neither in the upload nor in ${archive.name}`
    const hint = 'build it again with dpkg-buildpackage -sa, which takes the upstream tarball along'
    throw refused({ reason: 'incomplete', what, hint, member: name })
  }
}
