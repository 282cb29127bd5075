/**
 * A plain static file server in a process of its own, where nginx is not installed: `static-server.ts ROOT PORT LOG`.
 *
 * It answers GET and HEAD with Last-Modified and If-Modified-Since, and logs what `upstream.ts` reads. For loopback
 * and a benchmark's own files only: a path that leaves ROOT is refused, and that is all the care it takes.
 */
import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'

const [root = '.', port = '0', logPath = '/dev/null'] = process.argv.slice(2)
const log = createWriteStream(logPath, { flags: 'a' })

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent((request.url ?? '/').replace(/\?.*$/, ''))
  const since = request.headers['if-modified-since']
  response.once('close', () => {
    const sent = response.statusCode === 200 ? (response.getHeader('content-length') ?? 0) : 0
    log.write(
      `${response.statusCode} ${sent} ${since === undefined ? '-' : 'since'} ${request.url}\n`,
    )
  })
  const file = join(root, path)
  const facts = path.includes('..') ? undefined : statSync(file, { throwIfNoEntry: false })
  if (facts === undefined || !facts.isFile()) {
    response.writeHead(404, { 'Content-Length': 0 }).end()
    return
  }
  const modified = facts.mtime.toUTCString()
  if (since === modified) {
    response.writeHead(304, { 'Last-Modified': modified }).end()
    return
  }
  response.setHeader('Content-Type', 'application/octet-stream')
  response.setHeader('Content-Length', facts.size)
  response.setHeader('Last-Modified', modified)
  if (request.method === 'HEAD') response.end()
  else createReadStream(file, { highWaterMark: 1 << 20 }).pipe(response)
}

createServer({ keepAliveTimeout: 60_000 }, answer).listen(Number(port), '127.0.0.1')
