/**
 * A server that is closed waits for downloads, and for nothing else: here it would wait for an hour.
 */
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { makeWorld } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 400_000 }
const start = { patience: { drainMs: 3600_000 } }

t.test('it ends when the last download is done', async (t) => {
  const { sluice, upstream } = await makeWorld(t, [hello], { start })
  const rest = Promise.withResolvers<void>()
  upstream.fault(/hello_/, { kind: 'hold', bytes: 200_000, until: rest.promise })
  const { host } = new URL(upstream.url)
  const response = await fetch(`${sluice.url}/${host}/${poolPath(hello)}`)
  const closing = sluice.close()
  rest.resolve()
  const { byteLength } = await response.arrayBuffer()
  t.equal(byteLength, Number(response.headers.get('content-length')))
  await closing
})

t.test('connections that machines keep open do not hold it', async (t) => {
  for (const workers of ['0', '2']) {
    const { sluice } = await makeWorld(t, [hello], { start: { ...start, flags: { workers } } })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const [response] = await once(get(`${sluice.url}/healthz`, { agent }), 'response')
    await response.resume().toArray()
    await sluice.close()
    t.same(sluice.server.workers(), [])
  }
})
