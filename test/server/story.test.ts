/**
 * The story of Sluice, told by a real apt: upstream publishes, testing offers it, approved waits for the promotion.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { startSluice } from '../support/sluice.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 3000,
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }

t.test('an update reaches machines on approved only by promotion', async (t) => {
  const { sluice, upstream, publish, machine } = await makeWorld(t, [hello('1'), other])
  const approved = await machine('approved', 'approved')
  const testing = await machine('testing', 'testing')
  t.same(troubles(await approved.update()), clean)
  t.same(troubles(await approved.install('hello')), clean)
  t.same(await approved.installed(), ['hello=1'])

  await publish([hello('2'), other])
  const refreshed = await sluice.api('POST', '/archives/nut/refresh')
  t.match(refreshed.generations, [{ channel: 'testing', serial: 2, changed: 1 }])
  t.same(troubles(await testing.update()), clean)
  t.equal((await testing.policy('hello')).candidate, '2')
  t.same(troubles(await approved.update()), clean)
  t.equal((await approved.policy('hello')).candidate, '1', 'approved still offers 1')
  t.match((await sluice.api('GET', '/pending')).pending, [
    { source: 'hello', old: ['1'], new: ['2'] },
  ])

  const promoted = await sluice.api('POST', '/promotions', {
    from: 'testing',
    to: 'approved',
    sources: [{ name: 'hello' }],
    reason: 'tried',
  })
  t.match(promoted, {
    generation: { serial: 2 },
    changes: [{ source: 'hello', old: ['1'], new: ['2'] }],
  })
  t.same(troubles(await approved.update()), clean)
  t.equal((await approved.policy('hello')).candidate, '2')
  t.same(troubles(await approved.upgrade()), clean)
  t.same(await approved.installed(), ['hello=2'])
  t.equal(upstream.count(/hello_2_amd64\.deb$/), 1, 'upstream was asked for the file once')
  t.match(await sluice.api('GET', '/audit'), [{ what: 'promote', why: 'tried', who: 'admin' }])
})

t.test('an older generation stays reachable, and a client that held it can finish', async (t) => {
  const { sluice, publish, machine } = await makeWorld(t, [hello('1'), other])
  const late = await machine('late', 'approved')
  t.same(troubles(await late.update()), clean)
  const path = '/channels/approved/nut/dists/stable'
  const release = await (await fetch(`${sluice.url}${path}/InRelease`)).text()
  const digest = /^ ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages\.gz$/m.exec(release)?.[1]

  await publish([hello('2'), other])
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const index = await fetch(`${sluice.url}${path}/main/binary-amd64/by-hash/SHA256/${digest}`)
  t.equal(index.status, 200, 'the index that the old InRelease names is still there')
  t.same(troubles(await late.install('hello')), clean, 'and the package that the old index names')
  t.same(await late.installed(), ['hello=1'])

  const past = await machine('past', 'approved@1')
  t.same(troubles(await past.update()), clean)
  t.equal((await past.policy('hello')).candidate, '1')
  t.equal(
    await (await fetch(`${sluice.url}/channels/approved@1/nut/dists/stable/InRelease`)).text(),
    release,
  )
})

t.test('a rollback offers the older version under a newer Date', async (t) => {
  const { sluice, publish, machine } = await makeWorld(t, [hello('1'), other])
  await publish([hello('2'), other])
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '2')
  const back = await sluice.api('POST', '/channels/approved/rollback', { to: 1 })
  const changes = [{ source: 'hello', old: ['2'], new: ['1'] }]
  t.match(back, { generation: { serial: 3, changes } })
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
})

t.test(
  'promotion takes a source whole: what it no longer builds goes, what is not asked for stays',
  async (t) => {
    const lib = (version: string, name: string): PackageSpec => ({
      name,
      version,
      arch: 'amd64',
      source: 'lib',
    })
    const { sluice, publish, machine } = await makeWorld(t, [
      lib('1', 'liba'),
      lib('1', 'lib-old'),
      hello('1'),
      other,
    ])
    await publish([lib('2', 'liba'), lib('2', 'libb'), hello('2')])
    await sluice.api('POST', '/archives/refresh')
    const promoted = await sluice.api('POST', '/promotions', {
      from: 'testing',
      to: 'approved',
      sources: [{ name: 'lib', version: '2' }],
    })
    t.match(promoted.changes, [{ source: 'lib', old: ['1'], new: ['2'] }])
    const apt = await machine('one', 'approved')
    t.same(troubles(await apt.update()), clean)
    const candidates = await Promise.all(
      ['liba', 'libb', 'lib-old', 'hello', 'other'].map((name) => apt.policy(name)),
    )
    t.same(
      candidates.map((one) => one.candidate),
      ['2', '2', undefined, '1', '1'],
    )

    const gone = await sluice.api('POST', '/promotions', {
      from: 'testing',
      to: 'approved',
      sources: [{ name: 'other' }],
    })
    t.equal(gone.error.code, 'ERR_REFUSED', 'removal must be asked for')
    const all = await sluice.api('POST', '/promotions', {
      from: 'testing',
      to: 'approved',
      all: true,
    })
    t.match(all.keptBack, [{ source: 'other' }])
    t.match((await sluice.api('GET', '/pending')).pending, [
      { source: 'other', old: ['1'], new: [] },
    ])
    await sluice.api('POST', '/promotions', {
      from: 'testing',
      to: 'approved',
      all: true,
      removals: true,
    })
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('other')).candidate, undefined)
    t.same((await sluice.api('GET', '/diff?from=testing&to=approved')).changes, [])
  },
)

t.test('a channel that follows one archive can follow another one too', async (t) => {
  const { sluice, upstream, key, machine } = await makeWorld(t, [hello('1'), other])
  const keyring = await readFile(key.publicAsc, 'utf8')
  const more = { urls: [upstream.url], suites: ['stable'], components: ['main'] }
  const archive = { name: 'more', ...more, architectures: ['amd64'], keyring }
  await sluice.api('POST', '/archives', archive)
  await sluice.api('POST', '/archives/more/refresh')
  const set = await sluice.api('PATCH', '/channels/testing', { follow: ['nut', 'more'] })
  t.match(set, { follows: ['nut', 'more'], head: 2, suites: 2 })
  const apt = await machine('one', 'testing')
  await apt.setSources(
    `deb [signed-by=${join(apt.dir, 'sluice.asc')}] ${sluice.url}/channels/testing/more stable main`,
  )
  t.same(troubles(await apt.update()), clean)
  const refused = await sluice.api('PATCH', '/channels/approved', { follow: ['more'] })
  t.equal(refused.error.code, 'ERR_REFUSED')
  const promoted = await sluice.api('POST', '/promotions', {
    from: 'testing',
    to: 'approved',
    all: true,
  })
  t.match(promoted, { generation: { serial: 2 } })
  t.match(await sluice.api('GET', '/channels/approved'), { suites: 2 })
})

t.test('a dry run changes nothing, and what cannot be promoted is told', async (t) => {
  const { sluice, publish } = await makeWorld(t, [hello('1'), other])
  await publish([hello('2'), other])
  await sluice.api('POST', '/archives/refresh')
  const between = { from: 'testing', to: 'approved' }
  const plan = await sluice.api('POST', '/promotions', { ...between, all: true, dryRun: true })
  t.match(plan, {
    changes: [{ source: 'hello' }],
    files: { count: 1, missing: 1 },
    generation: undefined,
  })
  t.match(await sluice.api('GET', '/channels/approved'), { head: 1 })
  const wrong = await sluice.api('POST', '/promotions', {
    ...between,
    sources: [{ name: 'hello', version: '7' }],
  })
  t.match(wrong.error, { code: 'ERR_NOT_FOUND', message: 'testing has hello 2, not 7' })
  const none = await sluice.api('POST', '/promotions', {
    ...between,
    sources: [{ name: 'nothing' }],
  })
  t.match(none.error, { code: 'ERR_NOT_FOUND', hint: /sluice search nothing/ })
  const back = await sluice.api('POST', '/promotions', {
    from: 'approved',
    to: 'testing',
    all: true,
  })
  t.equal(back.error.code, 'ERR_REFUSED')
})

t.test('a server that was stopped goes on where it was', async (t) => {
  const { sluice, machine } = await makeWorld(t, [hello('1'), other])
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
  await sluice.close()
  const again = await startSluice(sluice.dataDir)
  t.teardown(() => again.close())
  const keyPath = join(apt.dir, 'sluice.asc')
  await apt.setSources(`deb [signed-by=${keyPath}] ${again.url}/channels/approved/nut stable main`)
  t.same(troubles(await apt.update()), clean)
  t.same((await again.api('POST', '/verify', { deep: true })).problems, [])
})
