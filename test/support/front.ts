/**
 * One address for a server that comes and goes on ports of its own: what machines have in their sources.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export interface Front {
  readonly url: string
  /** Hands connections on to this URL; without one they are reset. */
  turnTo(url: string | undefined): void
  close(): Promise<void>
}

/** Listens on a free port of 127.0.0.1. */
export async function startFront(): Promise<Front> {
  let port: number | undefined
  const server = createServer((socket) => {
    const behind = port === undefined ? undefined : connect(port, '127.0.0.1')
    if (behind === undefined) {
      socket.resetAndDestroy()
      return
    }
    socket.pipe(behind).pipe(socket)
    socket.on('error', () => behind.destroy())
    behind.on('error', () => socket.resetAndDestroy())
    // What came is handed on before.
    behind.on('close', () => socket.destroySoon())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    turnTo: (url) => {
      port = url === undefined ? undefined : Number(new URL(url).port)
    },
    close: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}
