/** Who is believed to speak for a client: fronts that are named, and nobody else. */
import { once } from 'node:events'
import { request } from 'node:http'
import t from 'tap'
import { makeWorld } from '../support/world.ts'

const hello = { name: 'hello', version: '1', arch: 'amd64' } as const

t.test('X-Forwarded-For counts from a front alone, and as far as fronts wrote it', async (t) => {
  const flags = { front: '127.0.0.2, 127.0.0.4', clients: '127.0.0.3, 192.0.2.0/24' }
  const { sluice } = await makeWorld(t, [hello], { start: { flags } })
  const path = '/channels/approved/nut/dists/stable/InRelease'
  const ask = async (from: string, told?: string, what = path): Promise<number> => {
    const { hostname, port } = new URL(sluice.url)
    const headers = told === undefined ? {} : { 'X-Forwarded-For': told }
    const sent = request({ hostname, port, path: what, headers, localAddress: from, agent: false })
    const [answer] = await once(sent.end(), 'response')
    answer.resume()
    return answer.statusCode
  }
  for (const [from, told, status] of [
    ['127.0.0.3', undefined, 200],
    ['127.0.0.5', undefined, 403],
    ['127.0.0.5', '127.0.0.3', 403],
    ['127.0.0.3', '203.0.113.5', 200],
    ['127.0.0.2', '127.0.0.3', 200],
    ['127.0.0.2', '192.0.2.7', 200],
    ['127.0.0.2', '203.0.113.5', 403],
    ['127.0.0.2', '127.0.0.3, 203.0.113.5', 403],
    ['127.0.0.2', '203.0.113.5, 127.0.0.3', 200],
    ['127.0.0.2', '192.0.2.7, 127.0.0.4', 200],
    ['127.0.0.2', '203.0.113.5, 127.0.0.4', 403],
    ['127.0.0.2', 'nonsense', 403],
    ['127.0.0.2', '192.0.2.7, ', 403],
    ['127.0.0.2', '127.0.0.1', 403],
  ] as const) {
    t.equal(await ask(from, told), status, `${from} says ${told}`)
  }
  const { clients } = await sluice.api('GET', '/channels/approved/clients')
  const addresses: string[] = clients.map((one: { address: string }) => one.address)
  t.same([...new Set(addresses)].sort(), ['127.0.0.3', '192.0.2.7'])
})
