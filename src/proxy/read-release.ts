/**
 * A Release that was stored, read: what it lists, by path and by each of its digests.
 */
import { splitClearSigned } from '../debian/clear-signed.ts'
import { parseRelease, type Release, type ReleaseFile } from '../debian/release.ts'

export interface ReadRelease {
  readonly release: Release
  /** apt asks by the strongest digest that is listed, which may be SHA512. */
  readonly byDigest: ReadonlyMap<string, ReleaseFile>
}

/** Reads an InRelease, or a Release; whether to believe it was found out before it was stored. */
export function readStored(data: Buffer, isClearSigned: boolean): ReadRelease {
  const text = isClearSigned ? clearText(data) : data.toString()
  const release = parseRelease(text)
  return { release, byDigest: filesByDigest(text, release) }
}

/** The text of an InRelease; throws for what is none. */
export function clearText(signed: Buffer): string {
  return Buffer.from(splitClearSigned(signed).lines.join('\n'), 'latin1').toString()
}

function filesByDigest(text: string, release: Release): Map<string, ReleaseFile> {
  const byDigest = new Map<string, ReleaseFile>()
  for (const [, digest = '', path = ''] of text.matchAll(/^ +([0-9a-f]{32,128}) +\d+ (\S+)$/gm)) {
    const file = release.files.get(path.replace(/^(?:\.\/+)+/, ''))
    if (file !== undefined) byDigest.set(digest, file)
  }
  return byDigest
}
