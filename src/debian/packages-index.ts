/**
 * Stanzas of `Packages` indexes: what Sluice reads of one, and the form in which it publishes it.
 *
 * Published stanzas are upstream's bytes but for these: `Filename` names the content (docs/design.md: the pool), MD5sum,
 * SHA1 and SHA512 go, and CRLF becomes LF. Nothing is wrapped or moved, since Description-md5 and unknown fields
 * depend on it. What could break the index of a client (a line without a colon, NUL) is refused.
 * Source: Debian Policy 5.6; the spellings are those that third-party archives really use.
 */
import type { Sha256 } from '../base/sha256.ts'
import type { ByteSink } from './byte-sink.ts'
import {
  checked,
  editFields,
  type FieldEdit,
  fieldReader,
  malformed,
  missing,
  packageName,
  parseDigest,
  parsePath,
  parseSize,
  type StanzaPlace,
  versionText,
} from './index-stanza.ts'
import { withoutEpoch } from './version.ts'

/** What Sluice reads of a binary package's stanza. */
export interface PackageStanza {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** Name of the source package: the package's own name unless `Source` says otherwise. */
  readonly source: string
  /** Version of the source package: the package's own unless `Source` carries one in brackets (a binNMU). */
  readonly sourceVersion: string
  /** Place below the archive's root, not percent-encoded, without a leading `./`. */
  readonly filename: string
  /** Bytes. */
  readonly size: number
  readonly sha256: Sha256
  readonly section?: string | undefined
  readonly priority?: string | undefined
}

const readTexts = fieldReader([
  'package',
  'version',
  'architecture',
  'source',
  'filename',
  'size',
  'sha256',
  'section',
  'priority',
])

const published: FieldEdit = { replaced: 'filename', dropped: ['md5sum', 'sha1', 'sha512'] }

const architectureName = /^[a-z0-9][a-z0-9-]*$/
const sourceField = /^([A-Za-z0-9][A-Za-z0-9+._-]*)(?:\s*\(\s*([^()\s]+)\s*\))?$/

/** Reads the stanza at this place; `ERR_FORMAT` names the field that is missing or malformed. */
export function readPackageStanza(buf: Buffer, place: StanzaPlace): PackageStanza {
  const [pkg, versionOf, architecture, sourceOf, filename, size, sha256, section, priority] =
    readTexts(buf, place)
  const name = checked('Package', pkg, packageName)
  const of = `of package ${name}`
  const version = checked('Version', versionOf, versionText, of)
  const source = parseSource(sourceOf, name, version)
  return {
    name,
    version,
    architecture: checked('Architecture', architecture, architectureName, of),
    source: source.name,
    sourceVersion: source.version,
    filename: parsePath('Filename', filename, of),
    size: parseSize('Size', size, of),
    sha256: parseDigest('SHA256', sha256, of),
    section,
    priority,
  }
}

/** The source package of a stanza that was read before: by its name, and its `Source` if it has one. */
export function sourceName(name: string, source: string | undefined): string {
  return sourceField.exec(source ?? '')?.[1] ?? name
}

/**
 * Place of the package's file in our pools; the digest makes it unique, the name is for people and apt's cache, and its
 * ending for the installer.
 */
export function poolPath(
  p: Pick<PackageStanza, 'name' | 'version' | 'architecture' | 'sha256' | 'filename'>,
): string {
  const ending = p.filename.endsWith('.udeb') ? 'udeb' : 'deb'
  const file = `${p.name}_${withoutEpoch(p.version)}_${p.architecture}.${ending}`
  return `pool/${p.sha256.slice(0, 2)}/${p.sha256.slice(2)}/${file}`
}

/**
 * Puts the stanza as published into `sink`: `Filename` replaced, the digests that we do not vouch for left out, all else byte for
 * byte. Ends with one newline and no blank line. `ERR_FORMAT` if it has no `Filename`.
 */
export function rewriteStanza(
  buf: Buffer,
  place: StanzaPlace,
  filename: string,
  sink: ByteSink,
): void {
  const how = { edit: published, line: `Filename: ${filename}\n`, sink }
  if (!editFields(buf, place, how)) throw missing('Filename')
}

function parseSource(
  text: string | undefined,
  name: string,
  version: string,
): { name: string; version: string } {
  if (text === undefined || text === '') return { name, version }
  const match = sourceField.exec(text)
  const [, sourceName, sourceVersion = version] = match ?? []
  if (sourceName === undefined || !versionText.test(sourceVersion)) {
    throw malformed('Source', text, `of package ${name}`)
  }
  return { name: sourceName, version: sourceVersion }
}
