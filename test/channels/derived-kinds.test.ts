/**
 * Source packages and descriptions in derived channels: those of what a channel keeps of its own, else those of its base.
 */
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { caughtUp } from '../support/based.ts'
import { bodyOf, stanzasOf } from '../support/odd-world.ts'
import { makeWorld, type World } from '../support/world.ts'

const names = ['hello', 'kept', 'own']
const described = (name: string, version: string): PackageSpec => ({
  name,
  version,
  arch: 'amd64',
  fields: { Description: `${name} in short\n text of ${version}` },
})
const toApproved = { from: 'testing', to: 'approved' }

/** `package=version` of a channel's index of sources; `package: text` of its descriptions. */
async function holds(world: World, channel: string): Promise<string[]> {
  const base = `${world.sluice.url}/channels/${channel}/nut/dists/stable/main`
  const read = async (path: string): Promise<Map<string, string>[]> =>
    stanzasOf(gunzipSync(await bodyOf(`${base}/${path}.gz`)).toString())
  const sources = (await read('source/Sources')).map(
    (one) => `${one.get('Package')}=${one.get('Version')}`,
  )
  const texts = (await read('i18n/Translation-en')).map(
    (one) => `${one.get('Package')}:${one.get('Description-en')?.split('\n ')[1]}`,
  )
  return [...sources, ...texts]
}

t.test('sources and descriptions are those of the packages that are there', async (t) => {
  const publishing = (version: string): NonNullable<Parameters<World['publish']>[1]> => ({
    translations: true,
    sources: names.map((name) => ({ name, version })),
  })
  const packages = (version: string): PackageSpec[] => names.map((one) => described(one, version))
  const world = await makeWorld(t, packages('1'), {
    publish: publishing('1'),
    settings: { sources: true },
  })
  const { api } = world.sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await api('POST', '/holds', { channel: 'web', source: 'kept' })
  await world.publish(packages('2'), publishing('2'))
  await api('POST', '/archives/refresh')
  await api('POST', '/promotions', { from: 'testing', to: 'web', sources: [{ name: 'own' }] })
  t.same(await holds(world, 'web'), [
    ...['hello=1', 'kept=1', 'own=2'],
    ...['hello:text of 1', 'kept:text of 1', 'own:text of 2'],
  ])
  const some = [{ name: 'hello' }, { name: 'kept' }]
  await api('POST', '/promotions', { ...toApproved, sources: some })
  await caughtUp(world.sluice, 'web')
  t.same(await holds(world, 'web'), [
    ...['hello=2', 'kept=1', 'own=2'],
    ...['hello:text of 2', 'kept:text of 1', 'own:text of 2'],
  ])
  await api('POST', '/promotions', { ...toApproved, all: true })
  await api('DELETE', '/holds', { channel: 'web', source: 'kept' })
  await caughtUp(world.sluice, 'web')
  t.same(await holds(world, 'web'), await holds(world, 'testing'))
  t.same((await api('POST', '/verify', {})).problems, [])
})
