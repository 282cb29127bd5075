/** Where the server listens: on all addresses, of both kinds, unless told another; machines of both kinds are the same. */
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { ask } from '../support/raw-http.ts'
import { startSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64' }

t.test('machines with IPv4 and with IPv6 are served alike', async (t) => {
  const flags = { listen: ':0', clients: '127.0.0.0/8, ::1' }
  const world = await makeWorld(t, [hello], { start: { flags } })
  const { port } = new URL(world.sluice.url)
  const mirror = new URL(world.upstream.url).host
  for (const host of ['127.0.0.1', '[::1]']) {
    const url = `http://${host}:${port}`
    const sources = (uri: string): string =>
      `deb [signed-by=${world.key.publicAsc}] ${uri} stable main`
    const ways = [
      { sources: sources(world.upstream.url), proxy: url },
      { sources: sources(`${url}/${mirror}`) },
      { sources: sources(`${url}/${mirror}`), proxy: url },
    ]
    for (const [at, way] of ways.entries()) {
      const apt = await createApt(join(world.dir, `way-${port}-${at}-${host.length}`), way)
      t.same(troubles(await apt.update()), clean, `${host}, ${way.sources}`)
      t.same(troubles(await apt.install('hello')), clean)
    }
    const release = `GET ${url}/channels/testing/nut/dists/stable/InRelease HTTP/1.1`
    t.equal((await ask(url, release)).status, 200, 'it knows itself by this address')
  }
  const { clients } = await world.sluice.api('GET', '/channels/testing/clients')
  t.same(
    clients?.map(({ address }: { address: string }) => address).sort(),
    ['127.0.0.1', '::1'],
    'and notes each by its own address',
  )
})

t.test('or on one address', async (t) => {
  const sluice = await startSluice(testDir(t), { flags: { listen: '[::1]:0' } })
  t.teardown(() => sluice.close())
  t.match(sluice.url, /^http:\/\/\[::1\]:\d+$/)
  t.equal((await fetch(`${sluice.url}/healthz`)).status, 200)
  // That port may be somebody else's there.
  const status = `${sluice.url.replace('[::1]', '127.0.0.1')}/api/v1/status`
  const headers = { Authorization: `Bearer ${sluice.token}` }
  t.not((await fetch(status, { headers }).catch(() => undefined))?.status, 200)
})
