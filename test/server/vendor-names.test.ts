/**
 * Names of files in vendors' archives: colons as `%3a`, in Filename and in what machines ask for; and sources of a flat
 * archive, whose files lie beside its indexes.
 */
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { buildSource } from '../../fixtures/source-packages.ts'
import type { VendorPackage } from '../../fixtures/vendor-archive.ts'
import { addOdd, styleOf, takes, tool } from '../support/odd-vendor.ts'
import { run, runOk } from '../support/run.ts'
import { publishVendor } from '../support/vendor-styles.ts'
import { makeVendorsWorld, outcomeAt } from '../support/vendors-world.ts'
import { clean, troubles } from '../support/world.ts'

const epoch = { name: 'epoch', version: '5:2.0', arch: 'amd64', content: 2000 }
const named = (filename: string, at: string): VendorPackage => ({ spec: epoch, filename, at })

t.test('a colon is found as it is written, and as it is meant', async (t) => {
  const world = await makeVendorsWorld(t, [])
  const ways = {
    literal: named('a/epoch_5%3a2.0_amd64.deb', 'a/epoch_5%3a2.0_amd64.deb'),
    encoded: named('a/epoch_5%3a2.0_amd64.deb', 'a/epoch_5:2.0_amd64.deb'),
    plain: named('a/epoch_5:2.0_amd64.deb', 'a/epoch_5:2.0_amd64.deb'),
  }
  for (const [name, one] of Object.entries(ways)) {
    const style = { ...styleOf(name, { indexes: { Packages: [one] } }), packages: [one] }
    t.match(await addOdd(world, style), /changed, 1 package/)
    await takes(t, world, style, ['epoch'])
    const direct = await outcomeAt(world, style, await world.withLine(style, 'direct'))
    // What apt would not find by itself may be found here.
    if (name !== 'encoded') {
      t.match(direct, { same: ['epoch'] }, name)
      const proxied = await outcomeAt(world, style, await world.withLine(style, 'proxied'))
      t.same(proxied, direct, `${name}: proxy`)
    }
    for (const asked of ['epoch_5:2.0', 'epoch_5%3a2.0', 'epoch_5%3A2.0']) {
      world.upstream.clearRequests()
      const url = `${world.url(style)}/a/${asked}_amd64.deb`
      const { stdout } = await run('curl', ['-sI', '-X', 'GET', '--proxy', world.sluice.url, url])
      t.match(stdout, /^HTTP\/1\.1 200 /, `${name}: ${asked}`)
      t.equal(world.upstream.count(), 0, 'it is here')
    }
  }
})

t.test('sources of a flat archive are had by a channel', async (t) => {
  const world = await makeVendorsWorld(t, [])
  const root = join(world.files, 'home')
  const style = styleOf('home')
  await publishVendor(world.files, style, [world.key])
  const built = join(world.dir, 'source')
  await mkdir(built)
  for (const name of await buildSource(built, { name: 'tool', version: '1.0-1' }))
    await rename(join(built, name), join(root, name))
  const { stdout } = await runOk('apt-ftparchive', ['sources', '.'], { cwd: root })
  t.notMatch(stdout, /^Directory:/m, 'a tool of Debian leaves it out')
  await publishVendor(world.files, style, [world.key], { more: { Sources: stdout } })
  const added = await world.add({ ...style, options: '--suite ./ --sources' })
  t.match(added.stdout, /changed, 2 packages, 1 source/)
  await takes(t, world, style, [tool.spec.name])
  const apt = await world.onChannel(style)
  const url = `${world.sluice.url}/channels/on-home/home`
  const keyPath = join(apt.dir, 'sluice.asc')
  await apt.setSources(`deb-src [signed-by=${keyPath}] ${url} flat main`)
  t.same(troubles(await apt.update()), clean)
  const script = 'cd "$1" && apt-get source --download-only tool'
  const source = await apt.run('sh', ['-ec', script, 'sh', built])
  t.equal(source.code, 0, source.stderr)
})
