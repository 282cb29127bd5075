/**
 * Whether the files of an upload are what its `.changes` says: all there, the listed ones alone, each with its digests; binary
 * packages of this source and no other; a `.dsc` whose files are there or in the archive already.
 */

import type { Changes } from './changes-file.ts'
import type { CheckedDeb } from './check-deb.ts'
import { checkDebName, debFileName } from './deb-fields.ts'
import type { Dsc } from './dsc-file.ts'
import { checkListed, type ListedFile } from './file-lists.ts'
import type { FileSums } from './file-sums.ts'
import { quoted, refused } from './upload-refusal.ts'

/** A file that came with an upload, as it was read. */
export type UploadedFile =
  | { readonly kind: 'deb'; readonly sums: FileSums; readonly deb: CheckedDeb }
  | { readonly kind: 'dsc'; readonly sums: FileSums; readonly dsc: Dsc }
  /** A part of a source package, or a `.buildinfo`. */
  | { readonly kind: 'other'; readonly sums: FileSums }

export interface MatchedUpload {
  readonly debs: readonly CheckedDeb[]
  readonly dsc?: Dsc | undefined
  /** Of the source package, and not in the upload: the archive must have them, or it is incomplete. */
  readonly absent: readonly ListedFile[]
}

const hint = 'build it again with dpkg-buildpackage, and upload what that wrote'

/** Files of an upload that are not there yet, in the order of the `.changes`: it waits for them. */
export function missingFiles(changes: Changes, have: (name: string) => boolean): ListedFile[] {
  return changes.files.filter((file) => !have(file.name))
}

/** Compares the whole upload; `name` is that of the `.changes`. Refusals are `ERR_PACKAGE`. */
export function matchUpload(
  name: string,
  changes: Changes,
  files: ReadonlyMap<string, UploadedFile>,
): MatchedUpload {
  const bad = (reason: string, what: string): Error => refused({ reason, what, hint, member: name })
  const debs: CheckedDeb[] = []
  let dsc: Dsc | undefined
  for (const listed of changes.files) {
    const file = files.get(listed.name)
    if (file === undefined) throw bad('file-missing', `${listed.name} did not come with it`)
    checkListed(listed, file.sums, name)
    const expected = kindOf(listed.name)
    if (expected === undefined)
      throw bad('file-kind', `${quoted(listed.name)} is no file of a package`)
    if (expected !== file.kind) throw bad('file-kind', `${listed.name} was not read as ${expected}`)
    if (file.kind === 'deb') debs.push(checkBinary(listed.name, file.deb, changes, bad))
    if (file.kind === 'dsc' && dsc !== undefined) throw bad('dsc-twice', 'two .dsc files')
    if (file.kind === 'dsc') dsc = file.dsc
  }
  for (const other of files.keys())
    if (!changes.files.some((file) => file.name === other))
      throw bad('file-unlisted', `${quoted(other)} is not in it`)
  const isSource = changes.architectures.includes('source')
  if (isSource !== (dsc !== undefined))
    throw bad('dsc', isSource ? 'an upload of source without a .dsc' : 'a .dsc, but no source')
  return { debs, dsc, absent: dsc === undefined ? [] : matchSource(dsc, changes, bad) }
}

type Bad = (reason: string, what: string) => Error

function kindOf(name: string): UploadedFile['kind'] | undefined {
  if (/\.u?deb$/.test(name)) return name.endsWith('.udeb') ? undefined : 'deb'
  if (name.endsWith('.dsc')) return 'dsc'
  const isOther = /\.(tar\.[a-z0-9]+|diff\.gz|git|buildinfo|asc)$/.test(name)
  return isOther ? 'other' : undefined
}

function checkBinary(fileName: string, deb: CheckedDeb, changes: Changes, bad: Bad): CheckedDeb {
  checkDebName(fileName, deb)
  const { source, sourceVersion, architectures, binaries } = changes
  const own = `${deb.source} ${deb.sourceVersion}`
  if (own !== `${source} ${sourceVersion}`)
    throw bad(
      'other-source',
      `${debFileName(deb)} is of the source ${own}, not ${source} ${sourceVersion}`,
    )
  if (!architectures.includes(deb.architecture))
    throw bad('architecture', `${debFileName(deb)}: Architecture does not name ${deb.architecture}`)
  // Packages of debug symbols are not in debian/control, and not always told of.
  if (!binaries.includes(deb.name.replace(/-dbgsym$/, '')))
    throw bad('binary', `${debFileName(deb)}: Binary does not name ${deb.name}`)
  return deb
}

/** The same source, and for each of its files the same digests; those that did not come with the upload. */
function matchSource(dsc: Dsc, changes: Changes, bad: Bad): ListedFile[] {
  if (dsc.source !== changes.source || dsc.version !== changes.sourceVersion) {
    const own = `${dsc.source} ${dsc.version}`
    throw bad(
      'other-source',
      `the .dsc is of ${own}, not ${changes.source} ${changes.sourceVersion}`,
    )
  }
  const listed = new Map(changes.files.map((file) => [file.name, file]))
  const absent: ListedFile[] = []
  for (const file of dsc.files) {
    const here = listed.get(file.name)
    if (here === undefined) absent.push(file)
    else if (here.sha256 !== file.sha256 || here.size !== file.size)
      throw bad('dsc-differs', `${file.name} is another file in the .dsc than in the .changes`)
  }
  const parts = new Set(dsc.files.map((file) => file.name))
  for (const { name } of changes.files)
    if (kindOf(name) === 'other' && !name.endsWith('.buildinfo') && !parts.has(name))
      throw bad('source-part', `${name} is not in the .dsc`)
  return absent
}
