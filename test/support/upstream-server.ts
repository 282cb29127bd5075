/**
 * A plain mirror for tests: real HTTP on a free port of 127.0.0.1, serving a directory with Last-Modified (from the
 * file's mtime), If-Modified-Since, Range, If-Range and HEAD, and writing down what it was asked and what it sent.
 * Faults are told per path (decoded, exact or RegExp). Those that replace the answer (`status`, `hang`, `html`,
 * `redirect`, `close`): the one told last wins. Those that change the body add up, so a file can be slow and broken.
 * A request with an absolute URI (as to a proxy) is answered by its path; `target` keeps what was on the wire.
 */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join, normalize } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './faults.ts'

export type { Fault } from './faults.ts'

export interface TestRequest {
  readonly method: string
  /** Decoded, without query. */
  readonly path: string
  /** The request target as it came. */
  readonly target: string
  readonly headers: IncomingMessage['headers']
  /** 0 until an answer began. */
  status: number
  /** Bytes of the body handed to the socket so far. */
  bytes: number
}

export interface TestUpstream {
  /** `http://127.0.0.1:<port>`, no slash at the end. */
  readonly url: string
  readonly requests: readonly TestRequest[]
  /** From now on, for the first `times` requests of that path (for ever, unless told), or for every so manieth. */
  fault(path: string | RegExp, fault: Fault, options?: FaultOptions): void
  clearFaults(): void
  /** Requests of that path (of all paths, if none is named), and body bytes sent for them. */
  count(path?: string | RegExp): number
  bytes(path?: string | RegExp): number
  /** Forgets the requests so far. */
  clearRequests(): void
  /** Breaks all connections and stops listening. */
  close(): Promise<void>
}

interface FaultOptions {
  readonly times?: number
  readonly every?: number
}

interface Rule {
  readonly path: string | RegExp
  readonly fault: Fault
  readonly every: number
  left: number
  seen: number
}

/** Serves the files under `root`, which may change at any time. */
export async function startUpstream(root: string): Promise<TestUpstream> {
  const requests: TestRequest[] = []
  const rules: Rule[] = []
  const stopped = new AbortController()
  const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    const entry = record(req)
    requests.push(entry)
    const faults = takeFaults(rules, entry.path)
    answer(root, req, res, { entry, faults, stopped: stopped.signal }).catch(() =>
      req.socket.destroy(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const ofPath = (path?: string | RegExp) =>
    requests.filter((entry) => path === undefined || matches(path, entry.path))
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    fault(path, fault, { times = Number.POSITIVE_INFINITY, every = 1 } = {}) {
      rules.push({ path, fault, every, left: times, seen: 0 })
    },
    clearFaults: () => void rules.splice(0),
    count: (path) => ofPath(path).length,
    bytes: (path) => ofPath(path).reduce((sum, entry) => sum + entry.bytes, 0),
    clearRequests: () => void requests.splice(0),
    async close() {
      stopped.abort()
      server.closeAllConnections()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

function record(req: IncomingMessage): TestRequest {
  const target = req.url ?? '/'
  const path = decodeURIComponent(new URL(target, 'http://upstream.example').pathname)
  return { method: req.method ?? '', path, target, headers: req.headers, status: 0, bytes: 0 }
}

function matches(path: string | RegExp, asked: string): boolean {
  return typeof path === 'string' ? path === asked : path.test(asked)
}

function takeFaults(rules: readonly Rule[], path: string): Fault[] {
  const told = rules.filter((rule) => rule.left > 0 && matches(rule.path, path))
  for (const rule of told) rule.seen += 1
  const taken = told.filter((rule) => rule.seen % rule.every === 0)
  for (const rule of taken) rule.left -= 1
  return taken.map((rule) => rule.fault)
}

function find<K extends Fault['kind']>(
  faults: readonly Fault[],
  kind: K,
): Extract<Fault, { kind: K }> | undefined {
  return faults.findLast((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind)
}

interface Asked {
  readonly entry: TestRequest
  readonly faults: readonly Fault[]
  readonly stopped: AbortSignal
}

/** Bytes `from` to `end` are sent of a file of `size` bytes. */
interface Part {
  readonly path: string
  readonly size: number
  readonly from: number
  readonly end: number
}

async function answer(root: string, req: IncomingMessage, res: ServerResponse, asked: Asked) {
  const { entry, faults } = asked
  const replacing = faults.findLast((fault) => isReplacing(fault))
  if (replacing !== undefined) return replace(replacing, res, entry)
  const file = join(root, normalize(entry.path))
  const found = await stat(file).catch(() => undefined)
  if (found === undefined || !found.isFile()) {
    return short(res, entry, 404, `${entry.path} is not here\n`)
  }
  const modified = new Date(Math.floor(found.mtimeMs / 1000) * 1000)
  const since = Date.parse(req.headers['if-modified-since'] ?? '')
  res.setHeader('Last-Modified', modified.toUTCString())
  res.setHeader('Accept-Ranges', 'bytes')
  for (const [name, value] of Object.entries(find(faults, 'headers')?.headers ?? {})) {
    res.setHeader(name, value)
  }
  if (modified.getTime() <= since) {
    entry.status = 304
    res.writeHead(304).end()
    return
  }
  const size = Math.max(0, found.size + wrongBy(faults))
  const range = find(faults, 'no-range') ? undefined : rangeOf(req, modified, size)
  if (range === 'unsatisfiable') {
    res.setHeader('Content-Range', `bytes */${size}`)
    return short(res, entry, 416, 'no such range\n')
  }
  const from = range?.start ?? 0
  const end = range?.end ?? size
  entry.status = range === undefined ? 200 : 206
  if (range !== undefined) res.setHeader('Content-Range', `bytes ${from}-${end - 1}/${size}`)
  if (find(faults, 'chunked') === undefined) res.setHeader('Content-Length', end - from)
  res.setHeader('Content-Type', 'application/octet-stream')
  res.writeHead(entry.status)
  if (entry.method === 'HEAD') return void res.end()
  await send(res, asked, { path: file, size: found.size, from, end })
}

function isReplacing(fault: Fault): boolean {
  return ['status', 'hang', 'html', 'redirect', 'close'].includes(fault.kind)
}

function wrongBy(faults: readonly Fault[]): number {
  const fault = find(faults, 'wrong-size')
  return fault === undefined ? 0 : (fault.by ?? 1)
}

function replace(fault: Fault, res: ServerResponse, entry: TestRequest): void {
  if (fault.kind === 'close') res.req.socket.destroy()
  if (fault.kind === 'html') {
    res.setHeader('Content-Type', 'text/html')
    short(res, entry, 200, '<html><title>Log in</title><form>Welcome to the hotel</form></html>\n')
  }
  if (fault.kind === 'redirect') {
    res.setHeader('Location', fault.to)
    short(res, entry, fault.status ?? 302, 'over there\n')
  }
  if (fault.kind === 'status') {
    for (const [name, value] of Object.entries(fault.headers ?? {})) res.setHeader(name, value)
    short(res, entry, fault.status, fault.body ?? 'as told\n')
  }
}

function short(res: ServerResponse, entry: TestRequest, status: number, body: string): void {
  entry.status = status
  const bytes = entry.method === 'HEAD' || status === 304 ? 0 : Buffer.byteLength(body)
  entry.bytes += bytes
  if (status !== 304) res.setHeader('Content-Length', Buffer.byteLength(body))
  res.writeHead(status).end(bytes === 0 ? undefined : body)
}

function rangeOf(req: IncomingMessage, modified: Date, size: number) {
  const found = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '')
  const ifRange = req.headers['if-range']?.toString()
  if (found === null || (ifRange !== undefined && Date.parse(ifRange) !== modified.getTime()))
    return
  const start = Number(found[1])
  if (start >= size) return 'unsatisfiable'
  return { start, end: found[2] ? Math.min(size, Number(found[2]) + 1) : size }
}

/** Sends bytes `from` to `end` of the file (zeros behind its end), with the faults that change the body. */
async function send(res: ServerResponse, asked: Asked, part: Part): Promise<void> {
  const { faults, entry } = asked
  const cut = find(faults, 'truncate') ?? find(faults, 'stall')
  const end = Math.min(part.end, part.from + (cut?.bytes ?? Number.POSITIVE_INFINITY))
  const rate = find(faults, 'trickle') ?? find(faults, 'rate')
  const pieceBytes = rate === undefined ? 65_536 : pieceOf(rate)
  const begun = performance.now()
  const share = find(faults, 'spoil')?.draw()
  const spoilt = share === undefined ? undefined : part.from + Math.floor(share * (end - part.from))
  const flip = find(faults, 'flip')?.offset ?? spoilt
  const gone = closing(res, asked.stopped)
  let at = part.from
  for await (const read of heldBytes(part, end, find(faults, 'hold'))) {
    for (let offset = 0; offset < read.length; offset += pieceBytes) {
      const piece = Buffer.from(read.subarray(offset, offset + pieceBytes))
      if (flip !== undefined && flip >= at && flip < at + piece.length) {
        piece.writeUInt8(piece.readUInt8(flip - at) ^ 1, flip - at)
      }
      if (rate !== undefined) {
        const dueMs = ((at - part.from + piece.length) * 1000) / rate.bytesPerSecond
        const waitMs = dueMs - (performance.now() - begun)
        if (waitMs > 0) await sleep(waitMs, undefined, { signal: gone })
      }
      if (gone.aborted) return
      at += piece.length
      entry.bytes += piece.length
      await write(res, piece, gone)
    }
  }
  if (cut === undefined || end === part.end) res.end()
  else if (cut.kind === 'truncate') res.req.socket.destroySoon()
}

function pieceOf(rate: Extract<Fault, { kind: 'trickle' | 'rate' }>): number {
  if (rate.kind === 'trickle') return 1
  return Math.max(1, Math.min(65_536, Math.floor(rate.bytesPerSecond / 50)))
}

async function* heldBytes(
  part: Part,
  end: number,
  hold: Extract<Fault, { kind: 'hold' }> | undefined,
): AsyncIterable<Buffer> {
  const at = Math.min(end, part.from + (hold?.bytes ?? 0))
  yield* bytesOf(part, part.from, at)
  await hold?.until
  yield* bytesOf(part, at, end)
}

async function* bytesOf(file: Part, from: number, end: number): AsyncIterable<Buffer> {
  if (from < Math.min(end, file.size)) {
    yield* createReadStream(file.path, { start: from, end: Math.min(end, file.size) - 1 })
  }
  const zeros = Buffer.alloc(65_536)
  for (let at = Math.max(from, file.size); at < end; at += zeros.length) {
    yield zeros.subarray(0, end - at)
  }
}

/** Resolves when the kernel has the bytes: before that an answer may still wait for the one before it. */
async function write(res: ServerResponse, piece: Buffer, gone: AbortSignal): Promise<void> {
  const written = Promise.withResolvers<void>()
  const stop = (): void => written.resolve()
  gone.addEventListener('abort', stop)
  res.write(piece, stop)
  await written.promise
  gone.removeEventListener('abort', stop)
}

function closing(res: ServerResponse, stopped: AbortSignal): AbortSignal {
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  return AbortSignal.any([gone.signal, stopped])
}
