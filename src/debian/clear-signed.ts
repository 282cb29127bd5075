/**
 * The frame of a clear-signed file, `InRelease`: the signed text apart from its signature (RFC 9580 §7).
 *
 * As strict as apt's SplitClearSignedFile, so that what Sluice takes apt takes: the BEGIN line comes first, nothing at all
 * follows the END line, there is one message, and a line of text that starts with a dash is escaped. Blanks at the ends
 * of lines are not signed and are dropped.
 */
import { AppError } from '../base/errors.ts'
import { looksLikeWebPage, readArmorBlock, trimmedLines } from './openpgp-packets.ts'

export interface ClearSigned {
  /** Without blanks at their ends and dash escapes; one character a byte. */
  readonly lines: readonly string[]
  /** The signature packets. */
  readonly signature: Buffer
}

const messageBegin = '-----BEGIN PGP SIGNED MESSAGE-----'
const signatureBegin = '-----BEGIN PGP SIGNATURE-----'

/**
 * Takes a clear-signed file apart; nothing in it is verified yet. Throws `ERR_SIGNATURE_MISSING` for a file that is not
 * clear-signed, `ERR_SIGNATURE_BAD` for one that apt refuses for its frame.
 */
export function splitClearSigned(data: Buffer): ClearSigned {
  const lines = trimmedLines(data)
  if (lines[0] !== messageBegin) throw notSigned(data, lines)
  const blank = lines.indexOf('', 1)
  const begin = lines.indexOf(signatureBegin, 1)
  if (begin === -1) {
    throw missing('InRelease is not signed: it ends before its signature begins')
  }
  if (blank === -1 || blank > begin) throw bad('it has no empty line before its text')
  const stray = lines.slice(1, blank).find((line) => !/^Hash: /.test(line))
  if (stray !== undefined) throw bad(`it has a header line ${JSON.stringify(stray.slice(0, 80))}`)
  const text = lines.slice(blank + 1, begin).map(unescapeDash)
  return { lines: text, signature: readSignatureBlocks(lines, begin) }
}

/** The text with the line ends that a signature is over: CRLF between lines, none after the last. */
export function signedBytes(lines: readonly string[]): Buffer {
  return Buffer.from(lines.join('\r\n'), 'latin1')
}

/** The error for a file that carries no signature at all. */
export function notSigned(data: Buffer, lines: readonly string[]): AppError {
  if (data.length === 0) return missing('InRelease is not signed: it is empty')
  if (looksLikeWebPage(data)) return webPage('InRelease')
  if (lines.includes(messageBegin)) return bad('it has unsigned text before the signed message')
  return missing('InRelease is not signed: it does not begin as a signed message')
}

/** The error for a page that came in place of the file `name`. */
export function webPage(name: string): AppError {
  return new AppError('ERR_SIGNATURE_MISSING', {
    message: `${name} is not signed: it looks like a web page`,
    hint: 'open the URL in a browser: a proxy, a login page or a wrong address may have answered',
  })
}

/** One block or, as apt takes it too, several without anything between them. */
function readSignatureBlocks(lines: readonly string[], begin: number): Buffer {
  const blocks: Buffer[] = []
  let at = begin
  while (lines[at] === signatureBegin) {
    const block = readBlock(lines, at)
    blocks.push(block.data)
    at = block.next
  }
  if (lines.indexOf(messageBegin, at) !== -1) throw bad('a second signed message follows the first')
  if (at < lines.length) throw bad('it has unsigned lines after its signature')
  return Buffer.concat(blocks)
}

function readBlock(lines: readonly string[], begin: number): { data: Buffer; next: number } {
  try {
    return readArmorBlock(lines, begin)
  } catch (cause) {
    throw bad('its signature block is damaged or cut off', cause)
  }
}

function unescapeDash(line: string): string {
  if (!line.startsWith('-')) return line
  if (line.startsWith('- ')) return line.slice(2)
  throw bad('a line of its text begins with a dash that is not escaped')
}

function missing(message: string): AppError {
  return new AppError('ERR_SIGNATURE_MISSING', {
    message,
    hint: 'the archive must publish a signed InRelease, or Release with Release.gpg',
  })
}

function bad(what: string, cause?: unknown): AppError {
  return new AppError('ERR_SIGNATURE_BAD', {
    message: `InRelease is not what was signed: ${what}`,
    hint: 'a cache or proxy on the way may have changed it, or the archive is being updated: try again',
    cause,
  })
}
