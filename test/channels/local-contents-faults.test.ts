/**
 * Contents of local archives where the disk or the database lost something: uploads go on, what is revoked goes, and what can be
 * made anew is.
 */
import { mkdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { compareContents, contentsOf } from '../support/contents-judge.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { bodyOf, listedFiles } from '../support/odd-world.ts'

const asked = { extras: ['contents'] }

const app = (version: string, name = 'acme-app'): PackageSpec => ({
  name,
  version,
  arch: 'amd64',
  files: { 'usr/bin/acme': `${name} ${version}\n`, [`usr/lib/${name}/${version}`]: '' },
})

async function fits(t: Test, bed: LocalBed, what: string, channel = 'testing'): Promise<void> {
  const { found, wanted } = await compareContents(bed, channel)
  t.same(found, wanted, `${what}: ${channel}`)
}

async function contentsFile({ sluice }: LocalBed, channel: string): Promise<string> {
  const url = `${sluice.url}/channels/${channel}/internal/dists/stable/Release`
  const files = listedFiles((await bodyOf(url)).toString())
  const { sha256 = '' } = files.get('main/Contents-amd64.gz') ?? {}
  return fileOf(sluice, sha256)
}

function fileOf({ dataDir }: LocalBed['sluice'], sha256: string): string {
  return join(dataDir, 'blobs', sha256.slice(0, 2), sha256.slice(2))
}

function inDatabase({ sluice }: LocalBed, statement: string): unknown {
  const db = new Database(join(sluice.dataDir, 'sluice.db'))
  const made = db.prepare(statement)
  const found = made.reader ? made.pluck().get() : made.run()
  db.close()
  return found
}

async function offered({ sluice }: LocalBed, suite: string): Promise<string[]> {
  const url = `${sluice.url}/channels/${suite}/main/binary-amd64/Packages.gz`
  const text = gunzipSync(await bodyOf(url)).toString()
  return [...text.matchAll(/^Package: (.*)$/gm)].map(([, name = '']) => name)
}

t.test('an upload goes on where the file of the Contents before is gone', async (t) => {
  const bed = await makeLocalBed(t, asked)
  await bed.publish(app('1'))
  await bed.settle()
  await rm(await contentsFile(bed, 'testing'))
  await bed.publish(app('2'))
  t.match(await bed.settle(), [{ channel: 'testing' }])
  await fits(t, bed, 'made anew')
})

t.test('what is revoked goes out of all channels, whatever Contents cannot be read', async (t) => {
  const bed = await makeLocalBed(t, asked)
  const { api, url, token } = bed.sluice
  for (const one of [app('1'), app('1', 'acme-bad')]) await bed.publish(one)
  await bed.settle()
  const shape = { suites: ['stable'], components: ['main'], architectures: ['amd64'] }
  await api('POST', '/archives', { name: 'second', kind: 'local', ...shape })
  await api('POST', '/channels', { name: 'other', follow: ['second'] })
  const data = await readFile(await bed.build(app('1', 'acme-bad')))
  const headers = { Authorization: `Bearer ${token}` }
  const at = `${url}/api/v1/archives/second/packages/acme-bad_1_amd64.deb`
  t.equal((await fetch(at, { method: 'PUT', headers, body: data })).status, 200)
  await api('POST', '/archives/second/follow')
  const file = await contentsFile(bed, 'testing')
  await rm(file)
  await mkdir(file)
  const bad = { name: 'acme-bad', version: '1', reason: 'it eats disks' }
  t.notMatch(await api('POST', '/revocations', bad), { error: Object })
  t.same(await offered(bed, 'testing/internal/dists/stable'), ['acme-app'])
  t.same(await offered(bed, 'other/second/dists/stable'), [])
  await fits(t, bed, 'made anew')
})

t.test('what is revoked goes though Contents cannot be made, which come later', async (t) => {
  const bed = await makeLocalBed(t, asked)
  const { api } = bed.sluice
  await bed.publish(app('1'))
  await bed.settle()
  const files = [await contentsFile(bed, 'testing')]
  await bed.publish(app('1', 'acme-bad'))
  await bed.settle()
  files.push(await contentsFile(bed, 'testing'))
  // One can not be read, and the other, which is the one to be made, not be written.
  for (const file of files) {
    await rm(file)
    await mkdir(file)
  }
  const bad = { name: 'acme-bad', version: '1', reason: 'it eats disks' }
  t.notMatch(await api('POST', '/revocations', bad), { error: Object })
  t.same(await offered(bed, 'testing/internal/dists/stable'), ['acme-app'])
  t.notOk((await contentsOf(bed, 'testing')).has('main/Contents-amd64'))
  for (const file of files) await rmdir(file)
  await bed.publish(app('2'))
  t.match(await bed.settle(), [{ channel: 'testing' }])
  await fits(t, bed, 'once they can be made')
})

t.test('what could not be listed comes in as soon as it can be', async (t) => {
  const bed = await makeLocalBed(t)
  const { api } = bed.sluice
  await bed.publish(app('1'))
  await bed.publish(app('1', 'acme-lost'))
  await bed.settle()
  const deb = await readFile(await bed.build(app('1', 'acme-lost')))
  const path = fileOf(bed.sluice, sha256Of(deb))
  await rename(path, join(bed.dir, 'lost'))
  const wrong = { extras: ['contents', 'dep11'] }
  t.match(await api('PATCH', '/archives/internal', wrong), { error: { code: 'ERR_USAGE' } })
  t.equal(inDatabase(bed, 'SELECT count(*) FROM file_list'), 0, 'refused, it reads no package')
  await api('PATCH', '/archives/internal', asked)
  await bed.settle()
  const lines = async (): Promise<string> =>
    (await contentsOf(bed, 'testing')).get('main/Contents-amd64') ?? ''
  t.match(await lines(), /acme-app/)
  t.notMatch(await lines(), /acme-lost/)
  await rename(join(bed.dir, 'lost'), path)
  await bed.publish(app('2'))
  await bed.settle()
  await fits(t, bed, 'found again')
})

t.test(
  'what was revoked before Contents were asked for is in them when it is taken back',
  async (t) => {
    const bed = await makeLocalBed(t)
    const { api } = bed.sluice
    for (const version of ['1', '2']) await bed.publish(app(version))
    await bed.settle()
    const bad = { name: 'acme-app', version: '2', reason: 'it eats disks' }
    t.notMatch(await api('POST', '/revocations', bad), { error: Object })
    await api('PATCH', '/archives/internal', asked)
    await bed.settle()
    await fits(t, bed, 'revoked')
    t.notMatch(await api('DELETE', '/revocations', bad), { error: Object })
    await fits(t, bed, 'taken back')
    t.notMatch(await api('POST', '/revocations', bad), { error: Object })
    const countLists = 'SELECT count(*) FROM file_list'
    t.equal(inDatabase(bed, countLists), 2)
    t.notMatch(await api('POST', '/gc', { force: true }), { error: Object })
    t.equal(inDatabase(bed, countLists), 2, 'the list of what is revoked stays')
  },
)

t.test('a damaged list is made anew', async (t) => {
  const bed = await makeLocalBed(t, asked)
  await bed.publish(app('1'))
  await bed.settle()
  inDatabase(bed, "UPDATE file_list SET paths = x'1f8b0800'")
  await bed.publish(app('2'))
  t.match(await bed.settle(), [{ channel: 'testing' }])
  await fits(t, bed, 'listed anew')
})
