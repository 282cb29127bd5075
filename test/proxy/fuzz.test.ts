/**
 * Requests that nobody should send, drawn at random from pieces that hurt: the server goes on, gives no file of its own
 * disk, and asks no host that policy refuses. A run names its seed; FUZZ_SEED repeats it. SOAK=1 sends ten million bytes.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { makeFuzz } from '../support/fuzz.ts'
import { ask, openSocket } from '../support/raw-http.ts'
import { seedOr } from '../support/seed.ts'
import { startUpstream } from '../support/upstream-server.ts'
import { makeWorld } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }
const bytes = process.env.SOAK === undefined ? 600_000 : 10_000_000
const seed = seedOr(process.env.FUZZ_SEED)

t.test(`the server stands whatever it is sent (seed ${seed})`, async (t) => {
  const canary = await startUpstream(join(t.testdirName, 'cage'))
  t.teardown(() => canary.close())
  const world = await makeWorld(t, [hello], { start: { flags: { 'learn-hosts': 'any' } } })
  const { sluice, upstream } = world
  const secret = join(world.dir, 'var/secret')
  await writeFile(secret, 'of the inside')
  const [known = '', inside = '', own = ''] = [upstream, canary, sluice].map(
    ({ url }) => new URL(url).host,
  )
  const file = poolPath(hello)
  const { request, random } = makeFuzz({ known, inside, own, file, secret }, seed)
  const leaks: string[] = []
  for (let sent = 0; sent < bytes; ) {
    const count = 1 + Math.floor(random() * 6)
    const text = Buffer.from(Array.from({ length: count }, request).join(''), 'latin1')
    const answer = await send(sluice.url, text, random() < 0.1)
    if (answer.includes('of the inside')) leaks.push(text.toString('latin1'))
    sent += text.length
  }
  t.same(leaks, [], 'nobody gets a file of the disk')
  t.equal(canary.count(), 0, 'nobody gets further into the network')
  const strays = upstream.requests.filter(({ target }) => /\.\.|%2e%2e|%5c/i.test(target))
  t.same(strays, [], 'nor climbs at the archive')
  const whole = await ask(sluice.url, `GET ${upstream.url}/${file} HTTP/1.1`)
  t.equal(whole.status, 200)
})

/** Sends it on a connection of its own, and may hang up; the end of what comes. */
async function send(url: string, text: Buffer, hangsUp: boolean): Promise<string> {
  const socket = await openSocket(url)
  let answer = ''
  socket.on('error', () => undefined)
  socket.on('data', (piece: Buffer) => {
    answer = `${answer}${piece.toString('latin1')}`.slice(-100_000)
  })
  // Not `once`, which takes a reset for a failure.
  const closed = new Promise((resolve) => socket.once('close', resolve))
  if (hangsUp) socket.write(text, () => socket.resetAndDestroy())
  else socket.end(text)
  await closed
  return answer
}
