/**
 * A connection of a plain client: its requests one after the other, answered out of what is known, until one comes that cannot
 * be. With that the connection goes over to Node's http server, when all before it is with the client: so what is no plain hit
 * is answered by one program, whichever process began.
 */
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { type Sink, writeFile } from './body.ts'
import { ageOf, httpDate } from './conditions.ts'
import { type PlainRequest, parsePlainHead } from './hit-head.ts'
import type { FoundFile } from './known-hits.ts'
import type { ReadBuffers } from './read-buffers.ts'
import type { PassingAnswer, ReadyAnswer } from './ready-answers.ts'
import { startReading, stopReading } from './socket-reading.ts'

export interface Connections {
  /** What is to be had at once for this URL. */
  find(url: string): ReadyAnswer | PassingAnswer | undefined
  /** What was found by `find` is still being sent: its bytes are not to be used again before what this gives is called. */
  keepPassing(): () => void
  /** The same with what takes time; undefined for what is to be answered by the http server. */
  look(url: string): Promise<ReadyAnswer | FoundFile | undefined>
  /** Whether a request for this URL that was sent ahead can wait until a large file is sent: nobody has to fetch it. */
  mayWait(url: string): boolean
  readonly buffers: ReadBuffers
  readonly clock: Pick<Clock, 'now'>
  /** Gives the connection, of which nothing is read now, to the http server: first these bytes, then what its buffer has. */
  over(socket: Socket, bytes: Buffer): void
  /** An answer was sent. */
  sent(request: PlainRequest, answer: SentAnswer, socket: Socket): void
  /** No more requests are taken. */
  isStopping(): boolean
}

export interface SentAnswer {
  readonly status: 200 | 304
  /** Of the body. */
  readonly bytes: number
  readonly found: ReadyAnswer | PassingAnswer | FoundFile
}

/** One that is served. */
export interface HitConnection {
  /** Nothing of a request is here, and nothing is being sent. */
  isIdle(): boolean
}

const KEEP_ALIVE_MS = 75_000
const STALL_MS = 300_000
/** Answers wait for the client up to so many bytes. */
const MOST_WAITING = 512 * 1024
const END = '\r\n\r\n'

/** Answers what comes by this connection; `firstWithinMs` until something does. */
export function serveConnection(
  socket: Socket,
  all: Connections,
  firstWithinMs: number,
): HitConnection {
  let rest: Buffer = Buffer.alloc(0)
  let isBusy = false
  const letGo = (): void => void socket.destroy()
  const end = (): void => void socket.end()
  const goOver = (): void => {
    isBusy = true
    stopReading(socket)
    socket.off('data', take).off('end', end).off('timeout', letGo).setTimeout(0)
    const send = (): void => {
      socket.off('error', letGo)
      if (!socket.destroyed) all.over(socket, rest)
    }
    // When all before it is with the kernel.
    if (socket.writableLength > 0) socket.write('', send)
    else send()
  }
  /** Answers the first of the requests that are here; false if it takes time, or there is none. */
  const answerOne = (): boolean => {
    const length = rest.indexOf(END)
    if (length < 0) {
      if (rest.length > 0) goOver()
      else if (all.isStopping()) socket.end()
      return false
    }
    const request = parsePlainHead(rest.toString('latin1', 0, length))
    if (request === undefined) {
      goOver()
      return false
    }
    const found = all.find(request.url)
    if (found !== undefined) {
      rest = rest.subarray(length + END.length)
      sendWhole(socket, request, found, all)
      return socket.writableLength <= MOST_WAITING
    }
    isBusy = true
    stopReading(socket)
    answerLater(socket, request, all, () =>
      mayAllWait(rest.subarray(length + END.length), all),
    ).then((isAnswered) => {
      isBusy = false
      if (socket.destroyed) return
      if (!isAnswered) return goOver()
      rest = rest.subarray(length + END.length)
      proceed()
    }, letGo)
    return false
  }
  const proceed = (): void => {
    while (answerOne()) if (socket.destroyed) return
    if (isBusy || socket.destroyed) return
    if (socket.writableLength > MOST_WAITING) {
      stopReading(socket)
      socket.once('drain', proceed)
      return
    }
    const within = socket.writableLength > 0 ? STALL_MS : KEEP_ALIVE_MS
    // What is sent and what comes sets its timer anew.
    if (socket.timeout !== within) socket.setTimeout(within)
    if (socket.isPaused()) startReading(socket)
  }
  const take = (data: Buffer): void => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data])
    if (!isBusy) proceed()
  }
  socket.setNoDelay(true).setTimeout(firstWithinMs)
  // Who says no more may wait for answers still.
  socket.allowHalfOpen = true
  socket.on('timeout', letGo).on('error', letGo).on('end', end).on('data', take).resume()
  return { isIdle: () => !isBusy && rest.length === 0 && socket.writableLength === 0 }
}

/** Whether nothing has to be begun for the requests that were sent ahead. */
function mayAllWait(ahead: Buffer, all: Connections): boolean {
  for (let at = 0; at < ahead.length; ) {
    const end = ahead.indexOf(END, at)
    const request = end < 0 ? undefined : parsePlainHead(ahead.toString('latin1', at, end))
    if (request === undefined || !all.mayWait(request.url)) return false
    at = end + END.length
  }
  return true
}

function sendWhole(
  socket: Socket,
  request: PlainRequest,
  found: ReadyAnswer | PassingAnswer,
  all: Connections,
): void {
  const { head, data } = found
  const isUnchanged = request.since === head.lastModified
  const isBare = isUnchanged || request.method === 'HEAD'
  const opening = headBytes(found, isUnchanged, all.clock)
  if (isBare) socket.write(opening)
  else {
    socket.cork()
    socket.write(opening)
    socket.write(data)
    socket.uncork()
    if (found.isPassing && socket.writableLength > 0) {
      const giveBack = all.keepPassing()
      // Behind it: who was cut off has it still, for all we know.
      socket.write('', (error) => !error && giveBack())
    }
  }
  const [status, bytes] = [isUnchanged ? 304 : 200, isBare ? 0 : data.length] as const
  all.sent(request, { status, bytes, found }, socket)
}

/** Answers what is not in memory, or not known yet; false if the http server is to answer. */
async function answerLater(
  socket: Socket,
  request: PlainRequest,
  all: Connections,
  mayBeLong: () => boolean,
): Promise<boolean> {
  // However long that takes: it is not the client who is waited for.
  socket.setTimeout(0)
  const found = await all.look(request.url)
  if (found === undefined) return false
  if ('data' in found) {
    sendWhole(socket, request, found, all)
    return true
  }
  const { blob, head } = found
  try {
    const isUnchanged = request.since === head.lastModified
    const isBare = isUnchanged || request.method === 'HEAD'
    if (!isBare && !mayBeLong()) return false
    socket.write(headBytes(found, isUnchanged, all.clock))
    const [status, bytes] = [isUnchanged ? 304 : 200, isBare ? 0 : blob.size] as const
    all.sent(request, { status, bytes, found }, socket)
    if (isBare) return true
    socket.setTimeout(STALL_MS)
    await writeFile(socketSink(socket), { blob, start: 0, end: blob.size }, all.buffers)
    return true
  } finally {
    blob.release()
  }
}

function socketSink(socket: Socket): Sink {
  return {
    write: (piece) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return resolve()
        socket.write(piece, (error) => (error ? reject(error) : resolve()))
      }),
    isGone: () => socket.destroyed,
    isQueued: () => false,
    cutOff: () => socket.resetAndDestroy(),
    end: () => undefined,
  }
}

/** A head as it was sent last; never changed. */
interface SentHead {
  readonly second: number
  readonly age: string | undefined
  readonly bytes: Buffer
}

const heads = new WeakMap<readonly string[], SentHead>()

/** Made anew once a second: with bytes alone to be written, nothing is encoded for each answer. */
function headBytes(
  { head, answer: { confirmedAt } }: SentAnswer['found'],
  isUnchanged: boolean,
  clock: Pick<Clock, 'now'>,
): Buffer {
  const lines = isUnchanged ? head.unchanged : head.whole
  const second = Math.floor(Date.now() / 1000)
  const age = confirmedAt === undefined ? undefined : ageOf(confirmedAt, clock)
  const known = heads.get(lines)
  if (known !== undefined && known.second === second && known.age === age) return known.bytes
  const text = textOf(isUnchanged ? '304 Not Modified' : '200 OK', [
    ...lines,
    ...(age === undefined ? [] : ['Age', age]),
    ...['Date', httpDate(second), 'Connection', 'keep-alive', 'Keep-Alive', 'timeout=75'],
  ])
  const bytes = Buffer.from(`${text}\r\n`, 'latin1')
  heads.set(lines, { second, age, bytes })
  return bytes
}

function textOf(status: string, lines: readonly string[]): string {
  let text = `HTTP/1.1 ${status}\r\n`
  for (let at = 0; at < lines.length; at += 2) text += `${lines[at]}: ${lines[at + 1]}\r\n`
  return text
}
