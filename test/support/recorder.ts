/**
 * A server in front of a server that writes down who fetched what, and how many bytes it took: what a network sees.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

export interface Recorded {
  readonly path: string
  readonly status: number
  /** Of the body. */
  readonly bytes: number
}

export interface Recorder {
  readonly url: string
  /** Hands requests on to this URL from now on. */
  turnTo(url: string): void
  /** What was fetched since it was last asked. */
  take(): Recorded[]
  close(): Promise<void>
}

/** Listens on a free port of 127.0.0.1. */
export async function startRecorder(url: string): Promise<Recorder> {
  const recorded: Recorded[] = []
  let port = new URL(url).port
  const pass = (asked: IncomingMessage, answer: ServerResponse): void => {
    const { method, headers, url: path = '' } = asked
    const onward = request({ host: '127.0.0.1', port, path, method, headers }, (came) => {
      let bytes = 0
      came.on('data', (piece: Buffer) => {
        bytes += piece.length
      })
      came.on('end', () => recorded.push({ path, status: came.statusCode ?? 0, bytes }))
      answer.writeHead(came.statusCode ?? 502, came.headers)
      came.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    asked.pipe(onward)
  }
  const server = createServer({ keepAliveTimeout: 60_000 }, pass)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    turnTo: (next) => {
      port = new URL(next).port
    },
    take: () => recorded.splice(0),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
