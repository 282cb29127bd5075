/**
 * An upstream over a slow line, in a process of its own: `slow-server.ts ROOT PORT LOG BYTES_PER_SECOND`.
 *
 * All its connections together send so many bytes a second and no more, small files apart (below 1 MB), so that whoever
 * fetches a file twice waits twice as long. Each answer is logged when it has ended, as `upstream.ts` reads it, with the
 * bytes that were really sent. For loopback and a benchmark's own files only.
 */
import { createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const [root = '.', port = '0', logPath = '/dev/null', rate = '20000000'] = process.argv.slice(2)
const log = createWriteStream(logPath, { flags: 'a' })
const pieceBytes = 64 * 1024
const smallBytes = 1_000_000

/** When the line is free again, in milliseconds. */
let freeAt = 0

/** Waits until the line has carried so many bytes. */
async function carry(bytes: number): Promise<void> {
  const now = performance.now()
  freeAt = Math.max(freeAt, now) + (bytes * 1000) / Number(rate)
  // What is less than the timer's own grain is made up for by the next piece.
  if (freeAt - now > 2) await wait(freeAt - now)
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = decodeURIComponent((request.url ?? '/').replace(/\?.*$/, ''))
  const file = join(root, path)
  const facts = path.includes('..') ? undefined : await stat(file).catch(() => undefined)
  let sent = 0
  response.once('close', () => {
    log.write(`${response.statusCode} ${sent} - ${request.url}\n`)
  })
  if (facts === undefined || !facts.isFile()) {
    response.writeHead(404, { 'Content-Length': 0 }).end()
    return
  }
  const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
  const start = first === undefined ? 0 : Math.min(Number(first), facts.size)
  if (first !== undefined) {
    response.statusCode = 206
    response.setHeader('Content-Range', `bytes ${start}-${facts.size - 1}/${facts.size}`)
  }
  response.setHeader('Content-Type', 'application/octet-stream')
  response.setHeader('Content-Length', facts.size - start)
  response.setHeader('Last-Modified', facts.mtime.toUTCString())
  if (request.method === 'HEAD') return void response.end()
  const handle = await open(file)
  try {
    for (let at = start; at < facts.size && !response.destroyed; ) {
      const { bytesRead, buffer } = await handle.read(
        Buffer.allocUnsafe(pieceBytes),
        0,
        pieceBytes,
        at,
      )
      if (facts.size > smallBytes) await carry(bytesRead)
      const piece = buffer.subarray(0, bytesRead)
      await new Promise<void>((resolve) => {
        response.once('close', resolve)
        response.write(piece, () => {
          response.off('close', resolve)
          resolve()
        })
      })
      at += bytesRead
      sent += bytesRead
    }
  } finally {
    await handle.close()
  }
  response.end()
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  answer(request, response).catch(() => response.destroy())
})
server.listen(Number(port), '127.0.0.1')
