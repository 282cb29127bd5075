/**
 * Archives of vendors in seven styles of the world: taken as they are, and served to real apt, by a channel and through
 * the proxy, byte for byte.
 */
import t from 'tap'
import type { TestApt } from '../support/apt.ts'
import { type VendorStyle, vendorStyles } from '../support/vendor-styles.ts'
import { cachedDebs, makeVendorsWorld, type VendorsWorld } from '../support/vendors-world.ts'
import { clean, troubles } from '../support/world.ts'

/** What a machine gets: the update, the download, and whether the files are the vendor's. */
async function outcome(world: VendorsWorld, style: VendorStyle, apt: TestApt): Promise<object> {
  const update = await apt.update()
  const names = style.packages.map(({ spec }) => spec.name)
  const download = await apt.download(...names)
  const debs = await cachedDebs(apt)
  const real = await world.bytes(style)
  const same = names.filter((name) => real.get(name)?.equals(debs.get(name) ?? Buffer.alloc(0)))
  return { update: troubles(update), download: troubles(download), same }
}

t.test('each style is added, and served by a channel and through the proxy', async (t) => {
  const world = await makeVendorsWorld(t)
  for (const style of vendorStyles) {
    const { name } = style
    const added = await world.add(style)
    if (process.env.SHOW) console.error(added.stdout, added.stderr)
    t.equal(added.code, 0, `${name}: ${added.stderr}`)
    const names = style.packages.map(({ spec }) => spec.name)
    const all = { update: clean, download: clean, same: names }
    t.same(await outcome(world, style, await world.onChannel(style)), all, `${name}: channel`)
    const direct = await outcome(world, style, await world.withLine(style, 'direct'))
    if (process.env.SHOW) console.error(name, JSON.stringify(direct))
    t.same(await outcome(world, style, await world.withLine(style, 'proxied')), direct, name)
  }
})
