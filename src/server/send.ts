/**
 * Sends an answer as HTTP, every file with a Content-Length.
 *
 * A file that is still on its way is sent while it arrives; its last bytes come only after its digest was right. If it
 * was wrong the socket is reset, so that apt asks again and finds another Last-Modified.
 */
import type { Answer, Lasting } from '../archives/answer.ts'
import type { Download, Downloads } from '../archives/download.ts'
import type { Located } from '../archives/locate.ts'
import type { Clock } from '../base/clock.ts'
import { AppError, toAppError } from '../base/errors.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { HotBlobs } from '../store/hot-blobs.ts'
import { type AccelSettings, accelPath } from './accel.ts'
import { responseSink, writeBody, writeFile } from './body.ts'
import { extentOf, httpDate } from './conditions.ts'
import type { Exchange } from './exchange.ts'
import { ageHeader, bodyHeaders, type FileHead, headersOf } from './file-headers.ts'
import type { FileProblems } from './file-problems.ts'
import type { ReadBuffers } from './read-buffers.ts'
import type { SecondLooks } from './second-looks.ts'
import { type PassParts, sendPassed } from './send-passed.ts'
import { patienceFrom, turnOf } from './turn.ts'

export interface SendParts extends PassParts {
  readonly blobs: BlobStore
  readonly hot: HotBlobs
  readonly buffers: ReadBuffers
  readonly downloads: Downloads
  readonly fileProblems: FileProblems
  readonly secondLooks: SecondLooks
  readonly clock: Clock
  readonly config: AccelSettings
  /** A client that has got nothing for so long is told to ask again: apt itself gives up after 30 s. */
  readonly answerWithinMs: number
}

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
  await sendExtent(parts, exchange, { ...file, outcome: 'hit' }, async (start, end) => {
    const { response, signal } = exchange
    if (answer.kind === 'bytes')
      return writeBody(response, [answer.data.subarray(start, end)], end - start, signal)
    const blob = await answer.open()
    return writeFile(responseSink(response, signal), { blob, start, end }, parts.buffers)
  })
}

interface SentFile extends FileHead, Lasting {
  readonly outcome: 'hit' | 'miss'
  /** By which path the front that asks has the file. */
  readonly accel?: string | undefined
}

/** Sends the head, and with `write` of the body what was asked for. */
async function sendExtent(
  { metrics, clock }: Pick<SendParts, 'metrics' | 'clock'>,
  { request, response }: Exchange,
  file: SentFile,
  write: (start: number, end: number) => Promise<void>,
): Promise<void> {
  const extent = extentOf(request, file)
  const common = { ...headersOf(file, file.outcome), ...ageHeader(file, clock) }
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
  if (file.accel !== undefined) {
    // Last-Modified and the range are its own.
    const by = { 'Content-Type': file.type, 'X-Accel-Redirect': file.accel, 'Content-Length': '0' }
    response.writeHead(200, { ...common, ...by }).end()
    return
  }
  const range = status === 206 ? { 'Content-Range': `bytes ${start}-${end - 1}/${file.size}` } : {}
  response.writeHead(status, {
    ...common,
    ...range,
    ...bodyHeaders({ ...file, size: end - start }),
  })
  if (request.method === 'HEAD') response.end()
  else await write(start, end)
}

async function sendBlob(
  parts: SendParts,
  exchange: Exchange,
  answer: Extract<Answer, { kind: 'blob' }>,
): Promise<void> {
  if (!(await sendStored(parts, exchange, answer))) await sendDownload(parts, exchange, answer)
}

/** Sends the file of a blob if it is here; else nothing was sent. */
export async function sendStored(
  parts: SendParts,
  exchange: Exchange,
  answer: Extract<Answer, { kind: 'blob' }>,
): Promise<boolean> {
  parts.blobs.withdrawn.refuse(answer.sha256)
  const blob = await parts.hot.open(answer.sha256)
  if (blob === undefined) return false
  const { response, signal } = exchange
  const isWhole = parts.blobs.isWhole(answer.sha256, blob.size)
  if (isWhole !== true && !(await isWhole)) {
    blob.release()
    await parts.blobs.forget(answer.sha256)
    return false
  }
  try {
    parts.blobs.use.touch(answer.sha256)
    if (!answer.isMutable) {
      const { request } = exchange
      parts.secondLooks.note(request, request.socket.remoteAddress, answer.sha256)
    }
    const lastModified = httpDate(answer.modifiedAt ?? blob.modifiedAt)
    const accel = accelPath(parts.config, exchange.request, answer)
    const file = { ...answer, accel, size: blob.size, lastModified, outcome: 'hit' } as const
    await sendExtent(parts, exchange, file, (start, end) =>
      blob.data === undefined
        ? writeFile(responseSink(response, signal), { blob, start, end }, parts.buffers)
        : writeBody(response, [blob.data.subarray(start, end)], end - start, signal),
    )
    return true
  } finally {
    blob.release()
  }
}

async function sendDownload(
  parts: SendParts,
  exchange: Exchange,
  answer: Extract<Answer, { kind: 'blob' }>,
): Promise<void> {
  const { signal } = exchange
  const located = await answer.locate()
  const { wanted } = located
  const download = await openDownload(parts, located, exchange).catch((error: unknown) => {
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
    await sendExtent(parts, exchange, file, (start, end) => {
      const pieces = take(download.read(start, { signal }), end - start)
      return writeBody(exchange.response, pieces, end - start, signal)
    })
  } finally {
    download.end?.()
  }
}

/** Begins a download, whose failure is remembered whenever it comes. */
async function openDownload(
  parts: SendParts,
  located: Located,
  { response, signal }: Exchange,
): Promise<Download> {
  const known = parts.fileProblems.recall(located)
  if (known !== undefined) throw known
  const note = (error: unknown): void => parts.fileProblems.note(located, error)
  const turn = turnOf(response)
  const patience = patienceFrom(turn, signal, parts.answerWithinMs)
  try {
    const { wanted, source } = located
    const download = await parts.downloads.open(wanted, source, { signal: patience, turn })
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
