/**
 * The files of what is revoked: of source packages, out of workers, and where a web server in front would look for them; and
 * what else happens while something is revoked.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { machineAt } from '../support/based.ts'
import { stanzasOf } from '../support/odd-world.ts'
import { runSluice } from '../support/program.ts'
import { askPlain } from '../support/raw-http.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const reason = 'it eats disks'

async function textOf({ sluice }: World, channel: string, index = 'binary-amd64/Packages') {
  const path = `/channels/${channel}/nut/dists/stable/main/${index}.gz`
  return gunzipSync(await (await fetch(`${sluice.url}${path}`)).arrayBuffer()).toString()
}

async function statusOf({ sluice }: World, path: string): Promise<number> {
  const answer = await fetch(`${sluice.url}${path}`)
  await answer.arrayBuffer()
  return answer.status
}

t.test('a source package goes with its binary packages, and its files with it', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1-1'), pack('other', '1')], {
    settings: { sources: true },
    publish: { sources: [{ name: 'hello', version: '1-1' }] },
  })
  const { sluice } = world
  const [stanza] = stanzasOf(await textOf(world, 'approved', 'source/Sources'))
  const directory = stanza?.get('Directory')
  const files = (stanza?.get('Checksums-Sha256') ?? '').split('\n').filter(Boolean)
  const names = files.map((line) => line.trim().split(/\s+/)[2])
  t.ok(names.some((name) => name?.endsWith('.dsc')))
  const paths = names.map((name) => `/channels/approved/nut/${directory}/${name}`)
  for (const path of [...paths, ...paths]) t.equal(await statusOf(world, path), 200, path)
  const revoked = { name: 'hello', version: '1-1', reason }
  t.match(await sluice.api('POST', '/revocations', revoked), { channels: [{}, {}] })
  t.same(stanzasOf(await textOf(world, 'approved', 'source/Sources')), [])
  t.notMatch(await textOf(world, 'approved'), /^Package: hello$/m)
  for (const path of paths) t.equal(await statusOf(world, path), 410, path)
  const apt = await machineAt(join(world.dir, 'one'), sluice, 'channels/approved')
  t.same(troubles(await apt.update()), clean)
  await sluice.api('DELETE', '/revocations', revoked)
  for (const path of paths) t.equal(await statusOf(world, path), 200, path)
  t.equal(stanzasOf(await textOf(world, 'testing', 'source/Sources')).length, 1)
})

t.test('workers forget it, and there is no file for a web server in front', async (t) => {
  const large = { ...pack('large', '1'), content: 300_000 }
  const world = await makeWorld(t, [pack('hello', '1'), large], {
    start: { flags: { workers: '2' } },
  })
  const { sluice } = world
  while (sluice.server.workers().length < 2) await setTimeout(20)
  const text = await textOf(world, 'approved')
  for (const name of ['hello', 'large']) {
    const file = new RegExp(`^Filename: (pool/(..)/(.*)/${name}_1_amd64.deb)$`, 'm').exec(text)
    const [, path, first = '', rest = ''] = file ?? []
    const url = `/channels/approved/nut/${path}`
    for (let count = 0; count < 6; count++) t.equal((await askPlain(sluice.url, url)).status, 200)
    const blob = join(sluice.dataDir, 'blobs', first, rest)
    t.ok(existsSync(blob))
    await sluice.api('POST', '/revocations', { name, version: '1', reason })
    for (let count = 0; count < 6; count++) {
      const answer = await askPlain(sluice.url, url)
      t.equal(answer.status, 410)
      t.match(answer.reason, /was revoked: it eats disks/)
    }
    t.notOk(existsSync(blob))
    t.ok(existsSync(join(sluice.dataDir, 'revoked', first + rest)))
  }
  t.same((await sluice.api('POST', '/verify', { deep: true })).problems, [])
})

t.test('what runs while something is revoked does not bring it back', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { api } = world.sluice
  for (const version of ['2', '3', '4']) {
    await world.publish([pack('hello', version), pack('other', version)])
    await api('POST', '/archives/refresh')
    const to = { from: 'testing', to: 'approved', all: true }
    await api('POST', '/promotions', to)
    const { head } = await api('GET', '/channels/approved')
    await world.publish([pack('hello', version), pack('other', `${version}.1`)])
    const [revoked] = await Promise.all([
      api('POST', '/revocations', { name: 'hello', version, reason }),
      api('POST', '/archives/refresh'),
      api('POST', '/promotions', to),
      api('POST', '/channels/approved/rollback', { to: head }),
      api('POST', '/channels', { name: `copy-${version}`, from: `approved@${head}` }),
      api('POST', '/promotions', { ...to, from: `approved@${head}`, to: 'approved', force: true }),
    ])
    t.match(revoked, { name: 'hello', version, doneAt: Number })
    const bad = new RegExp(`^Package: hello\\n(.+\\n)*Version: ${version}$`, 'm')
    for (const { name } of await api('GET', '/channels'))
      t.notMatch(await textOf(world, name), bad, `${name}, ${version}`)
    // Nor did a generation that came later have it for a moment.
    const audit: { id: number; object: string }[] = await api('GET', '/audit?limit=30')
    const since = audit.find(({ object }) => object === `hello ${version}`)?.id ?? 0
    for (const { id, object } of audit) {
      const [, channel, serial] = /^channel (\S+) generation (\d+)$/.exec(object) ?? []
      if (id < since || channel === undefined) continue
      t.notMatch(await textOf(world, `${channel}@${serial}`), bad, object)
    }
  }
  t.same((await api('POST', '/verify', {})).problems, [])
})

t.test('what another cache has of it is not taken in', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { sluice } = world
  await sluice.api('POST', '/revocations', { name: 'hello', version: '1', reason })
  const args = ['--data', sluice.dataDir, '--json', 'adopt', join(world.dir, 'archive', 'pool')]
  for (const more of [['--dry-run'], []]) {
    const { stdout } = await runSluice([...args, ...more])
    const report = JSON.parse(stdout)
    t.match(report, { adopted: { files: 1 }, problem: undefined })
    t.match(report.unreadable, [/hello_1_amd64\.deb: hello 1 was revoked: it eats disks$/])
  }
  t.same((await sluice.api('POST', '/verify', { deep: true })).problems, [])
})
