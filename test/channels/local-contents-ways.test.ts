/**
 * How local archives come to their Contents: packages are listed when they are uploaded, each way in which they are, whether a
 * channel follows or not; and a configuration file asks for it as the command does.
 */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { buildUpload } from '../../fixtures/uploads.ts'
import { contentsOf } from '../support/contents-judge.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { runSluice } from '../support/program.ts'

const asked = { extras: ['contents'] }

function countLists({ sluice }: LocalBed): unknown {
  const db = new Database(join(sluice.dataDir, 'sluice.db'), { readonly: true })
  const found = db.prepare('SELECT count(*) AS n FROM file_list').pluck().get()
  db.close()
  return found
}

t.test('packages are listed when they come, with a .changes too', async (t) => {
  const bed = await makeLocalBed(t, asked)
  const { sluice } = bed
  await sluice.api('DELETE', '/channels/approved')
  await sluice.api('DELETE', '/channels/testing')
  await bed.publish({ name: 'acme-app', version: '1', arch: 'amd64' })
  t.equal(countLists(bed), 1)
  const dir = join(bed.dir, 'upload')
  const binaries = ['acme', 'acme-data']
  const changes = await buildUpload(dir, { source: 'acme', version: '1.2-3', binaries })
  const file = join(dir, changes)
  const sent = await runSluice(['--data', sluice.dataDir, 'publish', file, '--to', 'internal'])
  t.equal(sent.code, 0, sent.stderr)
  t.equal(countLists(bed), 3, 'its source package has none')
  await bed.publish({ name: 'acme-app', version: '1', arch: 'amd64' })
  t.equal(countLists(bed), 3)
  t.match(await sluice.api('POST', '/channels', { name: 'late', follow: ['internal'] }), {
    name: 'late',
  })
  const contents = await contentsOf(bed, 'late')
  t.match(contents.get('main/Contents-all'), /^usr\/share\/doc\/acme-data\/\S+ +misc\/acme-data$/m)
  t.match(contents.get('main/Contents-amd64'), /^usr\/share\/doc\/acme-app\/\S+ +misc\/acme-app$/m)
  t.notOk(contents.has('main/Contents-arm64'), 'nobody has anything there')
})

t.test('nothing is listed unless it is asked for', async (t) => {
  const bed = await makeLocalBed(t)
  await bed.publish({ name: 'acme-app', version: '1', arch: 'amd64' })
  await bed.settle()
  t.equal(countLists(bed), 0)
  t.same([...(await contentsOf(bed, 'testing')).keys()], [])
})

t.test('a configuration file asks for it, and an export tells it', async (t) => {
  const bed = await makeLocalBed(t)
  const { api } = bed.sluice
  await bed.publish({ name: 'acme-app', version: '1', arch: 'amd64' })
  await bed.settle()
  const { text } = await api('GET', '/export')
  const kind = /^kind = "local"$/m
  t.match(text, kind)
  t.notMatch(text, /^extras/m)
  const wrong = text.replace(kind, '$&\nextras = ["dep11"]')
  t.match(await api('POST', '/apply', { text: wrong }), {
    error: { message: /a local archive has contents, and no dep11/ },
  })
  const wanted = text.replace(kind, '$&\nextras = ["contents"]')
  t.match(await api('POST', '/apply', { text: wanted }), {
    steps: [{ changes: [{ what: 'extras', after: 'contents' }] }],
  })
  await bed.settle()
  t.same([...(await contentsOf(bed, 'testing')).keys()], ['main/Contents-amd64'])
  t.match((await api('GET', '/export')).text, /^extras = .*\bcontents\b/ms)
  t.match(await api('POST', '/apply', { text: (await api('GET', '/export')).text }), { steps: [] })
})
