/**
 * A connection of which hits are answered, with a client that takes its time: every byte is its own, whatever is read for others
 * meanwhile.
 */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Answer } from '../../src/archives/answer.ts'
import { type Sha256, sha256Of } from '../../src/base/sha256.ts'
import { type Connections, serveConnection } from '../../src/server/hit-connection.ts'
import { createReadBuffers } from '../../src/server/read-buffers.ts'
import { createReadyAnswers } from '../../src/server/ready-answers.ts'
import { createHotBlobs } from '../../src/store/hot-blobs.ts'
import { askPlain, openSocket, readAnswers } from '../support/raw-http.ts'
import { testDir } from '../support/test-dir.ts'

const request = (url: string): string => `GET ${url} HTTP/1.1\r\nHost: sluice.example\r\n\r\n`

/** A server of these files, of which memory holds none. */
async function serve(
  t: Test,
  files: Readonly<Record<string, Buffer>>,
  { lookMs = 0, firstWithinMs = 30_000 } = {},
): Promise<string> {
  const dir = testDir(t)
  const pathOf = (sha256: Sha256): string => join(dir, sha256)
  const hot = createHotBlobs(pathOf, { bytes: 0 })
  const ready = createReadyAnswers(hot, () => true)
  for (const [url, data] of Object.entries(files)) {
    const sha256 = sha256Of(data)
    await mkdir(dirname(pathOf(sha256)), { recursive: true })
    await writeFile(pathOf(sha256), data)
    const answer: Partial<Answer> = { kind: 'blob', sha256, type: 'x/y', isMutable: false }
    const locate = () => Promise.reject(new Error('it is here'))
    ready.remember(url, { ...answer, holds: () => true, locate } as Answer)
    ;(await hot.open(sha256))?.release()
  }
  const connections: Connections = {
    find: (url) => (lookMs > 0 ? undefined : ready.pass(url)),
    // Where reading was slow it is not done at once.
    look: async (url) => {
      await sleep(lookMs)
      const answer = ready.known(url)
      const blob = answer?.kind === 'blob' ? await hot.open(answer.sha256) : undefined
      const head = blob && ready.headFor(url, blob)
      return answer && blob?.data && head && { answer, data: blob.data, head }
    },
    keepPassing: ready.keepPassing,
    mayWait: () => true,
    buffers: createReadBuffers(),
    clock: Date,
    over: (socket) => socket.destroy(),
    sent: () => undefined,
    isStopping: () => false,
  }
  const server: Server = createServer((socket) => {
    serveConnection(socket, connections, firstWithinMs)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('what is read for one client does not get into what another is sent', async (t) => {
  const [mine, others] = [Buffer.alloc(100_000, 'mine '), Buffer.alloc(100_000, 'of others ')]
  const url = await serve(t, { '/mine': mine, '/others': others })
  const slow = await openSocket(url)
  slow.pause()
  const count = 200
  slow.write(request('/mine').repeat(count))
  const fast = await openSocket(url)
  fast.end(request('/others').repeat(count))
  const pieces: Buffer[] = []
  for await (const piece of fast) pieces.push(piece)
  const wrong = readAnswers(Buffer.concat(pieces)).filter(({ body }) => !body.equals(others))
  t.equal(wrong.length, 0)
  slow.end()
  const late: Buffer[] = []
  for await (const piece of slow) late.push(piece)
  const answers = readAnswers(Buffer.concat(late))
  t.equal(answers.length, count, 'all that was asked for, though nothing more is')
  t.equal(answers.filter(({ body }) => !body.equals(mine)).length, 0)
})

t.test('who waits for us is not taken for one who says nothing', async (t) => {
  const data = Buffer.alloc(1000, 'found late ')
  const url = await serve(t, { '/late': data }, { lookMs: 600, firstWithinMs: 200 })
  t.ok((await askPlain(url, '/late')).body.equals(data))
})
