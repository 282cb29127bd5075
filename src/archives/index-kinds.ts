/**
 * The kinds of indexes that are kept as chunks: what is read of a stanza of each, which files it names, and the form in
 * which it is published.
 *
 *   Packages      a .deb or .udeb; Filename names its content
 *   Sources       the .dsc and what belongs to it; Directory names the content of the .dsc
 *   Translation   no files; published as it is
 */
import type { Sha256 } from '../base/sha256.ts'
import { copyStanza } from '../debian/index-stanza.ts'
import { poolPath, readPackageStanza, rewriteStanza } from '../debian/packages-index.ts'
import {
  readSourceStanza,
  rewriteSourceStanza,
  sourcePoolDirectory,
} from '../debian/sources-index.ts'
import { readTranslationEntry } from '../debian/translation-index.ts'
import type { IndexKind } from './suite-state.ts'

/** A file that a stanza names. */
export interface StanzaFile {
  readonly sha256: Sha256
  /** Bytes. */
  readonly size: number
  /** Below the root of the archive whose index it is: upstream's path, or the one in our pool. */
  readonly path: string
}

/** What Sluice reads of a stanza; name, version and architecture together tell it from others of its index. */
export interface StanzaFacts {
  readonly kind: IndexKind
  readonly name: string
  /** Of a Translation entry: its Description-md5. */
  readonly version: string
  /** `source` for source packages; empty for Translation entries. */
  readonly architecture: string
  /** The source package; empty for Translation entries, which go with the binary packages of their name. */
  readonly source: string
  readonly sourceVersion: string
  /** A source package's .dsc comes first. */
  readonly files: readonly StanzaFile[]
}

/** Reads the stanza at `start` to `end`; `ERR_FORMAT` names the field that is missing or malformed. */
export function readStanza(kind: IndexKind, buf: Buffer, start: number, end: number): StanzaFacts {
  if (kind === 'Packages') return packageFacts(buf, start, end)
  return kind === 'Sources' ? sourceFacts(buf, start, end) : translationFacts(buf, start, end)
}

/** Reads the stanza, and says how it is published: ends with one newline and no blank line. */
export function publishStanza(
  kind: IndexKind,
  buf: Buffer,
  start: number,
  end: number,
): { facts: StanzaFacts; text: Buffer } {
  if (kind === 'Packages') {
    const stanza = readPackageStanza(buf, start, end)
    const text = rewriteStanza(buf, start, end, poolPath(stanza))
    return { facts: factsOfPackage(stanza), text }
  }
  if (kind === 'Translation') {
    return { facts: translationFacts(buf, start, end), text: copyStanza(buf, start, end) }
  }
  const facts = sourceFacts(buf, start, end)
  const [dsc] = facts.files
  const directory = dsc === undefined ? '' : sourcePoolDirectory(dsc.sha256)
  return { facts, text: rewriteSourceStanza(buf, start, end, directory) }
}

/** The field that stands for the version in stanzas of this kind. */
export function versionField(kind: IndexKind): 'Version' | 'Description-md5' {
  return kind === 'Translation' ? 'Description-md5' : 'Version'
}

function packageFacts(buf: Buffer, start: number, end: number): StanzaFacts {
  return factsOfPackage(readPackageStanza(buf, start, end))
}

function factsOfPackage(stanza: ReturnType<typeof readPackageStanza>): StanzaFacts {
  const { name, version, architecture, source, sourceVersion, sha256, size, filename } = stanza
  const files = [{ sha256, size, path: filename }]
  return { kind: 'Packages', name, version, architecture, source, sourceVersion, files }
}

function sourceFacts(buf: Buffer, start: number, end: number): StanzaFacts {
  const { name, version, directory, files, dsc } = readSourceStanza(buf, start, end)
  const others = files.filter((file) => file !== dsc)
  return {
    kind: 'Sources',
    name,
    version,
    architecture: 'source',
    source: name,
    sourceVersion: version,
    files: [dsc, ...others].map(({ name: file, sha256, size }) => ({
      sha256,
      size,
      path: directory === '' ? file : `${directory}/${file}`,
    })),
  }
}

function translationFacts(buf: Buffer, start: number, end: number): StanzaFacts {
  const { name, descriptionMd5 } = readTranslationEntry(buf, start, end)
  const empty = { architecture: '', source: '', sourceVersion: '', files: [] }
  return { kind: 'Translation', name, version: descriptionMd5, ...empty }
}
