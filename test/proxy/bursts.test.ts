/**
 * apt sends ten requests ahead: their files begin to come at once, not one after the other when their turn comes. What one
 * machine has asked for ahead keeps no other waiting, and nobody is told to ask again before his turn came.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeDownloadWorld } from '../support/download-world.ts'
import { openSocket, type RawAnswer, readAnswers } from '../support/raw-http.ts'
import { startUpstream, type TestUpstream } from '../support/upstream-server.ts'

const packages: PackageSpec[] = Array.from({ length: 40 }, (_, at) => ({
  name: `pack-${at}`,
  version: '1',
  arch: 'amd64',
  content: 100_000,
}))

const pathOf = (at: number): string => `/pool/main/p/pack-${at}/pack-${at}_1_amd64.deb`

interface Bed {
  readonly mirror: TestUpstream
  /** Sends requests for these packages, one behind the other, as a machine does by the proxy. */
  ask(from: number, to: number): Promise<Socket>
}

async function makeBed(t: Test, answerWithinMs?: number): Promise<Bed> {
  const mirror = await startUpstream(join(world.dir, 'archive'))
  const patience = { answerWithinMs }
  const sluice = await world.follow(`var-${servers++}`, [mirror], { patience })
  const { host } = new URL(mirror.url)
  const sockets: Socket[] = []
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    // A server that is closed lets downloads end.
    await mirror.close()
    await sluice.close()
  })
  const request = (at: number): string => {
    return `GET http://${host}${pathOf(at)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
  }
  return {
    mirror,
    ask: async (from, to) => {
      const socket = await openSocket(sluice.url)
      sockets.push(socket)
      socket.write(Array.from({ length: to - from }, (_, at) => request(from + at)).join(''))
      return socket
    },
  }
}

const world = await makeDownloadWorld(t, packages)
let servers = 0

/** The first answers, when all of them are here. */
async function answersOf(socket: Socket, count: number): Promise<RawAnswer[]> {
  const pieces: Buffer[] = []
  for (;;) {
    const [piece] = await once(socket, 'data')
    pieces.push(piece)
    const answers = readSoFar(Buffer.concat(pieces))
    const last = answers[count - 1]
    if (last !== undefined && last.body.length === Number(last.headers['content-length'])) {
      return answers.slice(0, count)
    }
  }
}

function readSoFar(data: Buffer): RawAnswer[] {
  try {
    return readAnswers(data)
  } catch {
    // It ends within a head.
    return []
  }
}

t.test('all of a burst is fetched at once, and answered in its order (F6)', async (t) => {
  const { mirror, ask } = await makeBed(t)
  const rest = Promise.withResolvers<void>()
  mirror.fault(/pack-0_/, { kind: 'hold', bytes: 50_000, until: rest.promise })
  const socket = await ask(0, 10)
  // While the first is on its way.
  while (mirror.count(/deb$/) < 10) await sleep(5)
  rest.resolve()
  await answersOf(socket, 10)
  const answers = await answersOf(await ask(0, 10), 10)
  for (const [at, { body }] of answers.entries()) {
    const expected = await fetch(`${mirror.url}${pathOf(at)}`)
    t.ok(body.equals(Buffer.from(await expected.arrayBuffer())), `answer ${at}`)
  }
})

t.test('who waits for his turn is not told to ask again', async (t) => {
  const { mirror, ask } = await makeBed(t, 6000)
  // Of each there is something to send within the time, but not of all of them one after the other.
  mirror.fault(/deb$/, { kind: 'rate', bytesPerSecond: 25_000 })
  const answers = await answersOf(await ask(0, 24), 24)
  t.same(
    answers.map(({ status }) => status),
    answers.map(() => 200),
  )
})

t.test('others find a connection, whatever one has asked for ahead', async (t) => {
  const { mirror, ask } = await makeBed(t)
  mirror.fault(/pack-(\d|1\d|2\d|3[01])_/, { kind: 'rate', bytesPerSecond: 2000 })
  const greedy = await ask(0, 32)
  await once(greedy, 'data')
  const other = await ask(35, 36)
  const [answer] = await answersOf(other, 1)
  t.equal(answer?.status, 200)
  t.ok(mirror.count(/deb$/) < 16, 'while most of the others had not begun')
})

t.test('many who want different files over a slow line all have one', async (t) => {
  const { mirror, ask } = await makeBed(t, 10_000)
  mirror.fault(/deb$/, { kind: 'rate', bytesPerSecond: 8000 })
  const sockets = await Promise.all(packages.map((_, at) => ask(at, at + 1)))
  const heads = await Promise.all(sockets.map(async (socket) => String(await once(socket, 'data'))))
  for (const head of heads) t.match(head, /^HTTP\/1\.1 200 /)
})
