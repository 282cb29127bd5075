/**
 * Archives of vendors in the styles of the world, those without dists/: taken as they are, and served to real apt, by a channel
 * and through the proxy with the vendor's own line, byte for byte.
 */
import t from 'tap'
import { flatStyles } from '../support/vendor-styles.ts'
import { makeVendorsWorld, outcomeAt } from '../support/vendors-world.ts'
import { clean } from '../support/world.ts'

t.test('each is added, and served by a channel and through the proxy', async (t) => {
  const world = await makeVendorsWorld(t, flatStyles)
  for (const style of flatStyles) {
    const { name } = style
    const added = await world.add(style)
    t.equal(added.code, 0, `${name}: ${added.stderr}`)
    const same = style.packages.map(({ spec }) => spec.name)
    const all = { update: clean, download: clean, same }
    t.same(await outcomeAt(world, style, await world.onChannel(style)), all, `${name}: channel`)
    const direct = await outcomeAt(world, style, await world.withLine(style, 'direct'))
    t.match(direct, { same }, `${name}: without us`)
    const proxied = await outcomeAt(world, style, await world.withLine(style, 'proxied'))
    t.same(proxied, direct, `${name}: proxy`)
  }
})
