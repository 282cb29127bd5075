/**
 * A revocation that cannot be taken back, since nothing can be written: it holds on, files and all.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import t from 'tap'
import { makeWorld } from '../support/world.ts'

const bad = { name: 'hello', version: '1', reason: 'it eats disks' }

t.test('what cannot be taken back stays revoked', async (t) => {
  const { sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  const { api, url, dataDir } = sluice
  const root = `${url}/channels/approved/nut`
  const index = await fetch(`${root}/dists/stable/main/binary-amd64/Packages.gz`)
  const text = gunzipSync(await index.arrayBuffer()).toString()
  const [, path, first = '', rest = ''] = /^Filename: (pool\/(..)\/(.*)\/.*)$/m.exec(text) ?? []
  const status = async (): Promise<number> => {
    const answer = await fetch(`${root}/${path}`)
    await answer.arrayBuffer()
    return answer.status
  }
  t.equal(await status(), 200)
  const blob = join(dataDir, 'blobs', first, rest)
  t.ok(existsSync(blob))
  await api('POST', '/revocations', bad)
  t.equal(await status(), 410)
  const file = new Database(join(dataDir, 'sluice.db'))
  file.exec(`CREATE TRIGGER no_undo BEFORE DELETE ON revocation
    BEGIN SELECT RAISE(ABORT, 'nothing can be written'); END`)
  t.match((await api('DELETE', '/revocations', bad)).error, { message: String })
  t.match(await api('GET', '/revocations'), [{ name: 'hello', files: 1 }])
  t.equal(await status(), 410)
  t.notOk(existsSync(blob), 'nor has a web server in front a file')
  t.same((await api('POST', '/verify', { deep: true })).problems, [])
  file.exec('DROP TRIGGER no_undo')
  file.close()
  t.notOk((await api('DELETE', '/revocations', bad)).error)
  t.equal(await status(), 200)
})
