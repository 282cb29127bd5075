/**
 * Compressed files of archives: gzip, xz, bzip2 and zstd read as streams, and the gzip members that we publish.
 *
 * Decoders run beside the event loop (zlib's thread pool, a thread of the xz binding) and hold back their source when
 * the reader is slow, so that memory follows the reader and not the compression ratio. Only bzip2, rare by now, is
 * decoded on the loop. What is corrupt, truncated or followed by other bytes is `ERR_FORMAT`.
 */
import { Duplex, PassThrough, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGunzip, createZstdDecompress, gunzip, gzip } from 'node:zlib'
import bunzip2 from 'unbzip2-stream'
import type { Abortable } from '../base/abortable.ts'
import { AppError, isAppError, systemCode } from '../base/errors.ts'
import { type ByteSource, type SourceFailure, toBuffer, watched } from './byte-source.ts'
import { xzStream } from './xz-stream.ts'
import { zstdFrames } from './zstd-frames.ts'

export type Compression = 'none' | 'gz' | 'xz' | 'bz2' | 'zst'

const extension = /\.(gz|xz|bz2|zst)$/
const bunzip2Step = 16 * 1024
const decodedStep = 256 * 1024
const gzipAsync = promisify(gzip)
const gunzipAsync = promisify(gunzip)

/** The compression that the extension of the path tells. */
export function compressionOf(path: string): Compression {
  const found = extension.exec(path)?.[1]
  return found === 'gz' || found === 'xz' || found === 'bz2' || found === 'zst' ? found : 'none'
}

/** A decoder to pipe bytes through; members, streams or frames in a row are read as one. Errors are the library's. */
export function decompressStream(kind: Compression): Duplex {
  switch (kind) {
    case 'none':
      return new PassThrough()
    case 'gz':
      return createGunzip({ chunkSize: decodedStep })
    case 'xz':
      return xzStream()
    case 'bz2':
      return bunzip2Stream()
    case 'zst':
      return zstdStream()
  }
}

/** The plain bytes, piece by piece; errors of the source pass through, the decoder's become `ERR_FORMAT`. */
export async function* decompress(
  kind: Compression,
  source: ByteSource,
  { signal }: Abortable,
): AsyncGenerator<Buffer> {
  const failure: SourceFailure = {}
  const decoder = decompressStream(kind)
  const feeding = pipeline(
    watched(source, failure),
    decoder,
    signal === undefined ? {} : { signal },
  )
  feeding.catch(() => undefined)
  try {
    for await (const piece of decoder) yield toBuffer(piece)
    await feeding
  } catch (error) {
    throw failure.error ?? translated(kind, error, signal)
  } finally {
    decoder.destroy()
  }
}

/**
 * Gives the memory of a piece of `decompress` back at once: what a large text goes through would be collected as garbage
 * again and again. Neither the piece nor one before it is of use any more.
 */
export function letGo(kind: Compression, piece: Buffer): void {
  const { buffer } = piece
  // zlib fills a buffer from its start to its end, in one piece or in several, and then takes another one.
  const isZlibs = kind === 'gz' && buffer.byteLength === decodedStep
  if (!isZlibs || piece.byteOffset + piece.length < decodedStep) return
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/**
 * All plain bytes in one Buffer, allocated once when the size is known. `ERR_TOO_LARGE` beyond `max`;
 * `ERR_SIZE_MISMATCH` if there are more or fewer than expected; `ERR_FORMAT` as `decompress`.
 */
export async function decompressTo(
  kind: Compression,
  source: ByteSource,
  size: { readonly expected?: number | undefined; readonly max: number },
  abortable: Abortable,
): Promise<Buffer> {
  const { expected, max } = size
  if (expected !== undefined && expected > max) throw tooLarge(max)
  const collect = expected === undefined ? collectPieces : collectInto
  return await collect(decompress(kind, source, abortable), expected ?? max)
}

/** A gzip member of level 9 whose header carries neither time nor name nor system: same bytes in, same bytes out. */
export function gzipMember(data: Buffer): Promise<Buffer> {
  return memberOf(data, 9)
}

/** The same of level 6: what is long and much alike takes an eighth of the time, and becomes a twentieth larger. */
export function quickGzipMember(data: Buffer): Promise<Buffer> {
  return memberOf(data, 6)
}

async function memberOf(data: Buffer, level: number): Promise<Buffer> {
  const member = await gzipAsync(data, { level })
  const operatingSystem = 9
  const unknown = 255
  member[operatingSystem] = unknown
  return member
}

/** The plain bytes of one or more gzip members; `ERR_TOO_LARGE` beyond `maxBytes`, `ERR_FORMAT` if corrupt. */
export async function gunzipMember(data: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await gunzipAsync(data, { maxOutputLength: Math.max(1, maxBytes) })
  } catch (error) {
    if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes, error)
    throw translated('gz', error, undefined)
  }
}

async function collectInto(pieces: AsyncIterable<Buffer>, expected: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafeSlow(expected)
  let used = 0
  for await (const piece of pieces) {
    if (used + piece.length > expected) throw wrongSize(expected, undefined)
    used += piece.copy(whole, used)
  }
  if (used < expected) throw wrongSize(expected, used)
  return whole
}

async function collectPieces(pieces: AsyncIterable<Buffer>, max: number): Promise<Buffer> {
  const kept: Buffer[] = []
  let used = 0
  for await (const piece of pieces) {
    used += piece.length
    if (used > max) throw tooLarge(max)
    kept.push(piece)
  }
  return Buffer.concat(kept, used)
}

function translated(kind: Compression, error: unknown, signal: AbortSignal | undefined): unknown {
  if (isAppError(error) || signal?.aborted === true) return error
  const reason = error instanceof Error ? error.message : String(error)
  const message = `corrupt or truncated ${kind} data: ${reason}`
  return new AppError('ERR_FORMAT', { message, cause: error })
}
function zstdStream(): Duplex {
  const frames = zstdFrames()
  const decoder = createZstdDecompress({ chunkSize: decodedStep })
  pipeline(frames, decoder).catch(() => undefined)
  return Duplex.from({ writable: frames, readable: decoder })
}

function bunzip2Stream(): Transform {
  const decoder = bunzip2()
  let isEmpty = true
  const stream = new Transform({
    transform(piece: Buffer, _encoding, done) {
      isEmpty &&= piece.length === 0
      for (let at = 0; at < piece.length; at += bunzip2Step) {
        decoder.write(piece.subarray(at, at + bunzip2Step))
      }
      done()
    },
    flush(done) {
      decoder.end()
      done(isEmpty ? new Error('no data') : null)
    },
  })
  decoder.on('data', (piece: Buffer) => stream.push(piece))
  decoder.on('error', (error: Error) => stream.destroy(error))
  return stream
}

function tooLarge(max: number, cause?: unknown): AppError {
  return new AppError('ERR_TOO_LARGE', { message: `more than ${max} bytes when unpacked`, cause })
}

function wrongSize(expected: number, found: number | undefined): AppError {
  const saw = found === undefined ? 'more' : String(found)
  return new AppError('ERR_SIZE_MISMATCH', {
    message: `${expected} bytes expected after unpacking, ${saw} found`,
    details: { expected, found },
  })
}
