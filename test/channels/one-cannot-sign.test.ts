/**
 * A channel that cannot be signed (its key is lost) keeps no other from following what it follows, and is tried again.
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { startSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
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

t.test('what could not follow its base is tried again soon', async (t) => {
  const clock = createTestClock(3600_000)
  const start = { clock, flags: { 'log-level': 'silent' } }
  const made = new Date(Date.now() - 2 * 3600_000)
  const { sluice: first, publish } = await makeWorld(t, [hello('1')], {
    publish: { date: made, sign: { signedAt: made } },
    key: { createdAt: new Date(Date.now() - 3 * 3600_000) },
    start,
  })
  await first.api('POST', '/channels', { name: 'shop', base: 'testing' })
  const { keys } = await first.api('GET', '/keys/channel:shop')
  await first.close()
  const key = join(first.dataDir, 'keys', `${keys[0].fingerprint}.asc`)
  await rename(key, `${key}.away`)
  const sluice = await startSluice(first.dataDir, start)
  t.teardown(() => sluice.close())
  const later = new Date(made.getTime() + 60_000)
  await publish([hello('2')], { date: later, sign: { signedAt: later } })
  await sluice.api('POST', '/archives/refresh')
  // biome-ignore lint/suspicious/noExplicitAny: an answer of the API
  const until = async (isSo: (base: any) => boolean): Promise<void> => {
    while (!isSo((await sluice.api('GET', '/channels/shop')).base)) await setTimeout(20)
  }
  await until((base) => base.problem !== undefined)
  t.match(await sluice.api('GET', '/channels/shop'), {
    base: { isBehind: true, problem: { message: /the signing key of channel:shop is missing/ } },
  })
  await rename(`${key}.away`, key)
  clock.advance(150_000)
  await until((base) => !base.isBehind)
  t.match(await sluice.api('GET', '/channels/shop'), { head: 2, base: { problem: undefined } })
})
