/**
 * The lists of files in `.changes` and `.dsc` files (deb-changes(5), dsc(5)): `Checksums-Sha256`, which must be there, and
 * `Files` and `Checksums-Sha1`, which must agree with it.
 */
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import type { Stanza } from './control.ts'
import type { FileSums } from './file-sums.ts'
import { beyond, quoted, refused } from './upload-refusal.ts'

export interface ListedFile {
  /** A plain name: no slash, no blank, does not begin with a dot. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly sha256: Sha256
  /** Hex; undefined where the list is not there. */
  readonly sha1?: string | undefined
  readonly md5?: string | undefined
  /** As `Files` of a `.changes` tells: `contrib/net` has the component before the slash. */
  readonly section?: string | undefined
  readonly priority?: string | undefined
}

interface Line {
  readonly digest: string
  readonly size: number
  readonly more: readonly string[]
}

const mostFiles = 5000
/** Characters that names of files in archives are made of, and nothing that a shell or a URL would read. */
const plainName = /^[A-Za-z0-9][A-Za-z0-9+.~_-]{0,254}$/
const hint = 'sign and upload what dpkg-buildpackage wrote, unchanged'

/** All files that the stanza lists, in the order of `Checksums-Sha256`; `of` names it for messages. */
export function readFileLists(stanza: Stanza, of: string): ListedFile[] {
  const sha256 = readList(stanza, 'Checksums-Sha256', { of, digits: 64, columns: [3] })
  if (sha256 === undefined) {
    const what = 'it is not there: without SHA-256 nothing tells what the files must be'
    throw refused({ reason: 'no-sha256', what, hint, member: of, field: 'Checksums-Sha256' })
  }
  const sha1 = readList(stanza, 'Checksums-Sha1', { of, digits: 40, columns: [3] })
  const md5 = readList(stanza, 'Files', { of, digits: 32, columns: [3, 5] })
  if (sha1 !== undefined) compare('Checksums-Sha1', sha1, sha256, of)
  if (md5 !== undefined) compare('Files', md5, sha256, of)
  return [...sha256].map(([name, { digest, size }]) => {
    const parsed = parseSha256(digest)
    if (parsed === undefined) throw malformed(of, 'Checksums-Sha256', digest)
    const [section, priority] = md5?.get(name)?.more ?? []
    const other = { sha1: sha1?.get(name)?.digest, md5: md5?.get(name)?.digest }
    return { name, size, sha256: parsed, ...other, section, priority }
  })
}

/** Refuses a file that is not the one listed. */
export function checkListed(listed: ListedFile, found: FileSums, of: string): void {
  const wrong = (what: string): Error =>
    refused({ reason: 'file-differs', what: `${listed.name} ${what}`, hint: again, member: of })
  if (found.size !== listed.size) throw wrong(`has ${found.size} bytes, ${listed.size} are listed`)
  for (const name of ['sha256', 'sha1', 'md5'] as const) {
    const expected = listed[name]
    if (expected !== undefined && expected !== found[name])
      throw wrong(`has the ${words[name]} ${found[name]}, ${expected} is listed`)
  }
}

const again = 'upload the file again; if it was built again, write and sign a new .changes'
const words = { sha256: 'SHA-256', sha1: 'SHA-1', md5: 'MD5' }

interface ListKind {
  readonly of: string
  /** Of the digest, in hex. */
  readonly digits: number
  /** How many words a line may have. */
  readonly columns: readonly number[]
}

function readList(
  stanza: Stanza,
  field: string,
  { of, digits, columns }: ListKind,
): Map<string, Line> | undefined {
  const value = stanza.get(field)
  if (value === undefined) return undefined
  const lines = new Map<string, Line>()
  for (const text of value.split('\n')) {
    if (text.trim() === '') continue
    const parts = text.trim().split(/[ \t]+/)
    const [digest = '', sizeText = ''] = parts
    const name = parts.at(-1) ?? ''
    const isDigest = digest.length === digits && /^[0-9a-f]+$/.test(digest)
    if (!columns.includes(parts.length) || !isDigest || !/^[0-9]{1,15}$/.test(sizeText))
      throw malformed(of, field, text.trim())
    if (!plainName.test(name)) {
      const what = `${quoted(name)} is no plain name of a file`
      throw refused({ reason: 'unsafe-name', what, hint, member: of, field })
    }
    if (lines.has(name)) {
      const what = `${name} is listed twice`
      throw refused({ reason: 'file-twice', what, hint, member: of, field })
    }
    lines.set(name, { digest, size: Number(sizeText), more: parts.slice(2, -1) })
    if (lines.size > mostFiles)
      throw beyond('files', `more than ${mostFiles} files`, { member: of })
  }
  if (lines.size > 0) return lines
  throw refused({ reason: 'no-files', what: 'it lists no file', hint, member: of, field })
}

/** The same names and sizes. */
function compare(
  field: string,
  found: ReadonlyMap<string, Line>,
  expected: ReadonlyMap<string, Line>,
  of: string,
): void {
  const differ = (what: string): Error =>
    refused({ reason: 'lists-differ', what, hint, member: of, field })
  for (const [name, { size }] of expected) {
    const line = found.get(name)
    if (line === undefined) throw differ(`${name} is not in it, but in Checksums-Sha256`)
    if (line.size !== size) throw differ(`${name} has another size than in Checksums-Sha256`)
  }
  for (const name of found.keys())
    if (!expected.has(name)) throw differ(`${name} is in it, but not in Checksums-Sha256`)
}

function malformed(of: string, field: string, text: string): Error {
  const what = `no line of a list of files: ${quoted(text)}`
  return refused({ reason: 'file-list', what, hint, member: of, field })
}
