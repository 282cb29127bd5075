/**
 * What cannot be published for one local archive is no failure of another's uploads.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { makeLocalBed } from '../support/local-bed.ts'
import { startSluice } from '../support/sluice.ts'

t.test('a channel of another archive that cannot be signed is not told', async (t) => {
  const start = { flags: { 'log-level': 'silent' } }
  const { sluice: first, build } = await makeLocalBed(t, {}, start)
  const shape = { suites: ['stable'], components: ['main'], architectures: ['amd64'] }
  await first.api('POST', '/archives', { name: 'aside', kind: 'local', ...shape })
  await first.api('POST', '/channels', { name: 'broken', follow: ['aside'] })
  const { keys } = await first.api('GET', '/keys/channel:broken')
  await first.close()
  await rm(join(first.dataDir, 'keys', `${keys[0].fingerprint}.asc`))
  const sluice = await startSluice(first.dataDir, start)
  t.teardown(() => sluice.close())
  const path = await build({ name: 'acme-app', version: '1.0', arch: 'amd64' })
  const body = await readFile(path)
  const publish = async (archive: string): Promise<unknown> => {
    const url = `${sluice.url}/api/v1/archives/${archive}/packages/acme-app_1.0_amd64.deb`
    const headers = { Authorization: `Bearer ${sluice.token}` }
    return (await fetch(url, { method: 'PUT', headers, body })).json()
  }
  const done = { published: { outcome: 'published' } }
  t.match(await Promise.all([publish('aside'), publish('internal')]), [done, done])
  t.notOk((await sluice.api('POST', '/archives/internal/follow')).error)
  t.match(await sluice.api('GET', '/channels/broken'), { head: 1 })
  const root = `${sluice.url}/channels/testing/internal/dists/stable/main/binary-amd64`
  const index = await fetch(`${root}/Packages.gz`)
  t.match(gunzipSync(await index.arrayBuffer()).toString(), /^Package: acme-app$/m)
})
