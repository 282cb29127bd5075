/**
 * A `.dsc` file (dsc(5)): a source package and the files that it is made of, whose names are what dpkg-source unpacks.
 */
import { needs, sourceName } from './changes-file.ts'
import type { Stanza } from './control.ts'
import { type ListedFile, readFileLists } from './file-lists.ts'
import { quoted, refused } from './upload-refusal.ts'
import { type SignedText, uploadStanza } from './upload-signature.ts'
import { isVersion, withoutEpoch } from './version.ts'

export interface Dsc {
  readonly format: string
  readonly source: string
  readonly version: string
  /** As the field has it. */
  readonly binaries: string
  readonly architecture: string
  readonly maintainer: string
  /** Without the `.dsc` itself. */
  readonly files: readonly ListedFile[]
  /** What a stanza of `Sources` is made of. */
  readonly stanza: Stanza
}

const formats = ['1.0', '3.0 (quilt)', '3.0 (native)', '3.0 (git)', '3.0 (custom)']
const compressed = '(?:gz|bz2|lzma|xz)'
const hint = 'build the source package with dpkg-source, and upload what it wrote'

/** Reads the text of a `.dsc`, verified or not; refusals are `ERR_PACKAGE` and name the field. */
export function readDsc(name: string, signed: SignedText): Dsc {
  const stanza = uploadStanza(name, signed)
  const need = needs(stanza, name)
  const wrong = (field: string, what: string): Error =>
    refused({ reason: `dsc-${field.toLowerCase()}`, what, hint, member: name, field })
  const [format, source, version] = [need('Format'), need('Source'), need('Version')]
  if (!formats.includes(format)) throw wrong('Format', `${quoted(format)} is not known`)
  if (!sourceName.test(source)) throw wrong('Source', `${quoted(source)} is no source`)
  if (!isVersion(version)) throw wrong('Version', `${quoted(version)} is no version`)
  if (name !== dscFileName(source, version))
    throw wrong(
      'Version',
      `it is of ${source} ${version}, and must be named ${dscFileName(source, version)}`,
    )
  const files = readFileLists(stanza, name)
  const isPart = partOf(source, version)
  for (const file of files)
    if (!isPart(file.name))
      throw wrong('Files', `${quoted(file.name)} is no part of ${source} ${version}`)
  if (!files.some((file) => /\.tar\.[a-z0-9]+$/.test(file.name)))
    throw wrong('Files', 'no tarball among its files')
  return {
    ...{ format, source, version, files, stanza },
    binaries: stanza.get('Binary') ?? '',
    architecture: need('Architecture'),
    maintainer: need('Maintainer'),
  }
}

/** The name that the `.dsc` of a source package has. */
export function dscFileName(source: string, version: string): string {
  return `${source}_${withoutEpoch(version)}.dsc`
}

/** Whether a file's name is one that dpkg-source gives, or takes, for this source package. */
function partOf(source: string, version: string): (name: string) => boolean {
  const full = withoutEpoch(version)
  const dash = full.lastIndexOf('-')
  const upstream = dash < 0 ? full : full.slice(0, dash)
  const orig = new RegExp(`^\\.orig(?:-[A-Za-z0-9-]+)?\\.tar\\.${compressed}(?:\\.asc)?$`)
  const debian = new RegExp(`^(?:\\.debian)?\\.tar\\.${compressed}$|^\\.diff\\.gz$|^\\.git$`)
  return (name) =>
    (name.startsWith(`${source}_${upstream}.orig`) &&
      orig.test(name.slice(`${source}_${upstream}`.length))) ||
    (name.startsWith(`${source}_${full}.`) && debian.test(name.slice(`${source}_${full}`.length)))
}
