/**
 * Workers beside the main process (setting `workers`): each connection is given to one of them, which answers hits and gives it
 * back with the first request that is none. So the main process alone resolves, fetches and writes, and everything that it does
 * for a connection is as it would be without workers.
 *
 * What a worker may answer it is told when it asks; when that holds no longer, the epoch says so before anybody can know
 * (epoch.ts), and a message which it is. One that dies is started again; its connections are cut off, and clients come again.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { extname, join } from 'node:path'
import { onChange } from '../archives/changes.ts'
import type { Log } from '../base/log.ts'
import type { Sha256 } from '../base/sha256.ts'
import { createEpoch, type EpochWriter } from './epoch.ts'
import { knownOrFound, type PackageFront } from './find-package.ts'
import { leaveToHttp } from './hit-front.ts'
import { noteSent } from './send-ready.ts'
import { createToldAnswers, type ToldAnswers } from './told-answers.ts'
import type { SentHits, ToldAnswer, ToMain, ToWorker } from './worker-messages.ts'

export interface WorkerPool {
  /** Processes that are there to answer. */
  readonly pids: readonly number[]
  /** Takes no more connections, lets answers end until the signal, then ends all workers. */
  close(signal: AbortSignal): Promise<void>
}

export interface PoolOptions extends PackageFront {
  readonly log: Log
  /** Whether a worker may have this connection; asked for each. */
  readonly isPlain: (socket: Socket) => boolean
}

interface Worker {
  readonly child: ChildProcess
  readonly ended: Promise<void>
  isReady: boolean
  /** Connections that it has. */
  count: number
  /** Those that it has not said to be there, in their order. */
  readonly onTheirWay: OnTheirWay[]
}

/** A connection that is given away; `handle` is that of the system, which it loses when it is sent. */
interface OnTheirWay {
  readonly socket: Socket
  readonly handle: unknown
}

interface Pool extends PoolOptions {
  readonly epoch: EpochWriter
  readonly workers: Set<Worker>
  readonly told: ToldAnswers
  readonly gone: Set<Sha256>
  /** Gives the connection to the server as if it had just come. */
  readonly serve: (socket: Socket) => void
  isClosing: boolean
  isTelling: boolean
}

const entry = join(import.meta.dirname, `hit-worker${extname(import.meta.filename)}`)
const compileCache = join(import.meta.dirname, '../../node_modules/.cache/sluice')
const memoryFlags = ['--max-old-space-size=96', '--max-semi-space-size=4']
/** One that ends as soon as it began is not started again at once. */
const RESTART_MS = 1000

/** Starts so many workers; from now on connections of `server` are theirs. */
export function startWorkers(server: Server, count: number, options: PoolOptions): WorkerPool {
  const { parts } = options
  const own = server.listeners('connection')
  const pool: Pool = {
    ...options,
    epoch: createEpoch(parts.blobs.tempPath()),
    workers: new Set(),
    told: createToldAnswers(),
    gone: new Set(),
    serve: (socket) => {
      for (const listener of own) Reflect.apply(listener, server, [socket])
      socket.resume()
    },
    isClosing: false,
    isTelling: false,
  }
  const changed = (): void => noteChanged(pool)
  const endListening = onChange(changed)
  parts.blobs.news.listen({
    gone: (sha256) => {
      pool.gone.add(sha256)
      changed()
    },
  })
  for (let at = 0; at < count; at++) startWorker(pool)
  server.removeAllListeners('connection')
  // Nothing is read of a connection before it is known whose it is.
  Reflect.set(server, 'pauseOnConnect', true)
  server.on('connection', (socket: Socket) => give(pool, socket))
  return {
    get pids() {
      const ready = [...pool.workers].filter(({ isReady }) => isReady)
      return ready.flatMap(({ child: { pid } }) => (pid === undefined ? [] : [pid]))
    },
    close: async (signal) => {
      pool.isClosing = true
      endListening()
      const kill = (): void => {
        for (const { child } of pool.workers) child.kill('SIGKILL')
      }
      signal.addEventListener('abort', kill)
      for (const worker of pool.workers) tell(worker, { kind: 'stop' })
      if (signal.aborted) kill()
      await Promise.all([...pool.workers].map(({ ended }) => ended))
      signal.removeEventListener('abort', kill)
      pool.epoch.close()
    },
  }
}

function startWorker(pool: Pool): void {
  const { parts, epoch, workers } = pool
  const child = fork(entry, [], {
    execArgv: memoryFlags,
    env: { NODE_COMPILE_CACHE: compileCache, MALLOC_ARENA_MAX: '2', UV_THREADPOOL_SIZE: '4' },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = Promise.withResolvers<void>()
  const worker: Worker = {
    child,
    ended: ended.promise,
    isReady: false,
    count: 0,
    onTheirWay: [],
  }
  const startedAt = performance.now()
  const end = (how: object): void => {
    if (!workers.delete(worker)) return
    ended.resolve()
    for (const one of worker.onTheirWay.splice(0)) takeBack(pool, one)
    if (pool.isClosing) return
    pool.log.warn({ ...how, connections: worker.count }, 'a worker ended and is started again')
    const pause = Math.max(0, RESTART_MS - (performance.now() - startedAt))
    setTimeout(() => !pool.isClosing && startWorker(pool), pause).unref()
  }
  workers.add(worker)
  child.on('exit', (code, signal) => end({ code, signal }))
  child.on('error', (error) => {
    if (child.pid === undefined) end({ problem: error.message })
  })
  child.on('message', (message, handle) => {
    // What comes over this channel was sent by hit-worker.ts.
    hear(pool, worker, message as ToMain, handle as Socket | undefined)
  })
  const blobs = join(parts.config.dataDir, 'blobs')
  const { headersWithinMs } = parts
  tell(worker, { kind: 'begin', blobs, epoch: epoch.path, headersWithinMs })
  tell(worker, { kind: 'changed', epoch: epoch.now, urls: [], blobs: [] })
}

function tell({ child }: Worker, message: ToWorker): void {
  if (child.connected) child.send(message, () => undefined)
}

/** To the worker that has the fewest, or to the server itself. */
function give(pool: Pool, socket: Socket): void {
  const able = [...pool.workers].filter(({ child, isReady }) => isReady && child.connected)
  const [worker] = able.sort((a, b) => a.count - b.count)
  const most = pool.parts.config.maxConnections / Math.max(1, able.length)
  const isTheirs = worker !== undefined && worker.count < most && pool.isPlain(socket)
  if (!isTheirs || pool.isClosing) {
    pool.serve(socket)
    return
  }
  worker.count += 1
  worker.onTheirWay.push({ socket, handle: Reflect.get(socket, '_handle') })
  const gone = (): void => void socket.destroy()
  socket.on('error', gone)
  // Else the server would count it as its own until the worker has ended it.
  Reflect.set(socket, 'server', null)
  worker.child.send({ kind: 'socket' } satisfies ToWorker, socket, {}, () => undefined)
}

/** The worker ended before it had the connection: what waited behind others is answered here, what was under way is cut off. */
function takeBack(pool: Pool, { socket, handle }: OnTheirWay): void {
  if (socket.destroyed) return
  if (Reflect.get(socket, '_handle') === handle) {
    pool.serve(socket)
    return
  }
  // Node forgets it with the channel, and the client would wait for ever.
  const close: unknown = Reflect.get(Object(handle), 'close')
  if (typeof close === 'function') Reflect.apply(close, handle, [])
  socket.destroy()
}

function hear(pool: Pool, worker: Worker, message: ToMain, socket: Socket | undefined): void {
  if (message.kind === 'ready') worker.isReady = true
  if (message.kind === 'taken') worker.onTheirWay.shift()?.socket.destroy()
  if (message.kind === 'ended') worker.count -= message.count
  if (message.kind === 'ask') {
    answerFor(pool, message.url).then(
      (answer) => tell(worker, { kind: 'told', url: message.url, answer }),
      () => tell(worker, { kind: 'told', url: message.url }),
    )
  }
  if (message.kind === 'sent') for (const hits of message.hits) count(pool, hits)
  if (message.kind === 'over' && socket !== undefined) {
    if (message.bytes.length > 0) socket.unshift(Buffer.from(message.bytes))
    leaveToHttp(socket)
    pool.serve(socket)
  }
}

/** What workers can answer by themselves: what is remembered, or found, and holds, and is here. */
async function answerFor(pool: Pool, url: string): Promise<ToldAnswer | undefined> {
  const { parts, told } = pool
  const answer = await knownOrFound(pool, url)
  if (answer === undefined) return undefined
  let found: ToldAnswer
  if (answer.kind === 'bytes') {
    const { holds: _, release: __, ...rest } = answer
    found = rest
  } else {
    const { holds: _, locate: __, hasOtherForm: ___, ...rest } = answer
    const blob = await parts.hot.open(answer.sha256)
    if (blob === undefined) return undefined
    const { size } = blob
    blob.release()
    if (!(await parts.blobs.isWhole(answer.sha256, size))) return undefined
    found = { ...rest, size }
  }
  if (answer.holds?.() !== true || pool.gone.size > 0) return undefined
  if (told.add(url, answer)) noteChanged(pool)
  return found
}

/** Workers see at once that something changed, and are told soon what. */
function noteChanged(pool: Pool): void {
  pool.epoch.advance()
  if (pool.isTelling) return
  pool.isTelling = true
  setImmediate(() => {
    pool.isTelling = false
    const urls = pool.told.takeStale()
    const blobs = [...pool.gone]
    pool.gone.clear()
    for (const worker of pool.workers) {
      tell(worker, { kind: 'changed', epoch: pool.epoch.now, urls, blobs })
    }
  })
}

/** What was sent is counted as if it had been sent here. */
function count({ parts, told }: Pool, hits: SentHits): void {
  const { url, method, status, address, agent, bytes } = hits
  const answer = told.get(url)
  for (let at = 0; at < hits.count; at++) {
    parts.metrics.countRequest(status)
    parts.metrics.countFile('hit', at === 0 ? bytes : 0, answer?.archive)
  }
  if (answer === undefined) return
  const request = { method, headers: agent === undefined ? {} : { 'user-agent': agent } }
  const unchanged = status === 304 ? { 'if-modified-since': '' } : {}
  const asked = { method, headers: { ...request.headers, ...unchanged } }
  for (let at = 0; at < Math.min(2, hits.count); at++) noteSent(parts, asked, answer, address)
}
