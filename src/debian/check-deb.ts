/**
 * Whether a .deb that somebody hands in is one that every machine can install, and harms none by its form (deb(5)): read once,
 * as a stream of any size, to its last byte.
 *
 * An ar archive of `debian-binary`, `control.tar` and `data.tar`, in this order; members whose names start with `_` may stand
 * between, others after data.tar, as dpkg has it. No bzip2 or lzma: dpkg-deb writes them no more, and no decoder of ours is
 * bounded. Time is bounded by the bytes that limits let through, memory by the dictionary of the compression.
 *
 * Refusals are `ERR_PACKAGE` and `ERR_TOO_LARGE`, and name member, offset or field; errors of the source pass through.
 */
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import { type ByteSource, type SourceFailure, watched } from './byte-source.ts'
import { type Compression, compressionOf, decompress } from './compression.ts'
import { checkControlTar } from './deb-control-tar.ts'
import type { DebFields, DebWarning } from './deb-fields.ts'
import { createDebTree, type TreeLimits } from './deb-tree.ts'
import { type FileSums, summed } from './file-sums.ts'
import { createPieceReader, type PieceReader } from './piece-reader.ts'
import { tarItems } from './tar-entries.ts'
import { beyond, buildAgain, quoted, refused, sendAgain } from './upload-refusal.ts'
import { limitedXz } from './xz-limits.ts'
import { limitedZstd } from './zstd-limits.ts'

export interface CheckLimits extends TreeLimits {
  /** Bytes of data.tar, unpacked. */
  readonly maxDataBytes: number
  /** That decoding xz may take; zstd has 128 MiB. */
  readonly maxDictionaryBytes: number
}

export interface CheckDebOptions extends Abortable {
  /** Unless told, `checkLimits`. */
  readonly limits?: CheckLimits | undefined
  /** Gives the paths of all that is no directory, as `Contents` needs them. */
  readonly listPaths?: boolean | undefined
}

export interface CheckedDeb extends DebFields, FileSums {
  /** Names of its ar members. */
  readonly members: readonly string[]
  /** Bytes of data.tar, unpacked. */
  readonly dataBytes: number
  /** Without a leading slash; undefined unless asked for. */
  readonly paths?: readonly string[] | undefined
}

/** What packages of Debian stay below of, but for a few. */
export const checkLimits: CheckLimits = {
  maxDataBytes: 4 * 1024 ** 3,
  maxEntries: 200_000,
  maxPathChars: 32 * 1024 ** 2,
  maxDictionaryBytes: 128 * 1024 ** 2,
  allowSpecialFiles: false,
}

const magic = '!<arch>\n'
const headerSize = 60
const mostMembers = 32
const longestFormatVersion = 64
const maxControlTarBytes = 16 * 1024 ** 2

/** Reads all of a .deb and refuses it, or tells what it is. */
export async function checkDeb(
  source: ByteSource,
  { limits = checkLimits, listPaths = false, signal }: CheckDebOptions = {},
): Promise<CheckedDeb> {
  const failure: SourceFailure = {}
  const { pieces, sums } = summed(watched(source, failure))
  const bytes = createPieceReader(pieces)
  try {
    const found = await readMembers(bytes, limits, { signal })
    signal?.throwIfAborted()
    const { fields, tree, dataBytes, members, warnings } = found
    return {
      ...fields,
      ...sums(),
      ...{ members, dataBytes },
      warnings: [...fields.warnings, ...warnings, ...tree.warnings()],
      ...(listPaths ? { paths: tree.files() } : {}),
    }
  } catch (error) {
    throw failure.error ?? error
  } finally {
    await bytes.close()
  }
}

interface Member {
  readonly name: string
  readonly size: number
  /** Of its header in the file. */
  readonly offset: number
  readonly body: AsyncIterable<Buffer>
}

interface Found {
  readonly fields: DebFields
  readonly tree: ReturnType<typeof createDebTree>
  readonly dataBytes: number
  readonly members: readonly string[]
  readonly warnings: readonly DebWarning[]
}

async function readMembers(
  bytes: PieceReader,
  limits: CheckLimits,
  abortable: Abortable,
): Promise<Found> {
  const members: string[] = []
  let head: Awaited<ReturnType<typeof checkControlTar>> | undefined
  let data: Pick<Found, 'tree' | 'dataBytes'> | undefined
  for await (const member of eachMember(bytes)) {
    abortable.signal?.throwIfAborted()
    members.push(member.name)
    const kind = /^(debian-binary|control\.tar|data\.tar)(\.|$)/.exec(member.name)?.[1]
    if (members.length === 1) await checkFormat(member)
    else if (data !== undefined && kind === undefined) continue
    else if (data !== undefined || kind === 'debian-binary')
      throw disordered(member, 'is there twice')
    else if (member.name.startsWith('_')) continue
    else if (head === undefined) {
      const plain = unpacked(member, 'control.tar', { limits, abortable, max: maxControlTarBytes })
      head = await checkControlTar(plain, member.name)
    } else data = await checkData(member, limits, abortable)
  }
  if (head === undefined || data === undefined) {
    const what = `it ends before its ${head === undefined ? 'control.tar' : 'data.tar'}`
    throw refused({ reason: 'ar-member-missing', what, hint: sendAgain, offset: bytes.offset })
  }
  const { tree } = data
  const missing = head.conffiles.filter((path) => !tree.has(path))
  const warnings = [...head.warnings]
  if (missing.length > 0) {
    const message = `conffiles names what is not in the package: ${missing.slice(0, 3).map(quoted).join(', ')}`
    warnings.push({ reason: 'conffiles', message })
  }
  return { ...data, fields: head.fields, members, warnings }
}

async function* eachMember(bytes: PieceReader): AsyncGenerator<Member, void> {
  const start = await bytes.read(magic.length)
  if (start.toString('latin1') !== magic) {
    const hint = 'upload the .deb itself: dpkg-deb --info FILE tells whether it is one'
    throw refused({ reason: 'ar-magic', what: 'not a .deb: no ar archive', hint, offset: 0 })
  }
  for (let count = 1; ; count += 1) {
    const offset = bytes.offset
    const header = await bytes.read(headerSize)
    if (header.length === 0) return
    if (count > mostMembers) throw beyond('ar-members', `more than ${mostMembers} members`)
    const { name, size } = readHeader(header, offset)
    const end = bytes.offset + size
    const body = async function* (): AsyncGenerator<Buffer, void> {
      while (bytes.offset < end) {
        const piece = await bytes.some(end - bytes.offset)
        if (piece === undefined) throw cutOff(name, bytes.offset)
        yield piece
      }
    }
    yield { name, size, offset, body: body() }
    if (!(await bytes.skip(end - bytes.offset))) throw cutOff(name, bytes.offset)
    // dpkg-deb pads the last member too, others may leave that out.
    if (size % 2 === 1) await bytes.skip(1)
  }
}

function readHeader(header: Buffer, offset: number): { name: string; size: number } {
  const text = header.toString('latin1')
  if (text.length < headerSize) throw cutOff('a member header', offset)
  const name = text.slice(0, 16).trimEnd().replace(/\/$/, '')
  const sizeText = text.slice(48, 58).trimEnd()
  if (!text.endsWith('`\n') || !/^[!-.0-~]+$/.test(name) || !/^[0-9]+$/.test(sizeText)) {
    const what = 'a malformed member header'
    throw refused({ reason: 'ar-header', what, hint: sendAgain, offset })
  }
  return { name, size: Number(sizeText) }
}

async function checkFormat(member: Member): Promise<void> {
  if (member.name !== 'debian-binary') throw disordered(member, 'where debian-binary must be')
  const place = { member: member.name, offset: member.offset }
  let text = ''
  if (member.size <= longestFormatVersion)
    for await (const piece of member.body) text += piece.toString('latin1')
  if (/^2\.[0-9]+\n/.test(text)) return
  const what = `the format ${quoted(text.trim())}, only 2.x is known`
  throw refused({ ...place, reason: 'deb-format', what, hint: buildAgain })
}

interface Unpacking {
  readonly limits: CheckLimits
  readonly abortable: Abortable
  readonly max: number
}

/** The plain bytes of a member, at most so many. */
async function* unpacked(
  member: Member,
  base: 'control.tar' | 'data.tar',
  { limits, abortable, max }: Unpacking,
): AsyncGenerator<Buffer, void> {
  const kind = compressionOfMember(member, base)
  const place = { member: member.name }
  const packed = guarded(member, kind, limits)
  let used = 0
  try {
    for await (const piece of decompress(kind, packed, abortable)) {
      used += piece.length
      if (used > max) throw beyond('unpacked', `more than ${max} bytes unpacked`, place)
      yield piece
    }
  } catch (error) {
    if (!isAppError(error, 'ERR_FORMAT')) throw error
    const { message: what } = error
    throw refused({ ...place, reason: 'compression', what, hint: sendAgain, cause: error })
  }
}

/** What follows the packed bytes on their way says what is wrong as the decoder's source: its errors stay what they are. */
function guarded(member: Member, kind: Compression, limits: CheckLimits): AsyncIterable<Buffer> {
  if (kind === 'xz') return limitedXz(member.name, member.body, limits.maxDictionaryBytes)
  return kind === 'zst' ? limitedZstd(member.name, member.body) : member.body
}

function compressionOfMember(member: Member, base: 'control.tar' | 'data.tar'): Compression {
  const kind = compressionOf(member.name)
  const isIt = member.name === (kind === 'none' ? base : `${base}.${kind}`)
  if (isIt && kind !== 'bz2') return kind
  if (/^(control|data)\.tar\.(bz2|lzma)$/.test(member.name) && member.name.startsWith(base)) {
    const hint = 'pack it anew: dpkg-deb -R FILE DIR && dpkg-deb -Zxz --build DIR'
    const what = 'a compression that dpkg-deb no longer writes'
    const place = { member: member.name, offset: member.offset }
    throw refused({ ...place, reason: 'compression-kind', what, hint })
  }
  throw disordered(member, `where ${base} must be`)
}

async function checkData(
  member: Member,
  limits: CheckLimits,
  abortable: Abortable,
): Promise<Pick<Found, 'tree' | 'dataBytes'>> {
  const tree = createDebTree(member.name, limits)
  const plain = unpacked(member, 'data.tar', { limits, abortable, max: limits.maxDataBytes })
  const bytes = createPieceReader(plain)
  try {
    for await (const item of tarItems(bytes, member.name)) tree.add(item)
    return { tree, dataBytes: bytes.offset }
  } finally {
    await bytes.close()
  }
}

function disordered({ name, offset }: Member, what: string): Error {
  const hint =
    'a .deb is debian-binary, control.tar and data.tar in this order (deb(5)): use dpkg-deb'
  return refused({ reason: 'ar-order', what: `member ${quoted(name)} ${what}`, hint, offset })
}

function cutOff(name: string, offset: number): Error {
  const what = `the file ends within ${name}`
  return refused({ reason: 'ar-cut-off', what, hint: sendAgain, offset })
}
