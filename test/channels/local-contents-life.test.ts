/**
 * Contents of local archives through all that happens to packages: in each channel, at each time, they are those of the packages
 * that it offers, as apt-ftparchive tells them.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { app, compareContents, contentsOf } from '../support/contents-judge.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { bodyOf, listedFiles } from '../support/odd-world.ts'

const asked = { extras: ['contents'] }
const DAY_MS = 24 * 3600_000

const data = (version: string): PackageSpec => ({
  ...app(version, { files: { 'usr/bin/acme': '', [`usr/share/acme/${version}`]: '' } }),
  name: 'acme-data',
  arch: 'all',
})

async function fits(t: Test, bed: LocalBed, what: string, channels: readonly string[]) {
  for (const channel of channels) {
    const { found, wanted } = await compareContents(bed, channel)
    t.same(found, wanted, `${what}: ${channel}`)
  }
}

async function hasContents({ sluice }: LocalBed, channel: string): Promise<boolean> {
  const url = `${sluice.url}/channels/${channel}/internal/dists/stable/Release`
  return [...listedFiles((await bodyOf(url)).toString()).keys()].some((path) =>
    path.includes('Contents'),
  )
}

t.test('each generation has the Contents of its packages, whichever way they came', async (t) => {
  const bed = await makeLocalBed(t, asked)
  const { publish, settle, sluice } = bed
  const { api } = sluice
  const both = ['testing', 'approved']
  const promote = (name: string): Promise<{ generation?: object }> =>
    api('POST', '/promotions', { from: 'testing', to: 'approved', sources: [{ name }] })
  for (const spec of [app('1'), app('2'), data('1'), app('1', { arch: 'arm64' })])
    t.notMatch(await publish(spec), { error: Object })
  await settle()
  await promote('acme-app')
  await fits(t, bed, 'one of two promoted', both)
  await promote('acme-data')
  await fits(t, bed, 'both promoted', both)
  const { head } = await api('GET', '/channels/approved')
  await publish(data('2'))
  await settle()
  await fits(t, bed, 'a new version, not promoted', both)

  const nothing = { from: 'testing', to: 'approved', sources: [{ name: 'acme-app' }] }
  t.match(await api('POST', '/promotions', nothing), { changes: [] })
  t.equal((await api('GET', '/channels/approved')).head, head, 'Contents alone are no change')
  t.notMatch(await api('POST', '/channels', { name: 'web', base: 'approved' }), { error: Object })
  t.notMatch(await api('POST', '/holds', { channel: 'web', source: 'acme-data' }), {
    error: Object,
  })
  await promote('acme-data')
  await fits(t, bed, 'what is held', ['approved', 'web'])
  const lines = async (channel: string): Promise<string> =>
    (await contentsOf(bed, channel)).get('main/Contents-all') ?? ''
  t.match(await lines('approved'), /usr\/share\/acme\/2 /)
  t.notMatch(await lines('web'), /usr\/share\/acme\/2 /)

  const bad = { name: 'acme-app', version: '2', reason: 'it eats disks' }
  t.notMatch(await api('POST', '/revocations', bad), { error: Object })
  await fits(t, bed, 'revoked', [...both, 'web'])
  t.notMatch((await contentsOf(bed, 'approved')).get('main/Contents-amd64'), /acme\/2 /)
  t.notMatch(await api('DELETE', '/revocations', bad), { error: Object })
  await api('POST', '/archives/internal/follow')
  await promote('acme-app')
  await fits(t, bed, 'not revoked any more', [...both, 'web'])

  const gone = { package: 'acme-app', version: '1', reason: 'old' }
  t.notMatch(await api('POST', '/archives/internal/unpublish', gone), { error: Object })
  await fits(t, bed, 'taken out', both)
  await api('POST', '/archives/internal/unpublish', { package: 'acme-data', reason: 'all' })
  await api('POST', '/archives/internal/unpublish', { package: 'acme-app', reason: 'all' })
  t.same([...(await contentsOf(bed, 'testing')).keys()], [], 'nothing is left to be told')
  await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true, removals: true })
  await fits(t, bed, 'after removals', ['approved'])
  for (const to of ['2', '3', '4']) {
    t.notMatch(await api('POST', '/channels/approved/rollback', { to }), { error: Object })
    await fits(t, bed, `rolled back to ${to}`, ['approved', 'web'])
  }
  t.same((await api('POST', '/verify', { deep: true })).problems, [])
})

t.test('what came before they were asked for is read then, once', async (t) => {
  const bed = await makeLocalBed(t)
  const { publish, settle, sluice } = bed
  const { api } = sluice
  for (const spec of [app('1'), app('2'), data('1')]) await publish(spec)
  await settle()
  await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  t.equal(await hasContents(bed, 'testing'), false)
  t.match(await api('PATCH', '/archives/internal', { extras: ['dep11'] }), {
    error: { code: 'ERR_USAGE', message: /contents, and no dep11/ },
  })
  t.match(await api('PATCH', '/archives/internal', asked), { extras: ['contents'] })
  await settle()
  await fits(t, bed, 'asked for', ['testing'])
  t.equal(await hasContents(bed, 'approved'), false, 'a channel by promotion has them by the next')
  await publish(app('3'))
  await settle()
  await api('POST', '/promotions', {
    from: 'testing',
    to: 'approved',
    sources: [{ name: 'acme-app' }],
  })
  await fits(t, bed, 'promoted', ['testing', 'approved'])
  const before = await contentsOf(bed, 'testing')
  await api('PATCH', '/archives/internal', { extras: [] })
  await settle()
  t.equal(await hasContents(bed, 'testing'), false)
  await api('PATCH', '/archives/internal', asked)
  await settle()
  t.same(await contentsOf(bed, 'testing'), before)
})

t.test('a list goes with its package, and no Contents are left that nothing names', async (t) => {
  const bed = await makeLocalBed(t, asked)
  const { publish, settle } = bed
  for (const spec of [app('1'), data('1')]) {
    await publish(spec)
    await settle()
  }
  await bed.sluice.api('POST', '/archives/internal/unpublish', { package: 'acme-data' })
  await bed.sluice.api('DELETE', '/channels/approved')
  const { dataDir } = bed.sluice
  const alter = (...statements: string[]): unknown[] => {
    const db = new Database(join(dataDir, 'sluice.db'))
    const found = statements.map((text) => {
      const statement = db.prepare(text)
      return statement.reader ? statement.all() : statement.run()
    })
    db.close()
    return found
  }
  const countLists = 'SELECT count(*) AS n FROM file_list'
  t.match(alter(countLists), [[{ n: 2 }]])
  const collect = async (): Promise<object> => {
    await bed.sluice.close()
    alter(
      'UPDATE channel SET keep_generations = 1, keep_days = 1',
      `UPDATE generation SET made_at = made_at - ${9 * DAY_MS}`,
      `UPDATE doomed SET since = since - ${2 * DAY_MS}`,
    )
    const again = await bed.start(dataDir)
    Object.assign(bed, { sluice: again })
    return again.api('POST', '/gc', { force: true })
  }
  await collect()
  t.match(await collect(), { waiting: { files: 0 } })
  t.match(alter(countLists), [[{ n: 1 }]])
  // A .deb, the keyring's, and a Contents.
  const files = 'SELECT count(*) AS n FROM blob WHERE data IS NULL'
  t.match(alter(files), [[{ n: 2 }]])
  await fits(t, bed, 'collected', ['testing'])
  const path = await bed.build(data('1'))
  const at = `${bed.sluice.url}/api/v1/archives/internal/packages/acme-data_1_all.deb`
  const headers = { Authorization: `Bearer ${bed.sluice.token}` }
  const put = await fetch(at, { method: 'PUT', headers, body: await readFile(path) })
  t.equal(put.status, 200)
  await bed.sluice.api('POST', '/archives/internal/follow')
  await fits(t, bed, 'and again', ['testing'])
})

t.test('Contents that the disk lost are made anew', async (t) => {
  const bed = await makeLocalBed(t, asked)
  const { api, dataDir, url } = bed.sluice
  await bed.publish(app('1'))
  await bed.settle()
  const before = await contentsOf(bed, 'testing')
  const release = await bodyOf(`${url}/channels/testing/internal/dists/stable/Release`)
  const { sha256 = '' } = listedFiles(release.toString()).get('main/Contents-amd64.gz') ?? {}
  await rm(join(dataDir, 'blobs', sha256.slice(0, 2), sha256.slice(2)))
  const { problems } = await api('POST', '/verify', { deep: true })
  t.match(JSON.stringify(problems), sha256)
  await api('PATCH', '/archives/internal', asked)
  await bed.settle()
  t.same(await contentsOf(bed, 'testing'), before)
  t.same((await api('POST', '/verify', { deep: true })).problems, [])
})
