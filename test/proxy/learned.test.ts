/**
 * Archives that nobody told the server of: machines ask for them as they did before, and get one verified suite.
 */
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { makeLearnedWorld } from '../support/learned-world.ts'
import { clean, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 200_000,
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }
const odd: PackageSpec = { name: 'libg++-dev', version: '1:2.0~rc1+b1-1', arch: 'amd64' }
const MINUTE_MS = 60_000

t.test(
  'an unknown archive works, and the second machine takes nothing from upstream',
  async (t) => {
    const world = await makeLearnedWorld(t, [hello('1'), other, odd], {
      publish: { translations: true, digests: ['MD5Sum', 'SHA256', 'SHA512'] },
    })
    const { upstream, sluice, dir, key } = world
    const first = await world.machine('first')
    t.same(troubles(await first.update()), clean)
    t.same(troubles(await first.install('hello', 'libg++-dev')), clean)
    t.same(await first.installed(), ['hello=1', 'libg++-dev=1:2.0~rc1+b1-1'])
    upstream.clearRequests()
    const authority = new URL(upstream.url).host
    for (const [at, uri] of [upstream.url, `${sluice.url}/${authority}`].entries()) {
      const sources = `deb [signed-by=${key.publicAsc}] ${uri} stable main`
      const apt = await createApt(join(dir, `way-${at}`), {
        sources,
        ...(at === 0 ? { proxy: sluice.url } : {}),
      })
      t.same(troubles(await apt.update()), clean)
      t.same(troubles(await apt.install('hello', 'libg++-dev')), clean)
    }
    await world.restart()
    const later = await world.machine('later')
    t.same(troubles(await later.update()), clean)
    t.same(troubles(await later.install('hello')), clean)
    t.equal(upstream.count(), 0)

    t.comment('it is no archive of the server')
    t.same((await world.sluice.api('GET', '/archives')).archives ?? [], [])
    const follow = await world.sluice.api('POST', '/channels', { name: 'c', follow: [authority] })
    t.ok(follow.error, JSON.stringify(follow))
  },
)

for (const byHash of [true, false]) {
  const how = byHash ? 'by hash' : 'by name alone'
  t.test(`upstream publishes while a machine is updating, indexes ${how}`, async (t) => {
    const world = await makeLearnedWorld(t, [hello('1'), other], { publish: { byHash } })
    const { upstream, clock } = world
    const first = await world.machine('first')
    t.same(troubles(await first.update()), clean)
    const second = await world.machine('second')
    const third = await world.machine('third')
    // The second machine has the Release of before, and asks for the index after.
    await world.get('dists/stable/InRelease')
    await world.publish([hello('2'), other])
    t.same(troubles(await second.update()), clean)
    t.equal((await second.policy('hello')).candidate, '1')
    const shown = async () => (await world.get('dists/stable/InRelease')).headers['last-modified']
    const before = await shown()
    clock.advance(10 * MINUTE_MS)
    t.same(troubles(await second.update()), clean, 'the look upstream is behind it')
    await until(async () => (await shown()) !== before)
    upstream.clearRequests()
    t.same(troubles(await third.update()), clean)
    t.equal(upstream.count(), 0, 'its index came before it was shown')
    t.same(troubles(await third.install('hello')), clean)
    t.same(await third.installed(), ['hello=2'])
    t.same(troubles(await first.install('hello')), clean, 'who has the old index gets the old file')
    t.same(await first.installed(), ['hello=1'])
  })
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10))
}

t.test('half a publication upstream is no publication here', async (t) => {
  const world = await makeLearnedWorld(t, [hello('1'), other], { publish: { byHash: false } })
  const { upstream, clock } = world
  const apt = await world.machine('apt')
  t.same(troubles(await apt.update()), clean)
  await world.publish([hello('2'), other])
  upstream.fault(/Packages/, { kind: 'status', status: 404 })
  clock.advance(2 * 3600_000)
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
  const fresh = await world.machine('fresh')
  t.same(troubles(await fresh.update()), clean)
  t.equal((await fresh.policy('hello')).candidate, '1')
  upstream.clearFaults()
  clock.advance(2 * 3600_000)
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '2')
})

t.test('a wrong package is cut off, and the machine gets the right one by itself', async (t) => {
  const world = await makeLearnedWorld(t, [hello('1'), other])
  const { upstream } = world
  const apt = await world.machine('apt')
  t.same(troubles(await apt.update()), clean)
  upstream.fault(/hello_/, { kind: 'flip', offset: 150_000 }, { times: 1 })
  const { code, output } = await apt.install('hello')
  t.equal(code, 0, output)
  t.notMatch(output, /mismatch/i)
  const next = await world.machine('next')
  await next.update()
  upstream.clearRequests()
  t.same(troubles(await next.install('hello')), clean)
  t.equal(upstream.count(), 0)
})

t.test('upstream is gone, and machines do not notice', async (t) => {
  const world = await makeLearnedWorld(t, [hello('1'), other])
  const { upstream, clock } = world
  const first = await world.machine('first')
  t.same(troubles(await first.update()), clean)
  t.same(troubles(await first.install('hello')), clean)
  upstream.fault(/./, { kind: 'status', status: 503 })
  clock.advance(5 * 3600_000)
  const second = await world.machine('second')
  t.same(troubles(await second.update()), clean)
  t.same(troubles(await second.install('hello')), clean)
})

t.test('a Release is shown when the indexes of its names are here', async (t) => {
  const world = await makeLearnedWorld(t, [hello('1'), other], { publish: { byHash: false } })
  const { upstream, get } = world
  t.equal((await get('dists/stable/InRelease')).status, 200)
  await world.publish([hello('2'), other])
  const late = await get('dists/stable/main/binary-amd64/Packages.xz')
  t.match(late, { status: 200, headers: { 'x-cache': 'HIT' } }, 'the one that belongs to it')
  upstream.fault(/Packages.xz/, { kind: 'status', status: 404 })
  const apt = await world.machine('apt')
  world.clock.advance(2 * 3600_000)
  t.same(troubles(await apt.update()), clean)
})

t.test('other bytes under the name of yesterday’s file are those of today’s index', async (t) => {
  for (const workers of ['0', '1']) {
    const world = await makeLearnedWorld(t, [hello('1'), other], { flags: { workers } })
    for (const content of [3000, 4000, 5000]) {
      await world.publish([{ ...hello('1'), content }, other])
      world.clock.advance(2 * 3600_000)
      for (const name of ['a', 'b']) {
        const apt = await world.machine(`${name}-${content}`)
        t.same(troubles(await apt.update()), clean)
        t.same(troubles(await apt.install('hello')), clean)
      }
    }
    await world.close()
  }
})
