/**
 * What one machine can hold of the port: slow senders, giant heads, many connections, requests sent far ahead. Sockets,
 * since no client library would do that.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { ask, openSocket, readAnswers, sendRaw } from '../support/raw-http.ts'
import { makeWorld } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }

/** All that comes until the other end closes, or breaks the connection. */
async function drain(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = []
  socket.on('error', () => undefined).on('data', (piece) => pieces.push(piece))
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(pieces)
}

/** A connection from this address of the machine. */
async function connectFrom(url: string, localAddress: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), localAddress })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

t.test('whoever is slow to ask is let go, and nobody else', async (t) => {
  const world = await makeWorld(t, [hello], { start: { patience: { headersWithinMs: 3000 } } })
  const { url } = world.sluice
  const idle = await openSocket(url)
  idle.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(String((await once(idle, 'data'))[0]), /^HTTP\/1\.1 200 /)

  const half = await openSocket(url)
  half.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ')
  const slow = await openSocket(url)
  slow.on('error', () => undefined).write('GET /healthz HTTP/1.1\r\nX-Slow: ')
  const slowEnd = new Promise((resolve) => slow.resume().once('close', resolve))
  const trickle = setInterval(() => slow.write('G'), 50)
  t.teardown(() => clearInterval(trickle))
  const silentEnd = drain(await openSocket(url))
  const [first] = readAnswers(await drain(half))
  t.match(first, { status: 408, reason: 'the request took too long' })
  await slowEnd
  clearInterval(trickle)
  t.match((await silentEnd).toString(), /^$|^HTTP\/1\.1 408 /)

  idle.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(String((await once(idle, 'data'))[0]), /^HTTP\/1\.1 200 /, 'a connection that is kept')
  idle.destroy()
})

t.test('heads and URLs have an end', async (t) => {
  const world = await makeWorld(t, [hello])
  const { url } = world.sluice
  const root = `${world.upstream.url}/${poolPath(hello)}`
  const big = 'x'.repeat(17_000)
  t.match(await sendRaw(url, `GET ${root} HTTP/1.1\r\nHost: x\r\nX-Big: ${big}\r\n\r\n`), [
    { status: 431, reason: /head of the request is larger than 16384 bytes/ },
  ])
  t.match(await sendRaw(url, `GET /${big} HTTP/1.1\r\nHost: x\r\n\r\n`), [{ status: 431 }])
  const long = 'x'.repeat(9000)
  for (const path of [
    `${root}?${long}`,
    `/${long}`,
    `/mirror.example.org/${long}`,
    `/api/${long}`,
  ]) {
    t.match(await ask(url, `GET ${path} HTTP/1.1`), { status: 414, reason: /too long/ })
  }
  const many = Array.from({ length: 3000 }, (_, nth) => `${nth}:`).join('\r\n')
  t.match(await sendRaw(url, `GET ${root} HTTP/1.1\r\nHost: x\r\n${many}\r\n\r\n`), [
    { status: 431 },
  ])
  t.equal((await ask(url, `GET ${root} HTTP/1.1`)).status, 200)
})

t.test('one address has not all connections', async (t) => {
  const flags = { 'max-connections': '16' }
  const world = await makeWorld(t, [hello], { start: { flags } })
  const { url } = world.sluice
  const request = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
  const answerOn = async (socket: Socket): Promise<string> => {
    socket.write(request)
    const [data] = await once(socket, 'data')
    return String(data)
  }
  const held = await Promise.all([1, 2, 3, 4].map(() => connectFrom(url, '127.0.0.2')))
  for (const socket of held) t.match(await answerOn(socket), /^HTTP\/1\.1 200 /)
  const fifth = await drain(await connectFrom(url, '127.0.0.2'))
  t.match(readAnswers(fifth), [{ status: 503, reason: 'there are too many connections' }])
  t.match(await answerOn(await connectFrom(url, '127.0.0.3')), /^HTTP\/1\.1 200 /)
  held[0]?.destroy()
  await until(async () => (await answerOf(url, '127.0.0.2', request)).startsWith('HTTP/1.1 200'))

  t.comment('nor have many addresses more than there are')
  const more = await Promise.all(
    Array.from({ length: 24 }, (_, nth) => connectFrom(url, `127.0.1.${nth + 1}`)),
  )
  const refused = await drain(await connectFrom(url, '127.0.2.1'))
  t.match(readAnswers(refused), [{ status: 503 }])
  for (const socket of [...held, ...more]) socket.destroy()
  await until(async () => (await answerOf(url, '127.0.2.1', request)).startsWith('HTTP/1.1 200'))
})

/** The first words on a connection of its own; nothing where it is refused before. */
async function answerOf(url: string, from: string, request: string): Promise<string> {
  const socket = await connectFrom(url, from)
  socket.write(request)
  const data = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [''])])
  socket.destroy()
  return String(data[0])
}

/** Connections end some time after the other end left. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}

t.test('requests sent far ahead are answered in order, and opened in their turn', async (t) => {
  const world = await makeWorld(t, [hello])
  const { url } = world.sluice
  const deb = `${world.upstream.url}/${poolPath(hello)}`
  const bytes = await readFile(join(world.dir, 'archive', poolPath(hello)))
  await ask(url, `GET ${deb} HTTP/1.1`)
  const count = 400
  const one = (nth: number, more = ''): string =>
    nth % 3 === 0
      ? `GET /healthz HTTP/1.1\r\nHost: x\r\n${more}\r\n`
      : `GET ${deb} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
  const requests = Array.from({ length: count }, (_, nth) =>
    one(nth, nth === count - 1 ? 'Connection: close\r\n' : ''),
  )
  const answers = await sendRaw(url, requests.join(''))
  t.equal(answers.length, count)
  for (const [nth, { body }] of answers.entries()) {
    const isRight = nth % 3 === 0 ? body.toString() === '{"ok":true}' : body.equals(bytes)
    if (!isRight) t.fail(`the answer ${nth}`)
  }
  const flood = await openSocket(url)
  flood.on('error', () => undefined)
  flood.pause()
  for (let at = 0; at < 20; at++) flood.write(one(1).repeat(200))
  t.equal((await ask(url, `GET ${deb} HTTP/1.1`)).status, 200)
  flood.resetAndDestroy()
  t.equal((await ask(url, `GET ${deb} HTTP/1.1`)).status, 200)
})
