/**
 * A `.changes` file (deb-changes(5)): which source was built, for what, and the files that make up the upload.
 */
import type { Stanza } from './control.ts'
import { readSourceValue } from './deb-fields.ts'
import { type ListedFile, readFileLists } from './file-lists.ts'
import { quoted, refused } from './upload-refusal.ts'
import { type SignedText, uploadStanza } from './upload-signature.ts'
import { isVersion } from './version.ts'

export interface Changes {
  readonly source: string
  /** Of the source package, with its epoch: `Source: NAME (VERSION)` where binaries have another one. */
  readonly sourceVersion: string
  /** The field Version: of the binaries, mostly. */
  readonly version: string
  /** `source`, `all`, `amd64` …; at least one. */
  readonly architectures: readonly string[]
  /** Names of binary packages; empty in an upload of source alone. */
  readonly binaries: readonly string[]
  /** The suite that the changelog names: `unstable`, or what they call it. */
  readonly distribution: string
  readonly maintainer: string
  readonly changedBy?: string | undefined
  readonly urgency?: string | undefined
  /** The changelog's entries, as written there. */
  readonly changes: string
  readonly files: readonly ListedFile[]
  readonly stanza: Stanza
}

export const sourceName = /^[a-z0-9][a-z0-9+.-]+$/
const architectureName = /^[a-z0-9][a-z0-9-]*$/
const distributionName = /^[A-Za-z0-9][A-Za-z0-9+._/-]{0,99}$/
const mostNames = 5000
const hint = 'sign and upload what dpkg-buildpackage wrote, unchanged'

/** Reads the text of a `.changes`, verified or not; refusals are `ERR_PACKAGE` and name the field. */
export function readChanges(name: string, signed: SignedText): Changes {
  const stanza = uploadStanza(name, signed)
  const need = needs(stanza, name)
  const wrong = (field: string, what: string): Error =>
    refused({ reason: `field-${field.toLowerCase()}`, what, hint, member: name, field })
  const format = need('Format')
  if (!/^1\.[0-9]+$/.test(format)) throw wrong('Format', `${quoted(format)}, only 1.x is known`)
  const version = need('Version')
  if (!isVersion(version)) throw wrong('Version', `${quoted(version)} is no version`)
  const of = readSourceValue(need('Source'))
  if (of === undefined) throw wrong('Source', `${quoted(need('Source'))} is no source`)
  const [source, own] = [of.name, of.version ?? version]
  const distribution = need('Distribution')
  if (!distributionName.test(distribution) || distribution.includes('..'))
    throw wrong('Distribution', `${quoted(distribution)} is no name of a suite`)
  const words = (field: string, text: string, syntax: RegExp): string[] => {
    const found = text.split(/[\s,]+/).filter((word) => word !== '')
    const odd = found.find((word) => !syntax.test(word))
    if (odd !== undefined) throw wrong(field, `${quoted(odd)} has no place in it`)
    if (found.length > mostNames) throw wrong(field, `more than ${mostNames} words`)
    return [...new Set(found)]
  }
  const files = readFileLists(stanza, name)
  const known = files.find((file) => /\.changes$/.test(file.name))
  if (known !== undefined) throw wrong('Files', `${known.name} cannot be part of an upload`)
  return {
    ...{ source, sourceVersion: own, version, distribution, files, stanza },
    architectures: words('Architecture', need('Architecture'), architectureName),
    binaries: words('Binary', stanza.get('Binary') ?? '', sourceName),
    maintainer: need('Maintainer'),
    changedBy: stanza.get('Changed-By'),
    urgency: stanza.get('Urgency'),
    changes: need('Changes'),
  }
}

/** Gives values of fields; refuses a stanza without. */
export function needs(stanza: Stanza, member: string): (field: string) => string {
  return (field) => {
    const value = stanza.get(field)
    if (value !== undefined && value.trim() !== '') return value
    const what = 'it is not there, or empty'
    throw refused({ reason: `field-${field.toLowerCase()}`, what, hint, member, field })
  }
}
