/**
 * An upstream whose name is looked up for ever, by the server as its users have it: what is here is served meanwhile, and who
 * asks for more is told in time.
 */
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { inClosedNet } from '../support/closed-net.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

t.test('while nobody answers what address its name has', async (t) => {
  const here: PackageSpec = { name: 'here', version: '1', arch: 'amd64', content: 200_000 }
  const away = ['a', 'b'].map((name): PackageSpec => ({ name, version: '1', arch: 'amd64' }))
  const world = await makeWorld(t, [here, ...away])
  const machine = await world.proxied('machine')
  await machine.update()
  t.same(troubles(await machine.install('here')), clean)
  const urls = ['http://archive.example/nut']
  await world.sluice.api('PATCH', '/archives/nut', { urls, reason: 'a name' })
  await world.sluice.close()
  const get = (path: string): string[] => ['GET', `${urls[0]}/${path}`]
  const unknown = [...away.map(poolPath), ...away.map(poolPath), 'project/trace/x'].map(get)
  const known = Array.from({ length: 25 }, () =>
    ['dists/stable/InRelease', poolPath(here)].map(get),
  )
  const requests = [...unknown, ...known.flat()]
  const net = { dataDir: join(world.dir, 'var'), dns: 'silent', together: true, requests } as const
  const { answers, lookedUp } = await inClosedNet(net)
  t.ok(lookedUp.length > 0)
  for (const { status, body } of answers.slice(0, unknown.length)) {
    t.equal(status, 503)
    t.match(body, /^sluice: .*(no connection in time|no answer|is slow)/)
  }
  t.same(new Set(answers.slice(unknown.length).map(({ status }) => status)), new Set([200]))
})
