/**
 * The kinds of indexes that are kept as chunks: what is read of a stanza of each, which files it names, and the form in
 * which it is published.
 *
 *   Packages      a .deb or .udeb; Filename names its content
 *   Sources       the .dsc and what belongs to it; Directory names the content of the .dsc
 *   Translation   no files; published as it is
 */
import type { Sha256 } from '../base/sha256.ts'
import type { ByteSink } from '../debian/byte-sink.ts'
import { fieldValue } from '../debian/control.ts'
import { copyStanza, type StanzaPlace } from '../debian/index-stanza.ts'
import { poolPath, readPackageStanza, rewriteStanza, sourceName } from '../debian/packages-index.ts'
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

/** Reads the stanza at this place; `ERR_FORMAT` names the field that is missing or malformed. */
export function readStanza(kind: IndexKind, buf: Buffer, place: StanzaPlace): StanzaFacts {
  if (kind === 'Packages') return packageFacts(buf, place)
  return kind === 'Sources' ? sourceFacts(buf, place) : translationFacts(buf, place)
}

/** Name and source package of a stanza of ours, which was read whole before: a sixth of the work. */
export function readNames(
  kind: IndexKind,
  buf: Buffer,
  { start, end }: StanzaPlace,
): Pick<StanzaFacts, 'name' | 'source'> {
  const name = fieldValue(buf, start, end, 'Package') ?? ''
  if (kind !== 'Packages') return { name, source: kind === 'Sources' ? name : '' }
  return { name, source: sourceName(name, fieldValue(buf, start, end, 'Source')) }
}

/** Puts the stanza with these facts into `sink` as it is published: with one newline at its end and no blank line. */
export function publishStanza(
  facts: StanzaFacts,
  buf: Buffer,
  place: StanzaPlace,
  sink: ByteSink,
): void {
  const [file] = facts.files
  if (facts.kind === 'Translation' || file === undefined) {
    copyStanza(buf, place.start, place.end, sink)
    return
  }
  if (facts.kind === 'Sources') {
    rewriteSourceStanza(buf, place, sourcePoolDirectory(file.sha256), sink)
    return
  }
  const { name, version, architecture } = facts
  const path = poolPath({ name, version, architecture, sha256: file.sha256, filename: file.path })
  rewriteStanza(buf, place, path, sink)
}

/** The field that stands for the version in stanzas of this kind. */
export function versionField(kind: IndexKind): 'Version' | 'Description-md5' {
  return kind === 'Translation' ? 'Description-md5' : 'Version'
}

function packageFacts(buf: Buffer, place: StanzaPlace): StanzaFacts {
  const stanza = readPackageStanza(buf, place)
  const { name, version, architecture, source, sourceVersion, sha256, size, filename } = stanza
  const files = [{ sha256, size, path: filename }]
  return { kind: 'Packages', name, version, architecture, source, sourceVersion, files }
}

function sourceFacts(buf: Buffer, place: StanzaPlace): StanzaFacts {
  const { name, version, directory, files, dsc } = readSourceStanza(buf, place)
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

function translationFacts(buf: Buffer, place: StanzaPlace): StanzaFacts {
  const { name, descriptionMd5 } = readTranslationEntry(buf, place)
  const empty = { architecture: '', source: '', sourceVersion: '', files: [] }
  return { kind: 'Translation', name, version: descriptionMd5, ...empty }
}
