/**
 * All that can be told of a .deb without installing it: control fields, maintainer scripts and the other control files, and
 * each file with its mode, owner and digest. Read once, as a stream; texts are kept of small files that the caller names.
 *
 * Everything is bounded, since a .deb may be anybody's: `ERR_TOO_LARGE` beyond. File capabilities are not told: dpkg knows
 * no tar headers that could carry them, packages set them in their scripts (setcap(8)).
 */
import { createHash } from 'node:crypto'
import type { Abortable } from '../base/abortable.ts'
import { type ArMember, arMembers } from './ar.ts'
import { type ByteSource, type SourceFailure, watched } from './byte-source.ts'
import { decompress } from './compression.ts'
import type { Stanza } from './control.ts'
import { checkFormatVersion, type DebEntry, parseControl, toDebEntry } from './deb.ts'
import {
  bounded,
  cleanPath,
  compressionOfMember,
  eachEntry,
  formatError,
  outOfOrder,
  type TarEntry,
  tooLarge,
} from './deb-tar.ts'

/** A file whose text may have been kept. */
export interface KeptText {
  /** SHA-256, hex. */
  readonly digest: string
  readonly size: number
  /** Undefined where the file is large or no text, or too much was kept already. */
  readonly text?: string | undefined
}

/** One file of data.tar. */
export interface ContentsFile extends Omit<DebEntry, 'path'> {
  /** `root:root`; numbers where the archive has no names. */
  readonly owner: string
  /** SHA-256 of the content, hex; of files only (a hard link has that of the file). */
  readonly digest?: string | undefined
  readonly text?: string | undefined
}

export interface DebContents {
  readonly control: Stanza
  /** Files of control.tar besides `control`: preinst, postinst, conffiles, md5sums … */
  readonly controlFiles: ReadonlyMap<string, KeptText>
  /** Paths of configuration files (Policy 10.7.3), without a leading slash. */
  readonly conffiles: ReadonlySet<string>
  /** By path; directories too. Of two entries of one path the last counts, as for dpkg. */
  readonly files: ReadonlyMap<string, ContentsFile>
}

export interface ContentsLimits {
  /** Of data.tar, and bytes of its unpacked form. */
  readonly maxEntries: number
  readonly maxBytes: number
  /** Characters of all paths and link targets. */
  readonly maxPathChars: number
  /** Bytes of one text, and of all texts of data.tar, that are kept; beyond, a file has its digest only. */
  readonly maxTextBytes: number
  readonly maxAllTextBytes: number
}

/** What packages of Debian stay far below of, but for a few. */
export const contentsLimits: ContentsLimits = {
  maxEntries: 100_000,
  maxBytes: 4 * 1024 ** 3,
  maxPathChars: 16 * 1024 ** 2,
  maxTextBytes: 64 * 1024,
  maxAllTextBytes: 1024 ** 2,
}

const MAX_CONTROL_BYTES = 1024 ** 2
const MAX_CONTROL_TAR_BYTES = 16 * 1024 ** 2
const MAX_CONTROL_FILES = 1000
const LONGEST_LINK = 4096
/** Control files whose content is the package's alone, and as long as it likes. */
const untexted = new Set(['md5sums', 'symbols', 'shlibs'])

/** What is to be kept besides: whether the text of the file at this path is wanted. */
export type WantsText = (path: string, conffiles: ReadonlySet<string>) => boolean

/** Reads a .deb to the end of its data.tar; errors as `readDeb`. */
export async function readContents(
  source: ByteSource,
  wantsText: WantsText,
  limits: ContentsLimits,
  { signal }: Abortable = {},
): Promise<DebContents> {
  const failure: SourceFailure = {}
  try {
    return await readMembers(arMembers(watched(source, failure)), wantsText, limits, { signal })
  } catch (error) {
    throw failure.error ?? error
  }
}

async function readMembers(
  archive: AsyncIterable<ArMember>,
  wantsText: WantsText,
  limits: ContentsLimits,
  abortable: Abortable,
): Promise<DebContents> {
  let isFirst = true
  let head: Omit<DebContents, 'files'> | undefined
  for await (const member of archive) {
    if (isFirst) {
      await checkFormatVersion(member)
      isFirst = false
    } else if (member.name.startsWith('_')) continue
    else if (head === undefined) head = await readControlTar(member, abortable)
    else
      return { ...head, files: await readDataTar(member, head, { wantsText, limits, abortable }) }
  }
  throw formatError(head === undefined ? 'no control.tar' : 'no data.tar')
}

async function readControlTar(
  member: ArMember,
  { signal }: Abortable,
): Promise<Omit<DebContents, 'files'>> {
  const kind = compressionOfMember(member.name, 'control.tar')
  if (kind === 'bz2') throw outOfOrder('control.tar', member.name)
  const found = new Map<string, KeptText>()
  const plain = bounded(
    member.name,
    decompress(kind, member.body, { signal }),
    MAX_CONTROL_TAR_BYTES,
  )
  await eachEntry(member.name, plain, async (entry) => {
    const name = cleanPath(entry.header.name)
    if (entry.header.type === 'directory') return
    if (entry.header.type !== 'file') throw formatError(`${member.name}: ${name} is not a file`)
    if (found.has(name)) throw formatError(`${member.name}: two ${name} files`)
    if (found.size >= MAX_CONTROL_FILES) {
      throw formatError(`${member.name}: more than ${MAX_CONTROL_FILES} files`)
    }
    found.set(name, await readContent(entry, untexted.has(name) ? 0 : MAX_CONTROL_BYTES))
  })
  const { text, size = 0 } = found.get('control') ?? {}
  if (size > MAX_CONTROL_BYTES) throw tooLarge(member.name, MAX_CONTROL_BYTES)
  if (text === undefined) throw formatError(`${member.name}: no control file`)
  found.delete('control')
  const conffiles = readConffiles(found.get('conffiles')?.text ?? '')
  return { control: parseControl(text), controlFiles: found, conffiles }
}

/** A line may begin with the flag `remove-on-upgrade` (deb-conffiles(5)). */
function readConffiles(text: string): Set<string> {
  const paths = text
    .split('\n')
    .flatMap((line) => /^(?:[a-z-]+\s+)?\/(.+?)\s*$/.exec(line)?.[1] ?? [])
  return new Set(paths)
}

interface DataReading {
  readonly wantsText: WantsText
  readonly limits: ContentsLimits
  readonly abortable: Abortable
}

async function readDataTar(
  member: ArMember,
  { conffiles }: Omit<DebContents, 'files'>,
  { wantsText, limits, abortable }: DataReading,
): Promise<Map<string, ContentsFile>> {
  const kind = compressionOfMember(member.name, 'data.tar')
  const files = new Map<string, ContentsFile>()
  let [entries, chars, kept] = [0, 0, 0]
  const unpacked = decompress(kind, member.body, abortable)
  const plain = bounded(member.name, unpacked, limits.maxBytes)
  await eachEntry(member.name, plain, async (entry) => {
    const { path, ...facts } = toDebEntry(member.name, entry)
    const { linkTarget = '' } = facts
    if (linkTarget.length > LONGEST_LINK)
      throw formatError(`a link of ${linkTarget.length} characters`)
    entries += 1
    chars += path.length + linkTarget.length
    if (entries > limits.maxEntries) throw tooLarge(member.name, limits.maxEntries, 'entries')
    if (chars > limits.maxPathChars) throw tooLarge(`${member.name}: paths`, limits.maxPathChars)
    const owned = { ...facts, owner: ownerOf(entry) }
    if (facts.type === 'hard-link') files.set(path, linked(owned, files))
    else if (facts.type !== 'file') files.set(path, owned)
    else {
      const room = Math.min(limits.maxTextBytes, limits.maxAllTextBytes - kept)
      const content = await readContent(entry, wantsText(path, conffiles) ? room : 0)
      kept += content.text === undefined ? 0 : content.size
      files.set(path, { ...owned, digest: content.digest, text: content.text })
    }
  })
  files.delete('')
  return files
}

/** A hard link is the file that it names: same mode, owner and content. */
function linked(link: ContentsFile, files: ReadonlyMap<string, ContentsFile>): ContentsFile {
  const file = files.get(cleanPath(link.linkTarget ?? ''))
  if (file === undefined) return link
  const { mode, owner, size, digest, text } = file
  return { ...link, mode, owner, size, digest, text }
}

function ownerOf({ header }: TarEntry): string {
  const { uname, gname, uid, gid } = header
  const named = (name: string | undefined, id: number): string =>
    name === undefined || name === '' ? String(id) : name.slice(0, 32)
  return `${named(uname, uid)}:${named(gname, gid)}`
}

/** The digest, and the text if it is one of at most so many bytes. */
async function readContent(entry: TarEntry, maxTextBytes: number): Promise<KeptText> {
  const hash = createHash('sha256')
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of entry) {
    if (!(piece instanceof Uint8Array)) continue
    hash.update(piece)
    size += piece.length
    if (size <= maxTextBytes) pieces.push(piece)
    else pieces.length = 0
  }
  const digest = hash.digest('hex')
  if (maxTextBytes === 0 || size > maxTextBytes) return { digest, size }
  const data = Buffer.concat(pieces)
  return data.includes(0) ? { digest, size } : { digest, size, text: data.toString() }
}
