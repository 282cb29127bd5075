/**
 * Entries of `Translation-<language>` indexes: the long description of a package in one language.
 *
 * An entry belongs to a package's stanza by the name and by Description-md5, the MD5 of the English description; a
 * stanza that carries the whole description in place of that field has the MD5 of it (apt: debListParser::Description_md5).
 * MD5 is a name here, not a promise.
 */
import { createHash } from 'node:crypto'
import { fieldLines, fieldValue, isFieldName } from './control.ts'
import { checked, fieldReader, packageName, type StanzaPlace } from './index-stanza.ts'

/** What Sluice reads of an entry. */
export interface TranslationEntry {
  readonly name: string
  /** Lower-case hex. */
  readonly descriptionMd5: string
}

const readTexts = fieldReader(['package', 'description-md5'])
const md5 = /^[0-9a-f]{32}$/

/** Reads the entry at this place; `ERR_FORMAT` names the field that is missing or malformed. */
export function readTranslationEntry(buf: Buffer, place: StanzaPlace): TranslationEntry {
  const [pkg, digest] = readTexts(buf, place)
  const name = checked('Package', pkg, packageName)
  return {
    name,
    descriptionMd5: checked('Description-md5', digest?.toLowerCase(), md5, `of package ${name}`),
  }
}

/** The Description-md5 of a binary package's stanza; undefined for one without any description. */
export function descriptionMd5Of(buf: Buffer, start: number, end: number): string | undefined {
  const told = fieldValue(buf, start, end, 'Description-md5')
  if (told !== undefined && told !== '') return told.toLowerCase()
  const places = fieldLines(buf, start, end)
  for (let at = 0; at < places.length; at += 3) {
    const nameStart = places[at] ?? 0
    const nameEnd = places[at + 1] ?? 0
    if (!isFieldName(buf, nameStart, nameEnd, 'description')) continue
    const text = buf.subarray(nameEnd + 1, places[at + 2] ?? end).toString('latin1')
    return createHash('md5').update(`${text.trim()}\n`, 'latin1').digest('hex')
  }
  return undefined
}
