/**
 * Derived channels, told by a real apt: they follow their base by themselves and keep what is their own.
 */
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import type { TestApt } from '../support/apt.ts'
import { caughtUp } from '../support/based.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const toApproved = { from: 'testing', to: 'approved' }

/** What apt offers of these packages after an update: `hello=1`. */
async function offers(t: Test, apt: TestApt, ...names: string[]): Promise<string[]> {
  t.same(troubles(await apt.update()), clean)
  const candidates: string[] = []
  for (const name of names) candidates.push(`${name}=${(await apt.policy(name)).candidate}`)
  return candidates
}

const title =
  'a derived channel gets the security fix of its base, and keeps its hold and its newer promotion'
t.test(title, async (t) => {
  const packages = (ssl: string, editor: string): PackageSpec[] => [
    pack('hello', '2'),
    pack('openssl', ssl),
    pack('editor', editor),
  ]
  const world = await makeWorld(t, [pack('hello', '1'), pack('openssl', '1'), pack('editor', '1')])
  const { sluice, publish, machine } = world
  const { api } = sluice
  const made = await api('POST', '/channels', { name: 'web', base: 'approved' })
  t.match(made, { kind: 'derived', head: 1, base: { channel: 'approved' } })
  const web = await machine('web', 'web')

  await publish(packages('1', '2'))
  await api('POST', '/archives/refresh')
  const own = { from: 'testing', to: 'web', sources: [{ name: 'editor' }], reason: 'tried here' }
  t.match(await api('POST', '/promotions', own), {
    changes: [{ source: 'editor', old: ['1'], new: ['2'] }],
    generation: { serial: 2 },
  })
  await api('POST', '/holds', { channel: 'web', source: 'hello', reason: 'our site needs 1' })

  await publish(packages('1+fix', '2'))
  await api('POST', '/archives/refresh')
  const fixed = { ...toApproved, sources: [{ name: 'openssl' }, { name: 'hello' }] }
  t.match(await api('POST', '/promotions', fixed), { generation: { serial: 2 } })
  await caughtUp(sluice, 'web')
  const all = ['hello', 'openssl', 'editor']
  t.same(await offers(t, web, ...all), ['hello=1', 'openssl=1+fix', 'editor=2'])
  t.match((await api('GET', '/channels/web/history'))[0], {
    serial: 3,
    kind: 'follow',
    who: 'system',
    why: 'approved generation 2',
    changes: [{ source: 'openssl', old: ['1'], new: ['1+fix'] }],
  })

  await publish(packages('1+fix', '3'))
  await api('POST', '/archives/refresh')
  await api('POST', '/promotions', { ...toApproved, sources: [{ name: 'editor' }] })
  await caughtUp(sluice, 'web')
  t.same(await offers(t, web, ...all), ['hello=1', 'openssl=1+fix', 'editor=3'])
  const why = 'approved generation 3; editor as approved has it again'
  t.match((await api('GET', '/channels/web/history'))[0], { why })
  t.match(await api('GET', '/channels/web'), {
    pins: [{ source: 'hello', kind: 'hold', why: 'our site needs 1' }],
  })
})

t.test('going back of the base reaches it; what it holds stays until that is lifted', async (t) => {
  const { sluice, publish, machine } = await makeWorld(t, [pack('hello', '1'), pack('ssl', '1')])
  const { api } = sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await api('POST', '/channels', { name: 'shop', base: 'web' })
  const shop = await machine('shop', 'shop')
  await api('POST', '/holds', { channel: 'web', source: 'hello' })
  await publish([pack('hello', '2'), pack('ssl', '2')])
  await api('POST', '/archives/refresh')
  await api('POST', '/promotions', { ...toApproved, all: true })
  await caughtUp(sluice, 'shop')
  t.same(await offers(t, shop, 'hello', 'ssl'), ['hello=1', 'ssl=2'])

  await api('POST', '/channels/approved/rollback', { to: '1' })
  await caughtUp(sluice, 'shop')
  t.same(await offers(t, shop, 'hello', 'ssl'), ['hello=1', 'ssl=1'])
  const refused = await api('POST', '/channels/shop/rollback', { to: '1' })
  t.match(refused.error, {
    code: 'ERR_REFUSED',
    message: 'channel shop is based on web and would move on with it',
  })

  await api('POST', '/promotions', { ...toApproved, all: true })
  await caughtUp(sluice, 'web')
  const lifted = await api('DELETE', '/holds', { channel: 'web', source: 'hello' })
  t.match(lifted, { generation: { changes: [{ source: 'hello', old: ['1'], new: ['2'] }] } })
  await caughtUp(sluice, 'shop')
  t.same(await offers(t, shop, 'hello', 'ssl'), ['hello=2', 'ssl=2'])
  t.same((await api('GET', '/diff?from=approved&to=shop')).changes, [])
  t.same((await api('POST', '/verify', {})).problems, [])
})
