/**
 * A vendor's files that are not what was signed, or not what an index says: served to nobody, by a channel or the proxy.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { addOdd, styleOf } from '../support/odd-vendor.ts'
import { publishVendor } from '../support/vendor-styles.ts'
import { makeVendorsWorld } from '../support/vendors-world.ts'

t.test(
  'an index or a package with other bytes than those that were signed is served to nobody',
  async (t) => {
    const world = await makeVendorsWorld(t, [])
    const index = styleOf('index')
    await publishVendor(world.files, index, [world.key])
    world.upstream.fault('/index/Packages.gz', { kind: 'flip', offset: 30 })
    t.equal((await world.add(index)).code, 3)
    const style = styleOf('package')
    t.match(await addOdd(world, style), /changed/)
    world.upstream.fault('/package/tool_1.0_amd64.deb', { kind: 'flip', offset: 2000 })
    for (const apt of [await world.onChannel(style), await world.withLine(style, 'proxied')]) {
      // What is wrong stays wrong.
      await writeFile(join(apt.dir, 'etc/apt/apt.conf.d/retries'), 'Acquire::Retries "0";\n')
      await apt.update()
      t.not((await apt.download('tool')).code, 0)
      t.same(await apt.cached(), [])
      t.equal((await apt.download('other')).code, 0)
    }
  },
)
