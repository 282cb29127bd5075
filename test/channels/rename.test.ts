/**
 * Channels copied, renamed and deleted, told by a real apt.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { caughtUp, machineAt } from '../support/based.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

t.test(
  'a renamed channel goes on under its new URL with its key, its Dates and its history',
  async (t) => {
    const { dir, sluice, publish } = await makeWorld(t, [hello('1')])
    const { api, url } = sluice
    await api('POST', '/classes', { name: 'web', channel: 'approved' })
    await api('POST', '/channels', { name: 'shop', base: 'approved' })
    const apt = await machineAt(join(dir, 'one'), sluice, 'channels/approved')
    const other = await machineAt(join(dir, 'other'), sluice, 'class/web')
    t.same(troubles(await apt.update()), clean)
    const renamed = await api('POST', '/channels/approved/rename', {
      name: 'stable',
      reason: 'clearer',
    })
    t.match(renamed, {
      name: 'stable',
      before: 'approved',
      urls: { before: `${url}/channels/approved`, after: `${url}/channels/stable` },
      usedBy: { derived: ['shop'], classes: ['web'] },
      clients: { clients: 1 },
    })
    t.equal((await apt.update()).code, 100, 'the old URL is gone')
    const list = join(apt.dir, 'etc/apt/sources.list')
    await apt.setSources((await readFile(list, 'utf8')).replace('/approved/', '/stable/'))
    t.same(troubles(await apt.update()), clean, 'the key is the same')

    await publish([hello('2')])
    await api('POST', '/archives/refresh')
    const promoted = await api('POST', '/promotions', { from: 'testing', to: 'stable', all: true })
    t.match(promoted, { generation: { serial: 2 } })
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, '2')
    await caughtUp(sluice, 'class/web')
    await caughtUp(sluice, 'shop')
    t.same(troubles(await other.update()), clean)
    t.equal((await other.policy('hello')).candidate, '2', 'what is based on it goes on')
    t.match(await api('GET', '/channels/stable/history'), [{ serial: 2 }, { serial: 1 }])
    t.equal((await fetch(`${url}/channels/stable@1/nut/dists/stable/InRelease`)).status, 200)

    for (const source of [{ from: 'testing' }, { follow: ['nut'] }, { base: 'testing' }]) {
      const taken = await api('POST', '/channels', { name: 'approved', ...source })
      t.match(taken.error, {
        code: 'ERR_CONFLICT',
        message:
          /^approved is what channel stable was called: .* \/etc\/apt\/keyrings\/sluice-approved.asc/,
      })
    }
    t.match(
      (await api('POST', '/channels/testing/rename', { name: 'approved' })).error,
      { code: 'ERR_CONFLICT' },
      'nor does another one get the old name',
    )
    await api('POST', '/channels/stable/rename', { name: 'approved' })
    t.equal((await fetch(`${url}/channels/approved/key.asc`)).status, 200, 'but it can get it back')
    t.match((await api('POST', '/channels', { name: 'stable', from: 'testing' })).error, {
      code: 'ERR_CONFLICT',
    })
    t.same((await api('POST', '/verify', {})).problems, [])
  },
)

t.test('names that are taken are refused, and deletion of what is used', async (t) => {
  const { sluice } = await makeWorld(t, [hello('1')])
  const { api } = sluice
  const rename = (
    from: string,
    name: string,
  ): Promise<{ error: { code: string; message: string } }> =>
    api('POST', `/channels/${from}/rename`, { name })
  t.equal((await rename('approved', 'testing')).error.code, 'ERR_CONFLICT')
  t.equal((await rename('approved', 'App roved')).error.code, 'ERR_USAGE')
  t.equal((await rename('nowhere', 'somewhere')).error.code, 'ERR_NOT_FOUND')
  await api('POST', '/channels', { name: 'copy', from: 'approved' })
  await api('DELETE', '/channels/copy')
  t.match((await rename('approved', 'copy')).error, {
    code: 'ERR_CONFLICT',
    message: 'copy was a channel once: machines may still have the key of that one',
  })

  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await api('POST', '/channels', { name: 'shop', base: 'web' })
  await api('POST', '/classes', { name: 'lab', channel: 'web' })
  const used = await api('DELETE', '/channels/web')
  t.match(used.error, {
    code: 'ERR_REFUSED',
    message: 'channel web is what channel shop, class lab are based on',
    hint: /sluice channel set shop --base CHANNEL; sluice class set lab --channel CHANNEL/,
  })
  const circle = await api('PATCH', '/channels/web', { base: 'shop' })
  t.match(circle.error, { code: 'ERR_REFUSED', message: /^shop is based on web itself/ })
  t.equal((await api('PATCH', '/channels/web', {})).error.code, 'ERR_USAGE')
  t.equal((await api('PATCH', '/channels/approved', { base: 'testing' })).error.code, 'ERR_REFUSED')
  t.match(await api('PATCH', '/channels/shop', { base: 'testing' }), {
    base: { channel: 'testing' },
  })
  await api('PATCH', '/classes/lab', { channel: 'testing' })
  t.same(await api('DELETE', '/channels/web'), { deleted: 'web' })
})
