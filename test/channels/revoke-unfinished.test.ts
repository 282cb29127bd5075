/**
 * A revocation that cannot come to its end, since a channel cannot be signed: what can be done of it is done, the server
 * starts all the same, and the rest is tried again.
 */
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { startSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, source: string): PackageSpec => ({
  ...{ name, version: '5', arch: 'amd64', source, sourceVersion: '5' },
})
const bad = { name: 'tools', version: '5', reason: 'it eats disks' }
const all = { from: 'testing', to: 'approved', all: true }

async function indexOf(url: string, channel: string): Promise<string> {
  const path = `/channels/${channel}/nut/dists/stable/main/binary-amd64/Packages.gz`
  const answer = await fetch(`${url}${path}`)
  return gunzipSync(await answer.arrayBuffer()).toString()
}

t.test('a channel that cannot be signed holds up nothing else of a revocation', async (t) => {
  const clock = createTestClock(3600_000)
  const start = { clock, flags: { 'log-level': 'silent', 'refresh-minutes': '10000' } }
  const made = new Date(Date.now() - 2 * 3600_000)
  const first = [pack('tool-a', 'tools'), pack('tool-b', 'tools'), pack('other', 'other')]
  const world = await makeWorld(t, first, {
    publish: { date: made, sign: { signedAt: made } },
    key: { createdAt: new Date(Date.now() - 3 * 3600_000) },
    start,
  })
  const begun = world.sluice
  // From now on earlier generations alone have tool-b.
  const later = new Date(made.getTime() + 60_000)
  await world.publish([pack('tool-a', 'tools'), pack('other', 'other')], {
    ...{ date: later, sign: { signedAt: later } },
  })
  const files = [...(await indexOf(begun.url, 'approved')).matchAll(/^Filename: (.*tool-.*)$/gm)]
  const paths = files.map(([, file]) => `/channels/approved@1/nut/${file}`)
  t.equal(paths.length, 2)
  await begun.api('POST', '/archives/refresh')
  await begun.api('POST', '/promotions', all)
  t.notMatch(await indexOf(begun.url, 'approved'), 'Package: tool-b')
  const { keys } = await begun.api('GET', '/keys/channel:approved')
  await begun.close()
  const key = join(begun.dataDir, 'keys', `${keys[0].fingerprint}.asc`)
  await rename(key, `${key}.away`)

  const keyless = await startSluice(begun.dataDir, start)
  t.match((await keyless.api('POST', '/revocations', bad)).error, {
    message: /the signing key of channel:approved is missing/,
  })
  t.notMatch(await indexOf(keyless.url, 'testing'), 'Package: tool-a')
  for (const path of paths) t.equal((await fetch(`${keyless.url}${path}`)).status, 410, path)
  await keyless.close()

  const again = await startSluice(begun.dataDir, start)
  t.match(await again.api('GET', '/revocations'), [{ name: 'tools', doneAt: undefined, files: 2 }])
  for (const path of paths) t.equal((await fetch(`${again.url}${path}`)).status, 410, path)
  t.match(await indexOf(again.url, 'approved'), 'Package: tool-a')
  await rename(`${key}.away`, key)
  clock.advance(150_000)
  while ((await again.api('GET', '/revocations'))[0].doneAt === undefined) await setTimeout(20)
  t.notMatch(await indexOf(again.url, 'approved'), 'Package: tool-a')
  t.match(await indexOf(again.url, 'approved'), 'Package: other')
})
