/**
 * Sends an answer as HTTP, every file with a Content-Length.
 *
 * A file that is still on its way is sent while it arrives; its last bytes come only after its digest was right. If it
 * was wrong the socket is reset, so that apt asks again and finds another Last-Modified.
 */
import type { FileHandle } from 'node:fs/promises'
import type { Answer, Lasting } from '../archives/answer.ts'
import type { Download, Downloads } from '../archives/download.ts'
import type { Located } from '../archives/locate.ts'
import { withTimeout } from '../base/abortable.ts'
import type { Clock } from '../base/clock.ts'
import { AppError, toAppError } from '../base/errors.ts'
import type { BlobStore, OpenBlob } from '../store/blobs.ts'
import { writeBody } from './body.ts'
import { ageOf, extentOf, httpDate, type Validator } from './conditions.ts'
import type { Exchange } from './exchange.ts'
import type { FileProblems } from './file-problems.ts'
import { type PassParts, sendPassed } from './send-passed.ts'

export interface SendParts extends PassParts {
  readonly blobs: BlobStore
  readonly downloads: Downloads
  readonly fileProblems: FileProblems
  readonly clock: Clock
  /** A client that has got nothing for so long is told to ask again: apt itself gives up after 30 s. */
  readonly answerWithinMs: number
}

const IMMUTABLE = 'public, max-age=31536000, immutable'
const MUTABLE = 'no-cache'
const FIRST_READ_BYTES = 64 * 1024
const READ_BYTES = 512 * 1024

/** Sends the answer; resolves when it is sent, or the client is gone. */
export async function sendAnswer(
  parts: SendParts,
  exchange: Exchange,
  answer: Answer,
): Promise<void> {
  if (answer.kind === 'pass') return sendPassed(parts, exchange, answer)
  if (answer.kind === 'blob') return sendBlob(parts, exchange, answer)
  const size = answer.kind === 'bytes' ? answer.data.length : answer.size
  const file = { ...answer, size, lastModified: httpDate(answer.modifiedAt) }
  await sendExtent(parts, exchange, { ...file, outcome: 'hit' }, (start, end) =>
    answer.kind === 'bytes' ? [answer.data.subarray(start, end)] : answer.read(start, end),
  )
}

type Pieces = AsyncIterable<Buffer> | readonly Buffer[]

interface SentFile extends Validator, Lasting {
  readonly type: string
  readonly outcome: 'hit' | 'miss'
}

async function sendExtent(
  { metrics, clock }: Pick<SendParts, 'metrics' | 'clock'>,
  { request, response, signal }: Exchange,
  file: SentFile,
  read: (start: number, end: number) => Pieces,
): Promise<void> {
  const extent = extentOf(request, file)
  const common = {
    'Last-Modified': file.lastModified,
    'Cache-Control': file.isMutable ? MUTABLE : IMMUTABLE,
    'X-Cache': file.outcome.toUpperCase(),
    ...(file.confirmedAt === undefined ? {} : { Age: ageOf(file.confirmedAt, clock) }),
    ...(file.isMutable ? {} : { 'Accept-Ranges': 'bytes' }),
  }
  const sent = 'start' in extent && request.method !== 'HEAD' ? extent.end - extent.start : 0
  metrics.countFile(file.outcome, sent, file.archive)
  if (extent.status === 304) {
    response.writeHead(304, common).end()
    return
  }
  if (extent.status === 416) {
    const body = 'sluice: the file ends before that range\n'
    const range = { 'Content-Range': `bytes */${file.size}`, 'Content-Length': String(body.length) }
    response.writeHead(416, { ...common, ...range }).end(body)
    return
  }
  const { start, end, status } = extent
  const range = status === 206 ? { 'Content-Range': `bytes ${start}-${end - 1}/${file.size}` } : {}
  response.writeHead(status, {
    ...common,
    ...range,
    'Content-Type': file.type,
    'Content-Length': String(end - start),
  })
  if (request.method === 'HEAD') response.end()
  else await writeBody(response, read(start, end), end - start, signal)
}

async function sendBlob(
  parts: SendParts,
  exchange: Exchange,
  answer: Extract<Answer, { kind: 'blob' }>,
): Promise<void> {
  const open = await parts.blobs.openFile(answer.sha256)
  if (open === undefined) return sendDownload(parts, exchange, answer)
  try {
    parts.blobs.use.touch(answer.sha256)
    const lastModified = httpDate(answer.modifiedAt ?? open.modifiedAt)
    const file = { ...answer, size: open.size, lastModified, outcome: 'hit' } as const
    await sendExtent(parts, exchange, file, (start, end) => readFile(open, start, end))
  } finally {
    await open.handle.close()
  }
}

async function* readFile({ handle }: OpenBlob, start: number, end: number): AsyncIterable<Buffer> {
  const buffers = [allocate(end - start), allocate(end - start)] as const
  let at = start
  for (let turn = 0; at < end; turn++) {
    const buffer = buffers[turn % 2 === 0 ? 0 : 1]
    const bytesRead = await readOnce(
      handle,
      buffer,
      at,
      turn === 0 ? Math.min(end, at + FIRST_READ_BYTES) : end,
    )
    if (bytesRead === 0)
      throw new AppError('ERR_STORE', { message: 'a blob became shorter', hint: 'sluice verify' })
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

function allocate(size: number): Buffer {
  return Buffer.allocUnsafe(Math.min(size, READ_BYTES))
}

async function readOnce(
  handle: FileHandle,
  buffer: Buffer,
  at: number,
  end: number,
): Promise<number> {
  const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at)
  return bytesRead
}

async function sendDownload(
  parts: SendParts,
  exchange: Exchange,
  answer: Extract<Answer, { kind: 'blob' }>,
): Promise<void> {
  const { signal } = exchange
  const located = await answer.locate()
  const { wanted } = located
  const download = await openDownload(parts, located, signal).catch((error: unknown) => {
    if (answer.hasOtherForm !== true || signal.aborted) throw error
    const { message } = toAppError(error)
    throw new AppError('ERR_NOT_FOUND', {
      message,
      hint: 'another form of it is here',
      cause: error,
    })
  })
  const lastModified = httpDate(answer.modifiedAt ?? download.modifiedAt)
  const file = { ...answer, size: wanted.size, lastModified, outcome: 'miss' } as const
  try {
    await sendExtent(parts, exchange, file, (start, end) =>
      take(download.read(start, { signal }), end - start),
    )
  } finally {
    download.end?.()
  }
}

/** Begins a download, whose failure is remembered whenever it comes. */
async function openDownload(
  parts: SendParts,
  located: Located,
  signal: AbortSignal,
): Promise<Download> {
  const known = parts.fileProblems.recall(located)
  if (known !== undefined) throw known
  const note = (error: unknown): void => parts.fileProblems.note(located, error)
  const patience = withTimeout(signal, parts.answerWithinMs)
  try {
    const { wanted, source } = located
    const download = await parts.downloads.open(wanted, source, { signal: patience })
    download.done.catch(note)
    return download
  } catch (failure) {
    const isLate = patience.aborted && !signal.aborted
    const error = isLate ? tooLate(located) : failure
    note(error)
    throw error
  }
}

function tooLate({ wanted }: Located): AppError {
  return new AppError('ERR_UPSTREAM_TIMEOUT', {
    message: `${wanted.label} is still on its way: upstream is slow`,
    hint: 'ask again: the download goes on',
    details: { isUnderWay: true },
  })
}

/** The first `count` bytes of what comes. */
async function* take(pieces: AsyncIterable<Buffer>, count: number): AsyncIterable<Buffer> {
  let left = count
  for await (const piece of pieces) {
    yield piece.subarray(0, left)
    left -= piece.length
    if (left <= 0) return
  }
}
