/**
 * What derived channels hold: of their base, of archives of their own, and of what they keep, to the byte.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { caughtUp } from '../support/based.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const toApproved = { from: 'testing', to: 'approved' }

t.test(
  'what a derived channel holds has the same bytes, whichever way it came there',
  async (t) => {
    const names = Array.from({ length: 20 }, (_, nth) => `lib${nth}`)
    const all = (version: (nth: number) => string): PackageSpec[] =>
      names.map((name, nth) => pack(name, version(nth)))
    const { sluice, publish } = await makeWorld(
      t,
      all(() => '1'),
    )
    const { api, url } = sluice
    const release = async (channel: string): Promise<string[]> => {
      const text = await (await fetch(`${url}/channels/${channel}/nut/dists/stable/Release`)).text()
      return text.split('\n').filter((line) => / main\//.test(line))
    }
    await api('POST', '/channels', { name: 'early', base: 'approved' })
    await api('POST', '/holds', { channel: 'early', source: 'lib7' })
    for (const version of ['2', '3']) {
      await publish(all((nth) => (nth % 3 === 0 ? '1' : version)))
      await api('POST', '/archives/refresh')
      const some = names.filter((_, nth) => nth % 2 === 0).map((name) => ({ name }))
      await api('POST', '/promotions', { ...toApproved, sources: some })
    }
    const own = { from: 'testing', sources: [{ name: 'lib5' }, { name: 'lib11' }] }
    await api('POST', '/promotions', { ...own, to: 'early' })
    await caughtUp(sluice, 'early')

    await api('POST', '/channels', { name: 'late', base: 'approved' })
    await api('POST', '/promotions', { ...own, to: 'late' })
    await api('POST', '/channels', { name: 'copy', from: 'approved' })
    await api('POST', '/promotions', { from: 'early', to: 'copy', all: true })
    t.same(await release('late'), await release('early'))
    t.same(await release('copy'), await release('early'), 'as a curated channel with that content')
    t.notSame(await release('approved'), await release('early'))
  },
)

t.test('archives that a derived channel follows itself come on top of its base', async (t) => {
  const { sluice, upstream, key, machine } = await makeWorld(t, [pack('hello', '1')])
  const { api } = sluice
  const keyring = await readFile(key.publicAsc, 'utf8')
  const more = { urls: [upstream.url], suites: ['stable'], components: ['main'] }
  await api('POST', '/archives', { name: 'internal', ...more, architectures: ['amd64'], keyring })
  await api('POST', '/archives/internal/refresh')
  const made = await api('POST', '/channels', {
    name: 'web',
    base: 'approved',
    follow: ['internal'],
  })
  t.match(made, {
    follows: ['internal'],
    suites: 2,
    suiteList: [{ archive: 'nut' }, { archive: 'internal' }],
  })
  const web = await machine('web', 'web')
  const lines = await readFile(join(web.dir, 'etc/apt/sources.list'), 'utf8')
  await web.setSources(lines + lines.replace('/nut stable', '/internal stable'))
  t.same(troubles(await web.update()), clean)
  t.equal((await web.policy('hello')).candidate, '1')
  t.equal((await api('DELETE', '/archives/internal')).error.code, 'ERR_REFUSED')
  const less = await api('PATCH', '/channels/web', { follow: [] })
  t.match(less, { follows: [], suites: 1 })
})
