/**
 * Several parts of one large file at the same time, from all mirrors that have it: where one connection is slow, more are
 * faster. An option: it asks more of mirrors.
 *
 * The file is cut into pieces, which are fetched in their order and written to their places in the temp file. From the
 * first byte on they are counted (and hashed) as they close up, so that clients stream in order meanwhile. Nothing depends
 * on its success: whatever it leaves is fetched as usual, from the first byte that is missing.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { AppError, toAppError } from '../base/errors.ts'
import { isOurFault, toStoreError } from './download-errors.ts'
import type { Job } from './download-job.ts'
import { count, isOver, type Transfer } from './download-pull.ts'
import { redactUrl } from './upstream.ts'

/** Below that a second connection gains nothing. */
const leastBytes = 32 * 1024 * 1024
const pieceBytes = 4 * 1024 * 1024
const readBytes = 256 * 1024
/** A mirror that failed so often is asked for no more pieces. */
const mostFailures = 2

/** A run of bytes that one answer brings; `got` of them are in the file. */
interface Piece {
  readonly start: number
  readonly end: number
  got: number
}

interface Ranges {
  readonly transfer: Transfer
  readonly file: FileHandle
  /** Not begun, the first first. */
  readonly waiting: Piece[]
  /** Begun, by where they start. */
  readonly begun: Map<number, Piece>
  readonly failures: Map<string, number>
  /** What is counted just now. */
  closing: Promise<void>
}

/** Whether this file is worth it. */
export function isForRanges({ parts, job, isSuspicious }: Transfer): boolean {
  // Of several that gave wrong bytes together nobody knows who lied.
  const left = job.wanted.size - job.written
  return !isSuspicious && (parts.parallelRanges ?? 0) > 1 && left > leastBytes
}

/** Brings what can be had so; the job's `written` tells how far the file reaches without a gap. */
export async function pullRanges(transfer: Transfer, urls: readonly string[]): Promise<void> {
  const { parts, job } = transfer
  transfer.writer ??= await parts.blobs.create()
  job.path = transfer.writer.path
  const file = await open(transfer.writer.path, 'r+')
  const ranges: Ranges = {
    ...{ transfer, file, waiting: piecesOf(job.written, job.wanted.size), begun: new Map() },
    ...{ failures: new Map(), closing: Promise.resolve() },
  }
  try {
    const lanes = Array.from({ length: parts.parallelRanges ?? 0 }, (_, at) => at)
    const ends = await Promise.allSettled(lanes.map((lane) => work(ranges, urls, lane)))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    await ranges.closing
  } finally {
    await file.close()
  }
}

function piecesOf(from: number, size: number): Piece[] {
  const pieces: Piece[] = []
  for (let start = from; start < size; start += pieceBytes) {
    pieces.push({ start, end: Math.min(size, start + pieceBytes), got: 0 })
  }
  return pieces
}

/** One connection's share: piece after piece, as long as there are pieces and a mirror that gives them. */
async function work(ranges: Ranges, urls: readonly string[], lane: number): Promise<void> {
  for (;;) {
    const good = urls.filter((url) => (ranges.failures.get(url) ?? 0) < mostFailures)
    const url = good[lane % good.length]
    const piece = url === undefined ? undefined : ranges.waiting.shift()
    if (url === undefined || piece === undefined) return
    ranges.begun.set(piece.start, piece)
    try {
      await fetchPiece(ranges, url, piece)
    } catch (error) {
      fail(ranges, url, piece, error)
    }
  }
}

/** Leaves the rest of a piece to the next; throws if the whole job is over. */
function fail({ transfer, failures, waiting }: Ranges, url: string, piece: Piece, error: unknown) {
  const failure = toAppError(error)
  if (isOver(transfer, failure) || isOurFault(failure)) throw failure
  failures.set(url, (failures.get(url) ?? 0) + 1)
  waiting.unshift({ start: piece.start + piece.got, end: piece.end, got: 0 })
  const { label } = transfer.job.wanted
  const fields = { label, url: redactUrl(url), code: failure.code, from: piece.start }
  transfer.parts.log?.warn(fields, 'a part failed')
}

async function fetchPiece(ranges: Ranges, url: string, piece: Piece): Promise<void> {
  const { parts, job, signal, givers } = ranges.transfer
  const { start, end } = piece
  job.tried.add(url)
  const range = { start, end }
  const response = await parts.upstream.get(url, { range, maxBytes: job.wanted.size }, { signal })
  const told = `bytes ${start}-${end - 1}/${job.wanted.size}`
  if (response.status !== 206 || response.headers['content-range'] !== told) {
    await response.body[Symbol.asyncIterator]().return?.()
    throw misfit(job, 'another range than was asked for')
  }
  for await (const chunk of response.body) {
    if (piece.got + chunk.length > end - start) throw misfit(job, 'more bytes than were asked for')
    givers.add(url)
    await writeAt(ranges, chunk, start + piece.got)
    piece.got += chunk.length
    ranges.closing = ranges.closing.then(() => close(ranges))
    await ranges.closing
  }
  if (piece.got < end - start) throw misfit(job, 'fewer bytes than were asked for')
}

function misfit({ wanted }: Job, what: string): AppError {
  return new AppError('ERR_SIZE_MISMATCH', { message: `${wanted.label}: ${what}` })
}

async function writeAt({ file, transfer }: Ranges, chunk: Buffer, place: number): Promise<void> {
  try {
    for (let at = 0; at < chunk.length; ) {
      at += (await file.write(chunk, at, chunk.length - at, place + at)).bytesWritten
    }
  } catch (error) {
    throw toStoreError(transfer.job, error)
  }
}

/** Counts what lies behind the bytes that are counted, up to the first gap. */
async function close({ transfer, file, begun }: Ranges): Promise<void> {
  const { job } = transfer
  for (;;) {
    const piece = [...begun.values()].find(
      ({ start, got }) => start <= job.written && job.written < start + got,
    )
    if (piece === undefined) return
    const left = piece.start + piece.got - job.written
    const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, left))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, job.written).catch((error) => {
      throw toStoreError(job, error)
    })
    count(transfer, buffer.subarray(0, bytesRead))
    if (job.written === piece.end) begun.delete(piece.start)
  }
}
