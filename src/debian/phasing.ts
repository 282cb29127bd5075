/**
 * Phased updates: `Phased-Update-Percentage` in a stanza of Packages lets only that share of machines take an update by
 * themselves, chosen by their machine ids (apt: APT::Get::Phase-Policy; apt_preferences(5)).
 */
import { fieldLines, fieldValue, isFieldName } from './control.ts'

const FIELD = 'phased-update-percentage'

/** Whether the stanza has the field. */
export function isPhased(stanza: Buffer): boolean {
  return fieldValue(stanza, 0, stanza.length, FIELD) !== undefined
}

/** The stanza without the field; the very same one if it has none. */
export function withoutPhasing(stanza: Buffer): Buffer {
  if (!isPhased(stanza)) return stanza
  const kept: Buffer[] = []
  const places = fieldLines(stanza, 0, stanza.length)
  for (let at = 0; at < places.length; at += 3) {
    const [start = 0, nameEnd = 0, end = 0] = places.slice(at, at + 3)
    if (!isFieldName(stanza, start, nameEnd, FIELD)) kept.push(stanza.subarray(start, end))
  }
  return Buffer.concat(kept)
}
