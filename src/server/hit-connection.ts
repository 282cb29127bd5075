/**
 * A connection in a worker: its requests one after the other, answered out of what the worker knows, until one comes that it
 * cannot answer. With that the connection goes over to the main process, when all before it is with the client.
 */
import type { Socket } from 'node:net'
import { type Sink, writeFile } from './body.ts'
import { ageOf, httpDate } from './conditions.ts'
import { type PlainRequest, parsePlainHead } from './hit-head.ts'
import type { Found, KnownHits } from './known-hits.ts'
import type { ReadBuffers } from './read-buffers.ts'
import type { ReadyHead } from './ready-answers.ts'

export interface Connections {
  readonly known: KnownHits
  readonly buffers: ReadBuffers
  /** Gives the connection to the main process, with what was read of it. */
  over(socket: Socket, bytes: Buffer): void
  /** An answer was sent. */
  sent(request: PlainRequest, status: 200 | 304, bytes: number, socket: Socket): void
  /** No more requests are taken. */
  isStopping(): boolean
}

const KEEP_ALIVE_MS = 75_000
const STALL_MS = 300_000
/** Answers wait for the client up to so many bytes. */
const MOST_WAITING = 512 * 1024

/** Answers what comes by this connection; `firstWithinMs` until something does. */
export function serveConnection(socket: Socket, all: Connections, firstWithinMs: number): void {
  let rest: Buffer = Buffer.alloc(0)
  let isBusy = false
  const goOver = (): void => {
    socket.pause()
    socket.off('data', take)
    socket.setTimeout(0)
    const more: unknown = socket.read()
    const bytes = Buffer.isBuffer(more) ? Buffer.concat([rest, more]) : rest
    const send = (): void => {
      if (!socket.destroyed) all.over(socket, bytes)
    }
    // When all before it is with the kernel.
    if (socket.writableLength > 0) socket.write('', send)
    else send()
  }
  /** Answers the first of the requests that are here; false if it takes time, or there is none. */
  const answerOne = (): boolean => {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) {
      if (rest.length > 0) goOver()
      else if (all.isStopping()) socket.end()
      return false
    }
    const request = parsePlainHead(rest.toString('latin1', 0, end))
    if (request === undefined) {
      goOver()
      return false
    }
    const found = all.known.find(request.url)
    if (found !== undefined) {
      rest = rest.subarray(end + 4)
      sendWhole(socket, request, found, all)
      return socket.writableLength <= MOST_WAITING
    }
    isBusy = true
    socket.pause()
    answerLater(socket, request, all).then(
      (isAnswered) => {
        isBusy = false
        if (socket.destroyed) return
        if (!isAnswered) return goOver()
        rest = rest.subarray(end + 4)
        proceed()
      },
      () => socket.destroy(),
    )
    return false
  }
  const proceed = (): void => {
    while (answerOne()) if (socket.destroyed) return
    if (isBusy || socket.destroyed || socket.listenerCount('data') === 0) return
    if (socket.writableLength > MOST_WAITING) {
      socket.pause()
      socket.once('drain', proceed)
      return
    }
    socket.setTimeout(socket.writableLength > 0 ? STALL_MS : KEEP_ALIVE_MS)
    socket.resume()
  }
  const take = (data: Buffer): void => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data])
    if (!isBusy) proceed()
  }
  socket.setNoDelay(true)
  socket.setTimeout(firstWithinMs, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', take)
  socket.resume()
}

function sendWhole(
  socket: Socket,
  request: PlainRequest,
  { head, data, confirmedAt }: Found,
  all: Connections,
): void {
  const isUnchanged = request.since === head.lastModified
  const isBare = isUnchanged || request.method === 'HEAD'
  socket.cork()
  socket.write(headText(head, isUnchanged, confirmedAt), 'latin1')
  if (!isBare) socket.write(data)
  socket.uncork()
  all.sent(request, isUnchanged ? 304 : 200, isBare ? 0 : data.length, socket)
}

/** Answers what is not in memory, or not known yet; false if the main process is to answer. */
async function answerLater(
  socket: Socket,
  request: PlainRequest,
  all: Connections,
): Promise<boolean> {
  const found = await all.known.look(request.url)
  if (found === undefined) return false
  if ('data' in found) {
    sendWhole(socket, request, found, all)
    return true
  }
  const { blob, head, confirmedAt } = found
  try {
    const isUnchanged = request.since === head.lastModified
    socket.write(headText(head, isUnchanged, confirmedAt), 'latin1')
    const isBare = isUnchanged || request.method === 'HEAD'
    all.sent(request, isUnchanged ? 304 : 200, isBare ? 0 : blob.size, socket)
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

const texts = new WeakMap<readonly string[], string>()
const now = { second: 0, text: '' }

function headText(head: ReadyHead, isUnchanged: boolean, confirmedAt: number | undefined): string {
  const lines = isUnchanged ? head.unchanged : head.whole
  const text = texts.get(lines) ?? textOf(isUnchanged ? '304 Not Modified' : '200 OK', lines)
  texts.set(lines, text)
  const second = Math.floor(Date.now() / 1000)
  if (second !== now.second) Object.assign(now, { second, text: httpDate(second) })
  const age = confirmedAt === undefined ? '' : `Age: ${ageOf(confirmedAt, Date)}\r\n`
  return `${text}${age}Date: ${now.text}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n`
}

function textOf(status: string, lines: readonly string[]): string {
  let text = `HTTP/1.1 ${status}\r\n`
  for (let at = 0; at < lines.length; at += 2) text += `${lines[at]}: ${lines[at + 1]}\r\n`
  return text
}
