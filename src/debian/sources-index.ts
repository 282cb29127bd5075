/**
 * Stanzas of `Sources` indexes, and the `.dsc` files that they name.
 *
 * Published stanzas are upstream's bytes but for these: `Directory` names the content (the digest of the .dsc, see
 * docs/design.md), and the digests that we do not vouch for go: MD5 (`Files`), SHA-1, SHA-512. apt, aptly, reprepro and
 * debmirror take Checksums-Sha256 alone, and dpkg-source reads the .dsc, which is never touched.
 * Source: Debian Policy 5.4 and 5.6.21, dsc(5).
 */
import { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ByteSink } from './byte-sink.ts'
import { fieldValue, splitStanzas } from './control.ts'
import {
  checked,
  editFields,
  type FieldEdit,
  fieldReader,
  hasControlCharacter,
  malformed,
  missing,
  packageName,
  parseDigest,
  parsePath,
  parseSize,
  type StanzaPlace,
  versionText,
} from './index-stanza.ts'

/** One file of a source package. */
export interface SourceFile {
  /** Without a directory. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly sha256: Sha256
}

/** What Sluice reads of a source package's stanza. */
export interface SourceStanza {
  readonly name: string
  readonly version: string
  /** Below the archive's root, not percent-encoded, without slashes at its ends; empty for the root itself. */
  readonly directory: string
  /** All of its files, the .dsc among them. */
  readonly files: readonly SourceFile[]
  readonly dsc: SourceFile
}

const readTexts = fieldReader(['package', 'version', 'directory', 'checksums-sha256'])
const published: FieldEdit = {
  replaced: 'directory',
  // Some tools write none where the files are beside the index.
  isAdded: true,
  dropped: ['files', 'checksums-sha1', 'checksums-sha512'],
}
const sums = 'Checksums-Sha256'
const signedMessage = '-----BEGIN PGP SIGNED MESSAGE-----'
const signature = '\n-----BEGIN PGP SIGNATURE-----'

/** Reads the stanza at this place; `ERR_FORMAT` names the field that is missing or malformed. */
export function readSourceStanza(buf: Buffer, place: StanzaPlace): SourceStanza {
  const [pkg, versionOf, directory, checksums] = readTexts(buf, place)
  const name = checked('Package', pkg, packageName)
  const of = `of source package ${name}`
  const version = checked('Version', versionOf, versionText, of)
  const files = parseFiles(checksums, of)
  const [dsc, ...more] = files.filter((file) => file.name.endsWith('.dsc'))
  if (dsc === undefined || more.length > 0) {
    const found = dsc === undefined ? 'no .dsc' : 'more than one .dsc'
    throw new AppError('ERR_FORMAT', { message: `stanza ${of}: ${sums} names ${found}` })
  }
  return { name, version, directory: parseDirectory(directory, of), files, dsc }
}

/** Where the package's files stand in our pools: in the directory of its .dsc. */
export function sourcePoolDirectory(dsc: Sha256): string {
  return `pool/${dsc.slice(0, 2)}/${dsc.slice(2)}`
}

/** Puts the stanza as published, with this `Directory`, into `sink`; ends with one newline. */
export function rewriteSourceStanza(
  buf: Buffer,
  place: StanzaPlace,
  directory: string,
  sink: ByteSink,
): void {
  const how = { edit: published, line: `Directory: ${directory}\n`, sink }
  editFields(buf, place, how)
}

/** The files that a .dsc names, itself not among them; `ERR_FORMAT` if it is none. Its signature is not looked at. */
export function readDscFiles(data: Buffer): SourceFile[] {
  const text = data.toString('utf8').replaceAll('\r\n', '\n')
  const isSigned = text.trimStart().startsWith(signedMessage)
  const begin = isSigned ? text.indexOf('\n\n') : 0
  const end = isSigned ? text.indexOf(signature) : text.length
  if (begin < 0 || end < begin) {
    throw new AppError('ERR_FORMAT', { message: 'the .dsc is cut off, or not a signed message' })
  }
  const stanza = Buffer.from(text.slice(begin, end))
  const [from = 0, to = 0] = splitStanzas(stanza)
  return parseFiles(fieldValue(stanza, from, to, sums), 'of the .dsc')
}

function parseDirectory(text: string | undefined, of: string): string {
  // Repositories without a pool have `.`, `./` or nothing at all here.
  if (text === undefined || text === '' || text === '.' || text === './') return ''
  return parsePath('Directory', text, of).replace(/\/+$/, '')
}

function parseFiles(text: string | undefined, of: string): SourceFile[] {
  if (text === undefined || text.trim() === '') throw missing(sums, of)
  const files: SourceFile[] = []
  for (const line of text.split('\n')) {
    const entry = line.trim()
    if (entry === '') continue
    const [digest, size, name = '', ...more] = entry.split(/[ \t]+/)
    if (more.length > 0 || !isFileName(name)) throw malformed(sums, entry, of)
    if (files.some((file) => file.name === name)) {
      throw new AppError('ERR_FORMAT', { message: `stanza ${of}: ${sums} names ${name} twice` })
    }
    files.push({
      name,
      size: parseSize(sums, size, of),
      sha256: parseDigest(sums, digest, of),
    })
  }
  return files
}

/** Whether it can be a file in a directory, and nothing else. */
function isFileName(name: string): boolean {
  if (name === '' || name === '.' || name === '..') return false
  return !/[/\\]/.test(name) && !hasControlCharacter(name)
}
