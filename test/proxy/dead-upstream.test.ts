/**
 * An upstream that cannot be reached at all: its port is closed, takes no connection, or never gets to the end
 * of a head.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import t from 'tap'
import { makeFaultWorld } from '../support/fault-world.ts'

const bed = await makeFaultWorld(t, 12, { silent: true })

async function urlOf(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

t.test('while upstream is gone from its port', async (t) => {
  const server = createServer()
  await bed.moveTo(await urlOf(server))
  server.close()
  await bed.getKnown(t)
  await bed.getUnknown(t, /connection refused/)
  await bed.getUnverified(t)
})

t.test('while upstream takes no connection', async (t) => {
  // Its queue is full, and the kernel answers nobody more.
  const script = [
    'import socket, sys',
    's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0)',
    'mine = [socket.socket() for _ in range(3)]',
    'for one in mine: one.setblocking(False); one.connect_ex(s.getsockname())',
    'print(s.getsockname()[1], flush=True); sys.stdin.read()',
  ]
  const child = spawn('python3', ['-c', script.join('\n')], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill())
  const [line] = await once(child.stdout, 'data')
  await bed.moveTo(`http://127.0.0.1:${Number(line)}`)
  await bed.getKnown(t)
  await bed.getUnknown(t, /no connection in time|upstream is slow/)
  await bed.getUnverified(t)
})

t.test('while upstream sends its head a byte at a time', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nServer: '.padEnd(10_000, 'x')
  const server = createServer((socket) => {
    let at = 0
    const timer = setInterval(() => socket.write(head.charAt(at++)), 50)
    socket.on('close', () => clearInterval(timer)).on('error', () => socket.destroy())
  })
  t.teardown(() => void server.close())
  await bed.moveTo(await urlOf(server))
  await bed.getKnown(t)
  await bed.getUnknown(t, /no answer in time|upstream is slow/)
  await bed.getUnverified(t)
})
