/**
 * A channel that cannot be signed (its key is lost) keeps no other from following what it follows.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { startSluice } from '../support/sluice.ts'
import { makeWorld } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

t.test('a channel whose key is lost keeps no other from following', async (t) => {
  const { sluice: first, publish } = await makeWorld(t, [hello('1')])
  await first.api('POST', '/channels', { name: 'other', follow: ['nut'] })
  const { keys } = await first.api('GET', '/keys/channel:testing')
  await first.close()
  await rm(join(first.dataDir, 'keys', `${keys[0].fingerprint}.asc`))
  const sluice = await startSluice(first.dataDir, { flags: { 'log-level': 'silent' } })
  t.teardown(() => sluice.close())
  await publish([hello('2')])
  t.match((await sluice.api('POST', '/archives/refresh')).error, {
    code: 'ERR_CONFIG',
    message: /the signing key of channel:testing is missing/,
  })
  t.match(await sluice.api('GET', '/channels/testing'), { head: 1 })
  t.match(await sluice.api('GET', '/channels/other'), { head: 2 })
})
