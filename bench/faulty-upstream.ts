/**
 * An upstream that can fall into trouble of each kind, in the benchmark's own process; it serves the files below a folder
 * while it is well. For loopback and a benchmark's own files only.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** How upstream is; `down` refuses connections. */
export const faults = [
  'well',
  'down',
  'hangs',
  'trickles',
  'cuts at half',
  'answers 503',
  'redirects away',
  'login page',
] as const
export type FaultName = (typeof faults)[number]

export interface FaultyUpstream {
  readonly url: string
  /** From now on it is so; what hung before ends. */
  become(fault: FaultName): Promise<void>
  close(): Promise<void>
}

const page = '<!doctype html><html><title>Log in</title><form>Welcome to the hotel</form></html>\n'

/** Serves the files below `root` on this port. */
export async function startFaultyUpstream(root: string, port: number): Promise<FaultyUpstream> {
  let fault: FaultName = 'well'
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    answer(root, fault, request, response).catch(() => request.socket.destroy())
  })
  const listen = async (): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  await listen()
  return {
    url: `http://127.0.0.1:${port}`,
    become: async (next) => {
      fault = next
      server.closeAllConnections()
      if (next === 'down') await close()
      else if (!server.listening) await listen()
    },
    close,
  }
}

async function answer(
  root: string,
  fault: FaultName,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (fault === 'hangs') return
  if (fault === 'answers 503') return end(response, 503, 'text/plain', 'try later\n')
  if (fault === 'login page') return end(response, 200, 'text/html', page)
  if (fault === 'redirects away') {
    response.setHeader('Location', 'http://127.0.0.1:9/login')
    return end(response, 302, 'text/plain', 'over there\n')
  }
  const path = decodeURIComponent((request.url ?? '/').replace(/\?.*$/, ''))
  const whole = path.includes('..') ? undefined : await readFile(join(root, path)).catch(() => null)
  if (!whole) return end(response, 404, 'text/plain', 'not here\n')
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const data = whole.subarray(from)
  response.writeHead(from === 0 ? 200 : 206, {
    ...(from === 0 ? {} : { 'Content-Range': `bytes ${from}-${whole.length - 1}/${whole.length}` }),
    'Content-Type': 'application/octet-stream',
    'Content-Length': data.length,
    'Last-Modified': new Date(1_767_225_600_000).toUTCString(),
  })
  if (fault === 'trickles') {
    for (const byte of data) {
      if (response.destroyed) return
      response.write(Buffer.of(byte))
      await wait(1000)
    }
  } else if (fault === 'cuts at half') {
    response.write(data.subarray(0, Math.ceil(data.length / 2)), () => request.socket.destroySoon())
  } else {
    response.end(data)
  }
}

function end(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}
