/**
 * An upstream that renames itself, told by a real apt: machines go on under the old names until an administrator takes the
 * new ones over, and then each machine has to accept them.
 */
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { machineAt } from '../support/based.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

t.test('a new Label of upstream changes nothing until it is adopted; then apt asks', async (t) => {
  const { sluice, publish, machine } = await makeWorld(t, [hello('1')])
  const { api } = sluice
  const apt = await machine('one', 'testing')
  t.same(troubles(await apt.update()), clean)
  t.same((await api('GET', '/channels/testing')).differences, [])

  await publish([hello('2')], { label: 'Nutty', origin: 'Nut' })
  await api('POST', '/archives/refresh')
  t.same(troubles(await apt.update()), clean, 'machines go on')
  t.equal((await apt.policy('hello')).candidate, '2')
  const differences = [
    {
      archive: 'nut',
      suite: 'stable',
      fields: [{ field: 'Label', published: 'Nut', upstream: 'Nutty' }],
    },
  ]
  t.same((await api('GET', '/channels/testing')).differences, differences)
  t.same((await api('GET', '/channels/approved')).differences, differences, 'curated ones too')
  const metrics = await (await fetch(`${sluice.url}/metrics`)).text()
  t.match(
    metrics,
    /^sluice_release_differences\{channel="approved",archive="nut",suite="stable"\} 1$/m,
  )

  const planned = await api('POST', '/channels/testing/adopt-release', { dryRun: true })
  t.same(planned, { differences })
  t.same(troubles(await apt.update()), clean)
  const adopted = await api('POST', '/channels/testing/adopt-release', { reason: 'they moved' })
  t.same(adopted, { differences, generation: { serial: 3 } })
  const asked = await apt.update()
  t.equal(asked.code, 100)
  t.match(asked.errors, [/changed its 'Label' value from 'Nut' to 'Nutty'/])
  t.equal((await apt.update('--allow-releaseinfo-change')).code, 0)
  t.same(troubles(await apt.update()), clean, 'once is enough')
  t.same((await api('GET', '/channels/testing')).differences, [])
  t.match(await api('GET', '/audit?limit=1'), [
    { what: 'adopt-release', why: 'they moved', detail: { adopted: differences } },
  ])
  t.same(await api('POST', '/channels/testing/adopt-release', {}), { differences: [] })

  await publish([hello('3')], { label: 'Nutty', origin: 'Nut' })
  await api('POST', '/archives/refresh')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '3')
})

t.test('a class adopts for itself, with what tells apt beforehand', async (t) => {
  const { dir, sluice, publish } = await makeWorld(t, [hello('1')])
  const { api } = sluice
  await api('POST', '/classes', { name: 'web', channel: 'testing' })
  const apt = await machineAt(join(dir, 'web'), sluice, 'class/web')
  t.same(troubles(await apt.update()), clean)
  await publish([hello('1')], { label: 'Nutty', origin: 'Squirrel' })
  await api('POST', '/archives/refresh')
  const missing = await api('POST', '/classes/web/adopt-release', { suite: 'unstable' })
  t.match(missing.error, { code: 'ERR_NOT_FOUND', message: 'class web has no unstable' })
  const adopted = await api('POST', '/classes/web/adopt-release', {
    archive: 'nut',
    suite: 'stable',
  })
  t.match(adopted.differences, [{ fields: [{ field: 'Origin' }, { field: 'Label' }] }])
  t.match((await api('GET', '/channels/testing')).differences, [{ suite: 'stable' }])
  const told = ['Origin', 'Label'].flatMap((name) => [
    '-o',
    `Acquire::AllowReleaseInfoChange::${name}=true`,
  ])
  t.equal((await apt.update(...told)).code, 0)
  t.same(troubles(await apt.update()), clean)
})

t.test('a class keeps its names when it is moved to a channel that has others', async (t) => {
  const { dir, sluice, publish } = await makeWorld(t, [hello('1')])
  const { api } = sluice
  await api('POST', '/classes', { name: 'web', channel: 'approved' })
  const apt = await machineAt(join(dir, 'web'), sluice, 'class/web')
  t.same(troubles(await apt.update()), clean)
  await publish([hello('2')], { label: 'Nutty' })
  await api('POST', '/archives/refresh')
  await api('POST', '/channels/testing/adopt-release', {})
  await api('PATCH', '/classes/web', { channel: 'testing' })
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '2')
  const text = await (await fetch(`${sluice.url}/class/web/nut/dists/stable/Release`)).text()
  t.match(text, /^Label: Nut$/m)
})
