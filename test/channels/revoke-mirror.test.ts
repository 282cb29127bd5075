/**
 * A mirror of a channel follows a revocation with its next look: here another Sluice that has the channel as its archive, with
 * channels and a machine of its own.
 */
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { machineAt } from '../support/based.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })

async function textOf({ url }: TestSluice): Promise<string> {
  const path = '/channels/testing/nut/dists/stable/main/binary-amd64/Packages.gz'
  return gunzipSync(await (await fetch(`${url}${path}`)).arrayBuffer()).toString()
}

t.test('a mirror of a channel follows what is revoked there', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const first = world.sluice
  const mirror = await startSluice(join(world.dir, 'mirror'))
  t.teardown(() => mirror.close())
  const keyring = await (await fetch(`${first.url}/channels/approved/key.asc`)).text()
  const settings = { suites: ['stable'], components: ['main'], architectures: ['amd64'] }
  const urls = [`${first.url}/channels/approved/nut`]
  await mirror.api('POST', '/archives', { name: 'nut', urls, keyring, ...settings })
  await mirror.api('POST', '/archives/refresh')
  await mirror.api('POST', '/channels', { name: 'testing', follow: ['nut'] })
  const apt = await machineAt(join(world.dir, 'one'), mirror, 'channels/testing')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
  const file = /^Filename: (.*hello_1_amd64.deb)$/m.exec(await textOf(mirror))?.[1]

  const bad = { name: 'hello', version: '1', reason: 'it eats disks' }
  await first.api('POST', '/revocations', bad)
  // Before it has looked, it cannot have the file from there.
  const answer = await fetch(`${mirror.url}/channels/testing/nut/${file}`)
  t.equal(answer.status, 404)
  await answer.arrayBuffer()
  await mirror.api('POST', '/archives/refresh')
  t.notMatch(await textOf(mirror), /^Package: hello$/m)
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, undefined)
  t.equal((await apt.policy('other')).candidate, '1')
  // What is revoked can be read there by whoever has the token: name, version and reason.
  t.match(await first.api('GET', '/revocations'), [
    { ...{ name: 'hello', version: '1' }, files: 1 },
  ])
})
