/**
 * The entry of a worker: a process that answers hits, on connections that the main process gives it (worker-pool.ts). It reads
 * blobs' files and writes nothing but answers; what it sent it tells the main process a few times a second. It ends with the
 * main process.
 */
import type { Socket } from 'node:net'
import type { Sha256 } from '../base/sha256.ts'
import { openEpoch } from './epoch.ts'
import { type Connections, serveConnection } from './hit-connection.ts'
import { createKnownHits, type KnownHits } from './known-hits.ts'
import { createReadBuffers } from './read-buffers.ts'
import { takeUnread } from './socket-reading.ts'
import type { SentHits, ToMain, ToWorker } from './worker-messages.ts'

const TELL_MS = 200
const MOST_UNTOLD = 5000

const sockets = new Set<Socket>()
let untold = new Map<string, SentHits>()
let timer: NodeJS.Timeout | undefined
let isStopping = false
let begun: { readonly known: KnownHits; readonly firstWithinMs: number } | undefined

const connections: Omit<Connections, keyof KnownHits> = {
  buffers: createReadBuffers(),
  clock: Date,
  over: (socket, first) => {
    const bytes = Buffer.concat([first, ...takeUnread(socket)])
    // It is not ours any more when that returns.
    sockets.delete(socket)
    process.send?.({ kind: 'over', bytes } satisfies ToMain, socket, { keepOpen: false }, () => {
      socket.destroy()
    })
    send({ kind: 'ended', count: 1 })
    endIfDone()
  },
  sent: ({ method, url, agent }, { status, bytes }, { remoteAddress: address = '' }) => {
    const key = `${method} ${status} ${address} ${url}`
    const known = untold.get(key) ?? { url, method, status, address, agent, count: 0, bytes: 0 }
    known.count += 1
    known.bytes += bytes
    untold.set(key, known)
    if (untold.size > MOST_UNTOLD) tell()
    else timer ??= setTimeout(tell, TELL_MS)
  },
  isStopping: () => isStopping,
}

function send(message: ToMain): void {
  if (process.connected) process.send?.(message)
}

function tell(): void {
  clearTimeout(timer)
  timer = undefined
  if (untold.size > 0) send({ kind: 'sent', hits: [...untold.values()] })
  untold = new Map()
}

function hear(message: ToWorker, socket: Socket | undefined): void {
  if (message.kind === 'begin') {
    const { blobs, epoch, headersWithinMs } = message
    const pathOf = (sha256: Sha256): string => `${blobs}/${sha256.slice(0, 2)}/${sha256.slice(2)}`
    const ask = (url: string): void => send({ kind: 'ask', url })
    const known = createKnownHits({ pathOf, epoch: openEpoch(epoch), ask })
    begun = { known, firstWithinMs: headersWithinMs }
    send({ kind: 'ready' })
  } else if (message.kind === 'socket') take(socket)
  else if (message.kind === 'stop') stop()
  else begun?.known.hear(message)
}

function take(socket: Socket | undefined): void {
  send({ kind: 'taken' })
  // The client was gone before it was given to us.
  if (socket === undefined || begun === undefined) {
    send({ kind: 'ended', count: 1 })
    return
  }
  sockets.add(socket)
  socket.once('close', () => {
    if (!sockets.delete(socket)) return
    send({ kind: 'ended', count: 1 })
    endIfDone()
  })
  serveConnection(socket, { ...connections, ...begun.known }, begun.firstWithinMs)
}

/** What is being sent is sent; who sends nothing is not waited for. */
function stop(): void {
  isStopping = true
  for (const socket of sockets) if (socket.writableLength === 0 && !socket.isPaused()) socket.end()
  endIfDone()
}

function endIfDone(): void {
  if (!isStopping || sockets.size > 0) return
  tell()
  // What was told is with the main process before the channel closes.
  setImmediate(() => process.disconnect?.())
}

process.title = 'sluice-hits'
// The main process says when it is over.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('message', (message, handle) => {
  // What comes over this channel was sent by worker-pool.ts.
  hear(message as ToWorker, handle as Socket | undefined)
})
process.on('disconnect', () => process.exit(0))
