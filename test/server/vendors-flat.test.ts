/**
 * Archives of vendors in the styles of the world, those without dists/: taken as they are, and served to real apt, by a channel
 * and through the proxy with the vendor's own line, byte for byte.
 */
import { join } from 'node:path'
import t from 'tap'
import { createApt } from '../support/apt.ts'
import { flatStyles } from '../support/vendor-styles.ts'
import { makeVendorsWorld, outcomeAt, serveAll } from '../support/vendors-world.ts'
import { clean } from '../support/world.ts'

t.test('each is added, and served by a channel and through the proxy', async (t) => {
  await serveAll(t, flatStyles)
})

t.test('a machine may write it in each way that apt knows', async (t) => {
  const [, gpu] = flatStyles
  if (gpu === undefined) throw new Error('no style')
  const world = await makeVendorsWorld(t, [gpu])
  t.equal((await world.add(gpu)).code, 0)
  const { sluice, upstream, keyrings } = world
  const root = `${world.url(gpu)}/`
  const inPath = `${sluice.url}/${new URL(upstream.url).host}/gpu`
  const lines = { dot: `${root} ./`, slash: `${world.url(gpu)} /`, path: `${inPath} ./` }
  for (const [name, line] of Object.entries(lines)) {
    upstream.clearRequests()
    const proxy = name === 'path' ? {} : { proxy: sluice.url }
    const sources = `deb [signed-by=${keyrings.armored}] ${line}`
    const apt = await createApt(join(world.dir, name), { sources, ...proxy })
    const all = { update: clean, download: clean, same: ['gpu-driver'] }
    t.same(await outcomeAt(world, gpu, apt), all, name)
    if (name === 'path') t.equal(upstream.count(), 0, 'all of it is here')
  }
})
