/**
 * The tar archives of .debs, read as dpkg reads them and more strictly: what two programs could read in two ways is refused.
 *
 * deb(5): v7, ustar with its prefix, and of GNU's format long names and large sizes. dpkg takes neither pax headers nor sparse
 * files. Ours besides: the archive ends with a block of zeros and nothing but zeros follow, only files have content, names
 * are UTF-8 (Policy 10.10). Nothing is kept of contents that are not asked for.
 */
import { isUtf8 } from 'node:buffer'
import type { PieceReader } from './piece-reader.ts'
import { beyond, buildAgain, quoted, refused, sendAgain } from './upload-refusal.ts'

export type TarType =
  | 'file'
  | 'hard-link'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo'

export interface TarItem {
  /** As written, decoded. */
  readonly name: string
  readonly type: TarType
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Of files alone. */
  readonly size: number
  /** Empty but for links. */
  readonly linkTarget: string
  /** Of its header in the archive. */
  readonly offset: number
  /** The content, once: at most `max` bytes of it (more is `ERR_TOO_LARGE`). */
  content(max: number): Promise<Buffer>
}

const blockSize = 512
const longestName = 4095
const types: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hard-link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
}
const foreign: Readonly<Record<string, string>> = {
  x: 'a pax header',
  g: 'a pax header',
  S: 'a sparse file',
  M: 'a part of a file',
  V: 'a volume label',
  '7': 'a contiguous file',
}

/** The entries in their order; each is to be done with before the next one is asked for. */
export async function* tarItems(bytes: PieceReader, member: string): AsyncGenerator<TarItem, void> {
  let longName: string | undefined
  let longLink: string | undefined
  for (;;) {
    const offset = bytes.offset
    const block = await bytes.read(blockSize)
    const bad = faults(member, offset)
    if (block.length < blockSize) {
      if (block.length > 0) throw bad('tar-cut-off', 'the archive ends within a header', sendAgain)
      throw bad('tar-cut-off', 'the archive ends without the blocks of zeros at its end', sendAgain)
    }
    if (isZero(block)) {
      if ((longName ?? longLink) !== undefined)
        throw bad('tar-header', 'a long name without an entry')
      return await refuseRest(bytes, member)
    }
    const header = readHeader(block, bad)
    if (header.flag === 'L' || header.flag === 'K') {
      const text = await readLong(bytes, header.size, bad)
      if ((header.flag === 'L' ? longName : longLink) !== undefined)
        throw bad('tar-header', 'two long names in a row')
      if (header.flag === 'L') longName = text
      else longLink = text
      continue
    }
    const item = toItem({ ...header, name: longName ?? header.name }, longLink, bad)
    longName = undefined
    longLink = undefined
    yield* withContent(bytes, { ...item, offset }, bad)
  }
}

type Bad = (reason: string, what: string, hint?: string) => Error

function faults(member: string, offset: number): Bad {
  return (reason, what, hint = buildAgain) => refused({ reason, what, hint, member, offset })
}

interface RawHeader {
  readonly name: string
  readonly link: string
  readonly flag: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
}

function readHeader(block: Buffer, bad: Bad): RawHeader {
  let sum = 8 * 32
  for (let at = 0; at < blockSize; at += 1) {
    if (at < 148 || at >= 156) sum += block[at] ?? 0
  }
  const number = (what: string, start: number, length: number): number => {
    const found = readNumber(block.subarray(start, start + length))
    if (found === undefined) throw bad('tar-header', `its ${what} is no number`, sendAgain)
    return found
  }
  if (number('checksum', 148, 8) !== sum)
    throw bad('tar-checksum', 'the checksum of a header is wrong', sendAgain)
  const prefix =
    block.toString('latin1', 257, 263) === 'ustar\0' ? textOf(block, 345, 155, bad) : ''
  const name = textOf(block, 0, 100, bad)
  const flag = block.toString('latin1', 156, 157)
  // Of no use to us, but tar stops at one that is none.
  number('time', 136, 12)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: textOf(block, 157, 100, bad),
    flag,
    mode: number('mode', 100, 8) & 0o7777,
    uid: number('owner', 108, 8),
    gid: number('group', 116, 8),
    size: number('size', 124, 12),
  }
}

function toItem(
  { name, link, flag, mode, uid, gid, size }: RawHeader,
  longLink: string | undefined,
  bad: Bad,
): Omit<TarItem, 'offset' | 'content'> {
  const found = types[flag]
  if (found === undefined) {
    const what = foreign[flag] ?? `an entry of the unknown kind ${quoted(flag)}`
    const hint = 'build it with dpkg-deb, or tar --format=gnu: dpkg reads nothing else'
    throw bad('tar-kind', `${what}, which dpkg does not take: ${quoted(name)}`, hint)
  }
  if (name === '') throw bad('tar-header', 'an entry without a name')
  const type = found === 'file' && name.endsWith('/') ? 'directory' : found
  if (type !== 'file' && size !== 0)
    throw bad('tar-header', `${type} ${quoted(name)} with ${size} bytes of content`)
  const isLink = type === 'symlink' || type === 'hard-link'
  const linkTarget = isLink ? (longLink ?? link) : ''
  if (isLink && linkTarget === '') throw bad('tar-header', `${type} ${quoted(name)} to nothing`)
  return { name, type, mode, uid, gid, size, linkTarget }
}

async function* withContent(
  bytes: PieceReader,
  item: Omit<TarItem, 'content'>,
  bad: Bad,
): AsyncGenerator<TarItem, void> {
  const { name, size } = item
  let left = size
  const cutOff = (): Error =>
    bad('tar-cut-off', `the archive ends within the content of ${quoted(name)}`, sendAgain)
  const content = async (max: number): Promise<Buffer> => {
    if (size > max) throw beyond('tar-file-size', `${quoted(name)} is larger than ${max} bytes`)
    const whole = Buffer.from(await bytes.read(left))
    if (whole.length < left) throw cutOff()
    left = 0
    return whole
  }
  yield { ...item, content }
  const padding = (blockSize - (size % blockSize)) % blockSize
  if (!(await bytes.skip(left + padding))) throw cutOff()
}

async function readLong(bytes: PieceReader, size: number, bad: Bad): Promise<string> {
  if (size > longestName + 1) throw bad('tar-long-name', `a name of ${size} bytes`)
  const padded = await bytes.read(Math.ceil(size / blockSize) * blockSize)
  if (padded.length < size) throw bad('tar-cut-off', 'the archive ends within a long name')
  const data = Buffer.from(padded.subarray(0, size))
  const text = textOf(data, 0, size, bad)
  const end = data.indexOf(0)
  if (text === '' || (end >= 0 && !isZero(data.subarray(end))))
    throw bad('tar-header', 'a long name that is none')
  return text
}

/** After the end: zeros alone, since other programs go on reading there. */
async function refuseRest(bytes: PieceReader, member: string): Promise<void> {
  for (;;) {
    const offset = bytes.offset
    const piece = await bytes.some(1024 * 1024)
    if (piece === undefined) return
    if (isZero(piece)) continue
    throw faults(member, offset)('tar-after-end', 'something follows the end of the archive')
  }
}

/** Octal digits between blanks, or GNU's base 256; undefined for anything else. */
function readNumber(data: Buffer): number | undefined {
  const first = data[0] ?? 0
  if (first === 0x80) {
    let sum = 0
    for (const byte of data.subarray(1)) sum = sum * 256 + byte
    return Number.isSafeInteger(sum) ? sum : undefined
  }
  const digits = /^ *([0-7]*)[ \0]*$/.exec(data.toString('latin1'))?.[1]
  if (digits === undefined) return undefined
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

/** Up to the first NUL. */
function textOf(data: Buffer, start: number, length: number, bad: Bad): string {
  let end = start
  while (end < start + length && data[end] !== 0) end += 1
  const bytes = data.subarray(start, end)
  if (isUtf8(bytes)) return bytes.toString()
  const hint = 'give its files names in UTF-8 (Policy 10.10)'
  throw bad('path-encoding', `a name that is not UTF-8: ${quoted(bytes.toString('latin1'))}`, hint)
}

const zeros = Buffer.alloc(64 * 1024)

function isZero(data: Buffer): boolean {
  for (let at = 0; at < data.length; at += zeros.length) {
    const part = data.subarray(at, at + zeros.length)
    if (!part.equals(zeros.subarray(0, part.length))) return false
  }
  return true
}
