/**
 * How a server ends: downloads are let finish for 10 s, and whoever cannot wait presses Ctrl-C again.
 */
import { once } from 'node:events'
import { Agent, get, request } from 'node:http'
import t from 'tap'
import { helloBytes, helloPath, makeImportBed, readyAt, serve } from '../support/imported.ts'
import { testDir } from '../support/test-dir.ts'

const bed = await makeImportBed(testDir(t))

t.test('Ctrl-C lets a download end', async (t) => {
  const { upstream, server, deb } = await bed.serving(t, 'finish')
  const url = await deb('hello')
  const rest = Promise.withResolvers<void>()
  upstream.fault(helloPath, { kind: 'hold', bytes: helloBytes / 2, until: rest.promise })
  const response = await fetch(url)
  server.signal('SIGINT')
  await server.says(/^stopping: 1 download is let finish \(10 s; Ctrl-C again ends it\)$/m)
  while (await isLetIn(url));
  rest.resolve()
  const { byteLength } = await response.arrayBuffer()
  t.ok(byteLength > helloBytes)
  t.equal(byteLength, Number(response.headers.get('content-length')))
  t.match(await server.ended, { code: 0, text: /\nstopped\n$/ })
})

/** Whether there is an answer for somebody new, whatever it says. */
async function isLetIn(url: string): Promise<boolean> {
  const asked = request(url, { method: 'HEAD', agent: false }).end()
  const answered = once(asked, 'response').then(() => true)
  const isIn = await answered.catch(() => false)
  asked.destroy()
  return isIn
}

t.test('a machine that keeps its connection open does not keep the server', async (t) => {
  const { server, url } = await bed.serving(t, 'idle')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const request = get(`${url}/channels/approved/key.asc`, { agent })
  const [response] = await once(request, 'response')
  await response.resume().toArray()
  server.signal('SIGTERM')
  t.match(await server.ended, { code: 0, text: /\nstopping\nstopped\n$/ })
})

t.test('another Ctrl-C ends it at once', async (t) => {
  const { upstream, server, deb } = await bed.serving(t, 'now')
  const url = await deb('hello')
  upstream.fault(helloPath, { kind: 'stall', bytes: helloBytes / 2 })
  const broken = t.rejects((await fetch(url)).arrayBuffer())
  server.signal('SIGINT')
  await server.says(/^stopping: 1 download /m)
  // Two within half a second are one: npm sends the terminal's signal again.
  const pressing = setInterval(() => server.signal('SIGINT'), 100)
  t.equal((await server.ended).code, 130, 'which is not that of one who has waited')
  clearInterval(pressing)
  await broken
})

t.test('what does not end within 10 s is ended', async (t) => {
  const { upstream, server, deb } = await bed.serving(t, 'drain')
  const url = await deb('hello')
  upstream.fault(helloPath, { kind: 'stall', bytes: helloBytes / 2 })
  const broken = t.rejects((await fetch(url)).arrayBuffer())
  const begun = performance.now()
  server.signal('SIGTERM')
  await broken
  const { code, text } = await server.ended
  const seconds = (performance.now() - begun) / 1000
  t.equal(code, 0)
  t.match(text, /\nstopped\n$/)
  t.ok(seconds > 9, `${seconds} s`)
})

t.test('Ctrl-C while the first start imports ends it; the next start goes on', async (t) => {
  const upstream = await bed.upstream(t)
  const { env, data } = await bed.sources('cut', [`${upstream.url}/nut`])
  upstream.fault(/InRelease$/, { kind: 'hang' })
  const server = serve(t, data, { env })
  await server.says(/^read {5}/m)
  server.signal('SIGINT')
  t.match(await server.ended, { code: 130, text: /\nsluice: error: interrupted\n/ })
  upstream.clearFaults()
  const again = serve(t, data, { env })
  await again.says(readyAt)
  t.match(again.text, /^channel {2}approved {2}generation 1 /m)
})
