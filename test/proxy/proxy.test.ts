/**
 * Proxy mode as a real apt uses it: its sources name upstream, `Acquire::http::Proxy` names Sluice.
 */
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 3000,
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }
const odd: PackageSpec = { name: 'libg++-dev', version: '1:2.0~rc1+b1-1', arch: 'amd64' }

t.test('what one way fetched is not fetched again the other way', async (t) => {
  const world = await makeWorld(t, [hello('1'), other, odd], {
    publish: { translations: true, digests: ['MD5Sum', 'SHA256', 'SHA512'] },
  })
  const { upstream } = world
  const proxied = await world.proxied('proxied')
  const onChannel = await world.machine('channel', 'approved')
  upstream.clearRequests()
  t.same(troubles(await proxied.update()), clean)
  t.same(troubles(await onChannel.update()), clean)
  t.equal(upstream.count(/InRelease|Release/), 0, 'a request waits for no upstream')
  t.same(troubles(await proxied.install('hello', 'libg++-dev')), clean)
  t.same(await proxied.installed(), ['hello=1', 'libg++-dev=1:2.0~rc1+b1-1'])
  t.same(troubles(await onChannel.install('other')), clean)
  t.same(troubles(await onChannel.install('hello', 'libg++-dev')), clean)
  t.same(troubles(await proxied.install('other')), clean)
  for (const name of ['hello_', 'libg++-dev_', 'other_']) {
    t.equal(upstream.requests.filter(({ path }) => path.includes(`/${name}`)).length, 1, name)
  }
  const again = await world.proxied('again')
  upstream.clearRequests()
  t.same(troubles(await again.update()), clean)
  t.same(troubles(await again.install('hello')), clean)
  t.equal(upstream.count(), 0, 'the next machine needs nothing from upstream')
})

t.test('a machine sees one whole suite while upstream publishes the next', async (t) => {
  const world = await makeWorld(t, [hello('1'), other])
  const first = await world.proxied('first')
  t.same(troubles(await first.update()), clean)
  await world.publish([hello('2'), other])
  t.same(troubles(await first.update()), clean)
  t.equal((await first.policy('hello')).candidate, '1')
  const second = await world.proxied('second')
  t.same(troubles(await second.update()), clean)
  t.equal((await second.policy('hello')).candidate, '1')
  t.same(troubles(await second.install('hello')), clean)

  await world.sluice.api('POST', '/archives/refresh')
  t.same(troubles(await first.update()), clean)
  t.equal((await first.policy('hello')).candidate, '2')
  t.same(troubles(await first.install('hello')), clean)
  t.same(await first.installed(), ['hello=2'])
})

t.test('so it does where upstream keeps no index of yesterday', async (t) => {
  const world = await makeWorld(t, [hello('1'), other], { publish: { byHash: false } })
  await world.publish([hello('2'), other])
  const late = await world.proxied('late')
  // apt asks for xz first, which the refresh did not need, and takes the next form when told 404.
  const { code, warnings, errors, failed, ignored } = await late.update()
  t.same({ code, warnings, errors }, { code: 0, warnings: [], errors: [] })
  t.equal(failed.length + ignored.length, 1, 'at once, without trying again for seconds')
  t.equal((await late.policy('hello')).candidate, '1')
})

t.test('other bytes under the name of yesterday’s file are those of today’s index', async (t) => {
  const world = await makeWorld(t, [hello('1'), other])
  const before = await world.proxied('before')
  await before.update()
  t.same(troubles(await before.install('hello')), clean)
  for (const content of [4000, 5000, 6000, 7000]) {
    await world.publish([{ ...hello('1'), content }, other])
    await world.sluice.api('POST', '/archives/refresh')
    const after = await world.proxied(`after-${content}`)
    t.same(troubles(await after.update()), clean)
    t.same(troubles(await after.install('hello')), clean)
    const padding = join(after.dir, 'usr/share/doc/hello/padding')
    t.equal((await readFile(padding)).length, content)
  }
})

t.test('apt goes on with the half of a file that it has', async (t) => {
  const big = { ...hello('1'), content: 200_000 }
  const world = await makeWorld(t, [big, other])
  const [whole, broken] = [await world.proxied('whole'), await world.proxied('broken')]
  for (const apt of [whole, broken]) await apt.update()
  t.same(troubles(await whole.download('hello')), clean)
  const archives = 'var/cache/apt/archives'
  const file = (await readdir(join(whole.dir, archives))).find((name) => name.endsWith('.deb'))
  const bytes = await readFile(join(whole.dir, archives, file ?? ''))
  const answer = await fetch(`${world.sluice.url}${poolPath(await indexOf(world.sluice.url))}`, {
    method: 'HEAD',
  })
  const partial = join(broken.dir, archives, 'partial', file ?? '')
  await writeFile(partial, bytes.subarray(0, 150_000))
  const time = new Date(answer.headers.get('last-modified') ?? '')
  await utimes(partial, time, time)
  const run = await broken.install('hello')
  t.same(troubles(run), clean)
  t.ok(run.fetchedBytes > 0 && run.fetchedBytes < 60_000, `the rest: ${run.fetchedBytes} bytes`)
  t.equal(world.upstream.count(/hello_1_/), 1)
})

async function indexOf(url: string): Promise<string> {
  const path = '/channels/testing/nut/dists/stable/main/binary-amd64/Packages.gz'
  return gunzipSync(await (await fetch(`${url}${path}`)).arrayBuffer()).toString()
}

function poolPath(index: string): string {
  return `/channels/testing/nut/${/^Filename: (.*hello.*)$/m.exec(index)?.[1]}`
}

t.test('a machine that reaches channels through the proxy too', async (t) => {
  const world = await makeWorld(t, [hello('1'), other])
  const direct = await world.machine('direct', 'approved')
  const source = await readFile(join(direct.dir, 'etc/apt/sources.list'), 'utf8')
  const apt = await createApt(join(world.dir, 'both'), {
    sources: `${source}deb [signed-by=${world.key.publicAsc}] ${world.upstream.url} stable main`,
    proxy: world.sluice.url,
  })
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
})
