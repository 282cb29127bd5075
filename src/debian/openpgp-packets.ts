/**
 * The two outer layers of OpenPGP data: ASCII armor and the row of packets inside it (RFC 9580 §6, §4.2).
 *
 * Read here and not by openpgp.js, because that takes one armor block and gives up a whole keyring for one packet that
 * it does not know. Strict where gpgv is: base64 without stray characters, a right checksum where there is one, the END
 * line of the same kind. Nothing here is believed before a signature over it is checked.
 */
import { AppError } from '../base/errors.ts'

export type ArmorKind = 'PUBLIC KEY BLOCK' | 'PRIVATE KEY BLOCK' | 'SIGNATURE'

export interface Packet {
  /** 2 signature, 5 secret key, 6 public key, 13 user ID, 14 public subkey, 17 user attribute. */
  readonly tag: number
  readonly body: Buffer
  /** Header and body, as they stood. */
  readonly bytes: Buffer
}

export interface ArmorBlock {
  readonly kind: string
  readonly data: Buffer
  /** The line after the END line, counted from 0. */
  readonly next: number
}

const beginLine = /^-----BEGIN PGP ([A-Z][A-Z ]*)-----$/

/** The kind of armor that `line` (without blanks at its end) opens, `SIGNATURE` for one. */
export function armorBegin(line: string): string | undefined {
  return beginLine.exec(line)?.[1]
}

/**
 * The armor block whose BEGIN line is `lines[at]`; lines carry no blanks at their ends. A line of a single dot is taken
 * for an empty one, as deb822 fields write it. Throws `ERR_FORMAT`.
 */
export function readArmorBlock(lines: readonly string[], at: number): ArmorBlock {
  const kind = armorBegin(lines[at] ?? '')
  if (kind === undefined) throw bad('no BEGIN line')
  const end = lines.indexOf(`-----END PGP ${kind}-----`, at)
  if (end === -1) throw bad('it ends before its END line')
  const blank = lines.findIndex((line, i) => i > at && i < end && (line === '' || line === '.'))
  const body = lines.slice(blank === -1 ? at + 1 : blank + 1, end).filter((line) => line !== '')
  const sum = body.at(-1)?.startsWith('=') ? body.pop() : undefined
  const text = body.join('')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw bad('it is not base64')
  const data = Buffer.from(text, 'base64')
  if (sum !== undefined && crc24(data) !== Buffer.from(sum.slice(1), 'base64').toString('hex')) {
    throw bad('its checksum is wrong')
  }
  return { kind, data, next: end + 1 }
}

/** The packets of `data`, none of them interpreted. Throws `ERR_FORMAT` at the first byte that is no packet. */
export function readPackets(data: Buffer): Packet[] {
  const packets: Packet[] = []
  for (let at = 0; at < data.length; ) {
    const { tag, start, end } = packetBounds(data, at)
    if (end > data.length) throw bad('it ends in the middle of a packet')
    packets.push({ tag, body: data.subarray(start, end), bytes: data.subarray(at, end) })
    at = end
  }
  return packets
}

/** The lines of `data`, one character a byte, without blanks (space, tab, CR) at their ends, as apt reads them. */
export function trimmedLines(data: Buffer): string[] {
  const lines = data.toString('latin1').split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map(trimEnd)
}

/** `line` without the blanks at its end that a clear-signed text does not sign. */
export function trimEnd(line: string): string {
  let end = line.length
  while (end > 0 && ' \t\r\n'.includes(line.charAt(end - 1))) end--
  return line.slice(0, end)
}

/** Whether the bytes look like a page that a captive portal or an error handler answered. */
export function looksLikeWebPage(data: Buffer): boolean {
  const head = data
    .subarray(0, 512)
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
  return /^\s*<(!doctype|html|head|body|\?xml|!--)/i.test(head)
}

/** The same bytes as a Buffer. */
export function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

function packetBounds(data: Buffer, at: number): { tag: number; start: number; end: number } {
  const head = byteAt(data, at)
  if ((head & 0x80) === 0) throw bad('it is not made of OpenPGP packets')
  if ((head & 0x40) === 0) {
    const tag = (head >> 2) & 0x0f
    const width = 1 << (head & 3)
    if (width === 8) throw bad('it has a packet without a length')
    let size = 0
    for (let i = 0; i < width; i++) size = size * 256 + byteAt(data, at + 1 + i)
    return { tag, start: at + 1 + width, end: at + 1 + width + size }
  }
  const tag = head & 0x3f
  const first = byteAt(data, at + 1)
  if (first < 192) return { tag, start: at + 2, end: at + 2 + first }
  if (first < 224) {
    const size = ((first - 192) << 8) + byteAt(data, at + 2) + 192
    return { tag, start: at + 3, end: at + 3 + size }
  }
  if (first !== 255) throw bad('it has a packet in pieces')
  byteAt(data, at + 5)
  return { tag, start: at + 6, end: at + 6 + data.readUInt32BE(at + 2) }
}

function byteAt(data: Buffer, at: number): number {
  const byte = data[at]
  if (byte === undefined) throw bad('it ends in the middle of a packet')
  return byte
}

function crc24(data: Buffer): string {
  let crc = 0xb704ce
  for (const byte of data) {
    crc ^= byte << 16
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb
    }
  }
  return crc.toString(16).padStart(6, '0')
}

function bad(what: string): AppError {
  return new AppError('ERR_FORMAT', { message: `the OpenPGP data is damaged: ${what}` })
}
