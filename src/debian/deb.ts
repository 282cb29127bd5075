/**
 * Reading .deb files (deb(5)): an ar archive of `debian-binary`, `control.tar` and `data.tar`, in this order; members
 * whose names start with `_` may stand between and are passed over. Read once, as a stream, with bounds on all that is
 * kept.
 *
 * Errors are `ERR_FORMAT` and name the member; `ERR_TOO_LARGE` beyond a bound; those of the source pass through.
 */
import type { Header } from 'tar-stream'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { type ArMember, arMembers } from './ar.ts'
import { type ByteSource, type SourceFailure, watched } from './byte-source.ts'
import { decompress } from './compression.ts'
import { parseStanza, type Stanza } from './control.ts'
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

/** One entry of data.tar. */
export interface DebEntry {
  /** Below the root of the machine, without a leading `./` or `/` and a trailing `/`; empty for the root itself. */
  readonly path: string
  readonly type:
    | 'file'
    | 'directory'
    | 'symlink'
    | 'hard-link'
    | 'character-device'
    | 'block-device'
    | 'fifo'
  /** Permission bits. */
  readonly mode: number
  /** Bytes of the content. */
  readonly size: number
  /** As written in the archive; of symlinks and hard links only. */
  readonly linkTarget?: string
}

export interface Deb {
  /** Names of the ar members up to data.tar. */
  readonly members: readonly string[]
  readonly controlText: string
  readonly control: Stanza
  /** Undefined unless asked for. */
  readonly entries?: readonly DebEntry[]
}

export interface ReadDebOptions extends Abortable {
  /** Also unpacks data.tar and lists it: at most so many entries and, if given, bytes (else `ERR_TOO_LARGE`). */
  readonly list?: { readonly maxEntries: number; readonly maxBytes?: number }
}

const longestFormatVersion = 64
const largestControl = 1024 * 1024
const largestControlTar = 16 * 1024 * 1024
const required = ['Package', 'Version', 'Architecture']

/** Reads the control file, and the list of files if asked for; without that, reading ends where data.tar starts. */
export async function readDeb(source: ByteSource, options: ReadDebOptions = {}): Promise<Deb> {
  const failure: SourceFailure = {}
  try {
    return await readMembers(arMembers(watched(source, failure)), options)
  } catch (error) {
    throw failure.error ?? error
  }
}

async function readMembers(
  archive: AsyncIterable<ArMember>,
  options: ReadDebOptions,
): Promise<Deb> {
  const members: string[] = []
  let controlText: string | undefined
  for await (const member of archive) {
    const isFirst = members.push(member.name) === 1
    if (isFirst) await checkFormatVersion(member)
    else if (member.name.startsWith('_')) continue
    else if (controlText === undefined) controlText = await readControlTar(member, options)
    else {
      const entries = await readDataTar(member, options)
      const control = parseControl(controlText)
      const deb = { members, controlText, control }
      return entries === undefined ? deb : { ...deb, entries }
    }
  }
  throw formatError(controlText === undefined ? 'no control.tar' : 'no data.tar')
}

/** Reads the first member; `ERR_FORMAT` unless it is `debian-binary` of a format 2.x. */
export async function checkFormatVersion(member: ArMember): Promise<void> {
  if (member.name !== 'debian-binary') throw outOfOrder('debian-binary', member.name)
  if (member.size > longestFormatVersion) throw formatError('debian-binary is too long')
  let text = ''
  for await (const piece of member.body) text += piece.toString('latin1')
  if (/^2\.[0-9]+\n/.test(text)) return
  throw formatError(`debian-binary: format ${JSON.stringify(text.trim())}, only 2.x is known`)
}

async function readControlTar(member: ArMember, { signal }: Abortable): Promise<string> {
  const kind = compressionOfMember(member.name, 'control.tar')
  if (kind === 'bz2') throw outOfOrder('control.tar', member.name)
  let text: string | undefined
  const plain = bounded(member.name, decompress(kind, member.body, { signal }), largestControlTar)
  await eachEntry(member.name, plain, async (entry) => {
    if (cleanPath(entry.header.name) !== 'control') return
    if (text !== undefined) throw formatError(`${member.name}: two control files`)
    if (entry.header.type !== 'file') throw formatError(`${member.name}: control is not a file`)
    if (entry.header.size > largestControl) throw tooLarge(member.name, largestControl)
    const pieces: Uint8Array[] = []
    for await (const piece of entry) if (piece instanceof Uint8Array) pieces.push(piece)
    text = Buffer.concat(pieces).toString()
  })
  if (text === undefined) throw formatError(`${member.name}: no control file`)
  return text
}

async function readDataTar(
  member: ArMember,
  { list, signal }: ReadDebOptions,
): Promise<readonly DebEntry[] | undefined> {
  const kind = compressionOfMember(member.name, 'data.tar')
  if (list === undefined) return undefined
  const entries: DebEntry[] = []
  const unpacked = decompress(kind, member.body, { signal })
  const plain = bounded(member.name, unpacked, list.maxBytes ?? Number.POSITIVE_INFINITY)
  await eachEntry(member.name, plain, async (entry) => {
    if (entries.length >= list.maxEntries) {
      const message = `${member.name}: more than ${list.maxEntries} entries`
      throw new AppError('ERR_TOO_LARGE', { message })
    }
    entries.push(toDebEntry(member.name, entry))
  })
  return entries
}

const entryTypes: Readonly<Record<Header['type'], DebEntry['type']>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'hard-link',
  'character-device': 'character-device',
  'block-device': 'block-device',
  fifo: 'fifo',
}

/** The entry of data.tar that the tar reader gave; `ERR_FORMAT` for a kind or a path that no package has. */
export function toDebEntry(member: string, { header }: TarEntry): DebEntry {
  const type = entryTypes[header.type]
  if (type === undefined) throw formatError(`${member}: unknown kind of entry: ${header.name}`)
  const path = cleanPath(header.name)
  if (path.split('/').includes('..')) throw formatError(`${member}: path with "..": ${header.name}`)
  const entry = { path, type, mode: header.mode & 0o7777, size: header.size }
  const isLink = type === 'symlink' || type === 'hard-link'
  return isLink ? { ...entry, linkTarget: header.linkname } : entry
}

/** The control file; `ERR_FORMAT` without what every package has. */
export function parseControl(text: string): Stanza {
  const control = parseStanza(text)
  for (const field of required) {
    if ((control.get(field) ?? '') === '') throw formatError(`control file without ${field}`)
  }
  return control
}
