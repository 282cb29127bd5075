/**
 * The connections of the main process that plain clients have: answered as a worker answers them (hit-connection.ts), at a third
 * of what Node's http server takes for a hit, and that server's from the first request on that is no plain hit.
 *
 * Node does not know of them meanwhile: whoever tells the server to end its connections ends these, too.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { knownOrFound, type PackageFront } from './find-package.ts'
import { type Connections, type HitConnection, serveConnection } from './hit-connection.ts'
import type { FoundFile } from './known-hits.ts'
import type { ReadyAnswer } from './ready-answers.ts'
import { noteSent } from './send-ready.ts'
import { startReading } from './socket-reading.ts'

export interface HitFrontOptions extends PackageFront {
  /** Whether a connection is that of a plain client; asked for each. */
  readonly isPlain: (socket: Socket) => boolean
}

/** Connections of the http server, by whose request they became it. */
const left = new WeakSet<Socket>()
const fronts = new WeakMap<Server, Map<Socket, HitConnection>>()

/** This connection is not looked at before the http server has it: it comes from a worker. */
export function leaveToHttp(socket: Socket): void {
  left.add(socket)
}

/** Connections by which hits are being sent now. */
export function countSending(server: Server): number {
  const all = [...(fronts.get(server)?.values() ?? [])]
  return all.filter((one) => !one.isIdle()).length
}

/** Puts itself before Node's own listener; what bounds connections has looked at each before. */
export function answerHitsFirst(server: Server, { parts, opened, isPlain }: HitFrontOptions): void {
  const [toHttp] = server.listeners('connection')
  if (toHttp === undefined) return
  const serving = new Map<Socket, HitConnection>()
  fronts.set(server, serving)
  const connections: Connections = {
    ...hitsOf({ parts, opened }),
    over: (socket, bytes) => {
      serving.delete(socket)
      if (bytes.length > 0) socket.unshift(bytes)
      Reflect.apply(toHttp, server, [socket])
      startReading(socket)
    },
    isStopping: () => !server.listening,
  }
  server.off('connection', toHttp as (socket: Socket) => void)
  server.on('connection', (socket: Socket) => {
    if (left.has(socket) || !isPlain(socket)) Reflect.apply(toHttp, server, [socket])
    else if (socket.writable) {
      socket.once('close', () => serving.delete(socket))
      serving.set(socket, serveConnection(socket, connections, parts.headersWithinMs))
    }
  })
  endWithServer(server, serving)
}

function hitsOf(front: PackageFront): Omit<Connections, 'over' | 'isStopping'> {
  const { parts } = front
  const { ready, metrics, buffers } = parts
  const clock: Clock = parts.clock
  return {
    find: (url) => ready.find({ url, headers: {} }) ?? ready.pass(url),
    keepPassing: ready.keepPassing,
    look: (url) => look(front, url),
    // The http server begins all that was sent ahead.
    mayWait: () => false,
    buffers,
    clock,
    sent: ({ method, since, agent }, { status, bytes, found: { answer } }, { remoteAddress }) => {
      const headers = { 'user-agent': agent, 'if-modified-since': since }
      noteSent(parts, { method, headers }, answer, remoteAddress)
      metrics.countRequest(status)
      metrics.countFile('hit', bytes, answer.archive)
    },
  }
}

/** The file of an answer that is remembered, or found, if it is here and whole. */
async function look(
  front: PackageFront,
  url: string,
): Promise<ReadyAnswer | FoundFile | undefined> {
  const { ready, hot, blobs } = front.parts
  const answer = await knownOrFound(front, url)
  if (answer?.kind !== 'blob') return undefined
  const blob = await hot.open(answer.sha256)
  if (blob === undefined) return undefined
  const isWhole = await blobs.isWhole(answer.sha256, blob.size)
  const head = isWhole ? ready.headFor(url, blob) : undefined
  if (head !== undefined && answer.holds?.() === true) {
    if (blob.data === undefined) return { head, blob, answer }
    return { head, data: blob.data, answer }
  }
  blob.release()
  return undefined
}

/** Ends what nothing is asked by with the idle ones, and all with all. */
function endWithServer(server: Server, serving: ReadonlyMap<Socket, HitConnection>): void {
  const { closeIdleConnections, closeAllConnections } = server
  server.closeIdleConnections = () => {
    for (const [socket, one] of serving) if (one.isIdle()) socket.destroy()
    Reflect.apply(closeIdleConnections, server, [])
  }
  server.closeAllConnections = () => {
    for (const socket of serving.keys()) socket.destroy()
    Reflect.apply(closeAllConnections, server, [])
  }
}
