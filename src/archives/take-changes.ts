/**
 * An upload of several files by their `.changes`: judged as soon as that is here, read and published when all is, all of it or
 * nothing. What is refused leaves nothing behind: its files go with it.
 */
import type { Abortable } from '../base/abortable.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ByteSource } from '../debian/byte-source.ts'
import type { DebWarning } from '../debian/deb-fields.ts'
import { type Dsc, readDsc } from '../debian/dsc-file.ts'
import { checkListed, type ListedFile } from '../debian/file-lists.ts'
import { type FileSums, sumsOf } from '../debian/file-sums.ts'
import { type MatchedUpload, matchUpload, type UploadedFile } from '../debian/match-upload.ts'
import { refused } from '../debian/upload-refusal.ts'
import { unverified } from '../debian/upload-signature.ts'
import type { PartName } from '../store/part-files.ts'
import { type Archive, getArchive } from './archive-table.ts'
import { assertLocal } from './change-local.ts'
import { checkInTurn } from './check-in-turn.ts'
import { putFileList } from './file-list-table.ts'
import { isFinal } from './is-final.ts'
import { packageEntry, sourceEntry } from './local-stanza.ts'
import { type ChangesAsked, judgeChanges, type KnownChanges } from './read-changes.ts'
import type { UploadParts } from './take-deb.ts'
import { isPublished, listedFiles, readPublished, readSmall, removeUpload } from './upload-files.ts'
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

/** Publishes the upload if all of it is here; refused, its files are gone. One at a time in a folder: see upload-session.ts. */
export async function takeChanges(
  parts: UploadParts,
  input: ChangesInput,
  { signal }: Abortable = {},
): Promise<ChangesOutcome> {
  const end = parts.leases.begin()
  try {
    const archive = await getArchive(parts.db, input.archive)
    assertLocal(archive)
    const data = await readSmall(parts, partOf(input))
    if (data === undefined) return { kind: 'waiting', missing: [input.name] }
    const known = await judgeChanges(parts, archive, { ...input, data })
    const { files, source } = known.changes
    const here = new Set(await parts.partFiles.list(input.folder))
    const absent = files.filter((file) => !here.has(file.name))
    const published = new Set<ListedFile>()
    for (const file of absent)
      if (await isPublished(parts, archive, source, file)) published.add(file)
    // Nobody keeps these: where the rest went with another upload, they did too.
    const isNeeded = (file: ListedFile): boolean =>
      published.size === 0 || !file.name.endsWith('.buildinfo')
    const missing = absent.filter((file) => !published.has(file) && isNeeded(file))
    if (missing.length > 0) return { kind: 'waiting', missing: missing.map((file) => file.name) }
    const all = files.filter((file) => here.has(file.name) || published.has(file))
    const whole = { ...known, changes: { ...known.changes, files: all }, here }
    const outcome = await publishAll(parts, archive, input, whole, signal)
    await removeUpload(parts, partOf(input), files)
    return outcome
  } catch (error) {
    if (isFinal(error)) await removeRefused(parts, input)
    throw error
  } finally {
    end()
  }
}

function partOf({ folder, name }: Pick<ChangesInput, 'folder' | 'name'>): PartName {
  return { folder, file: name }
}

/** By what it lists, signed or not: these came along with it, where they have the size that it tells. */
async function removeRefused(parts: UploadParts, input: ChangesInput): Promise<void> {
  const { folder } = input
  const own: ListedFile[] = []
  for (const file of await listedFiles(parts, partOf(input)))
    if ((await parts.partFiles.size({ folder, file: file.name })) === file.size) own.push(file)
  await removeUpload(parts, partOf(input), own)
}

interface WholeUpload extends KnownChanges {
  /** What of it is in its folder; the archive has the rest. */
  readonly here: ReadonlySet<string>
}

async function publishAll(
  parts: UploadParts,
  archive: Archive,
  input: ChangesInput,
  { changes, suite, component, signer, here }: WholeUpload,
  signal: AbortSignal | undefined,
): Promise<ChangesOutcome> {
  const { folder, name } = input
  const files = new Map<string, UploadedFile>()
  const reading = { of: name, here, lists: listsFor(archive), signal }
  for (const listed of changes.files)
    files.set(listed.name, await readUploaded(parts, folder, listed, reading))
  const matched = matchUpload(name, changes, files)
  await findAbsent(parts, archive, changes.source, { name, matched })
  const publication: Publication = {
    ...{ archive: archive.name, suite, component, why: input.why },
    entries: entriesOf(matched, files),
    who: signer === undefined ? input.who : `${input.who}, key ${signer}`,
  }
  // Before its bytes are anywhere.
  await admit(parts, archive, publication)
  for (const [file, { sums }] of files)
    if (!file.endsWith('.buildinfo') && here.has(file))
      await parts.blobs.take(parts.partFiles.path({ folder, file }), sums)
  for (const [sha256, list] of reading.lists ?? []) await putFileList(parts.db, sha256, list)
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
  readonly here: ReadonlySet<string>
  /** Which files each .deb has; where the archive is asked for Contents. */
  readonly lists: Map<Sha256, Buffer> | undefined
}

function listsFor({ settings }: Archive): Reading['lists'] {
  return settings.extras?.includes('contents') ? new Map() : undefined
}

async function readUploaded(
  parts: UploadParts,
  folder: string,
  listed: ListedFile,
  { of, here, lists, signal }: Reading,
): Promise<UploadedFile> {
  const part = { folder, file: listed.name }
  const read = (): ByteSource =>
    here.has(listed.name) ? parts.partFiles.read(part) : readPublished(parts, listed)
  // One that is damaged is told as what it is not, before it is told what is wrong in it.
  const sums: FileSums = await sumsOf(read())
  checkListed(listed, sums, of)
  if (listed.name.endsWith('.deb')) {
    const deb = await checkInTurn(read, { listFiles: lists !== undefined, signal })
    if (deb.fileList !== undefined) lists?.set(deb.sha256, deb.fileList)
    return { kind: 'deb', sums: deb, deb }
  }
  if (!listed.name.endsWith('.dsc')) return { kind: 'other', sums }
  const data = here.has(listed.name)
    ? await readSmall(parts, part)
    : await parts.blobs.read(listed.sha256)
  const dsc: Dsc = readDsc(listed.name, unverified(listed.name, data ?? Buffer.alloc(0)))
  return { kind: 'dsc', sums, dsc }
}

/** Parts of the source that did not come along must be here: an upstream tarball of an earlier upload. */
async function findAbsent(
  parts: UploadParts,
  archive: Archive,
  source: string,
  { name, matched }: { readonly name: string; readonly matched: MatchedUpload },
): Promise<void> {
  for (const file of matched.absent) {
    if (await isPublished(parts, archive, source, file)) continue
    const what = `${file.name} is neither in the upload nor in ${archive.name}`
    const hint = 'build it again with dpkg-buildpackage -sa, which takes the upstream tarball along'
    throw refused({ reason: 'incomplete', what, hint, member: name })
  }
}
