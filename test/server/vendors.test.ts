/**
 * Archives of vendors in the styles of the world, those with dists/: taken as they are, and served to real apt, by a channel
 * and through the proxy with the vendor's own line, byte for byte.
 */
import t from 'tap'
import { distsStyles } from '../support/vendor-styles.ts'
import { serveAll } from '../support/vendors-world.ts'

t.test('each is added, and served by a channel and through the proxy', async (t) => {
  await serveAll(t, distsStyles)
})
