/**
 * What was learned stays while it is asked for, goes when room is needed, and is forgotten when nobody asks any more.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeLearnedWorld } from '../support/learned-world.ts'
import { clean, troubles } from '../support/world.ts'

const DAY_MS = 24 * 3600_000
const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 200_000 }
const other: PackageSpec = { name: 'other', version: '1', arch: 'all', content: 200_000 }

t.test('a collection takes nothing of it, until it is forgotten', async (t) => {
  const { machine, upstream, sluice, clock, get } = await makeLearnedWorld(t, [hello, other])
  const apt = await machine('apt')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
  const collect = () => sluice.api('POST', '/gc', { force: true })
  await collect()
  clock.advance(2 * DAY_MS)
  t.match(await collect(), { totals: { rows: 1 } })
  upstream.fault(/./, { kind: 'status', status: 503 })
  const second = await machine('second')
  t.same(troubles(await second.update()), clean)
  t.same(troubles(await second.install('hello')), clean)
  upstream.clearFaults()

  clock.advance(40 * DAY_MS)
  await get('dists/unheard/InRelease')
  await collect()
  clock.advance(2 * DAY_MS)
  // A collection by schedule may have come before.
  await collect()
  t.match(await collect(), { totals: { files: 0, rows: 0 } })
  upstream.clearRequests()
  const third = await machine('third')
  t.same(troubles(await third.update()), clean, 'it is learned again')
  t.ok(upstream.count() > 0)
})

t.test('its packages go first when there is too much', async (t) => {
  const world = await makeLearnedWorld(t, [hello, other], { flags: { 'max-size': '300000' } })
  const { machine, sluice, upstream } = world
  const apt = await machine('apt')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.download('hello')), clean)
  t.same(troubles(await apt.download('other')), clean)
  await sluice.api('POST', '/gc', {})
  const { room } = await sluice.api('GET', '/gc')
  t.match(room, { evictedFiles: 1 }, JSON.stringify(room))
  const second = await machine('second')
  t.same(troubles(await second.update()), clean)
  upstream.clearRequests()
  t.same(troubles(await second.install('hello', 'other')), clean)
  t.equal(upstream.count(), 1, 'the one that went is fetched again')
})

t.test('a disk that lost what was remembered of an index', async (t) => {
  const world = await makeLearnedWorld(t, [hello, other])
  const { machine, upstream, dir, sluice } = world
  const apt = await machine('apt')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
  await sluice.close()
  await rm(join(dir, 'var/blobs'), { recursive: true })
  await world.restart()
  t.match(
    await fetch(`${world.sluice.url}/metrics`).then((reply) => reply.text()),
    /learned_suites\{signers="unknown"\} 1/,
  )
  const second = await machine('second')
  t.same(troubles(await second.update()), clean)
  t.same(troubles(await second.install('hello')), clean)
  upstream.clearRequests()
  const third = await machine('third')
  t.same(troubles(await third.update()), clean)
  t.same(troubles(await third.install('hello')), clean)
  t.equal(upstream.count(), 0)
})

for (const byHash of [true, false]) {
  t.test(
    `a disk without room keeps nobody from packages, ${byHash ? 'with' : 'without'} by-hash`,
    async (t) => {
      const flags = { 'disk-reserve': '1000T', 'log-level': 'silent' }
      const { machine, upstream } = await makeLearnedWorld(t, [hello, other], {
        flags,
        publish: { byHash },
      })
      for (const name of ['one', 'two']) {
        const apt = await machine(name)
        t.same(troubles(await apt.update()), clean)
        t.same(troubles(await apt.install('hello')), clean)
      }
      t.ok(upstream.count(/hello_/) >= 2)
    },
  )
}
