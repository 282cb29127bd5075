/**
 * An archive that keeps so many versions of a package: one that is revoked is none of them, so that the older one that is to
 * stand in for it can be published and stays.
 */
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'

async function versions({ sluice }: LocalBed): Promise<string[]> {
  const path = '/channels/testing/internal/dists/stable/main/binary-amd64/Packages.gz'
  const answer = await fetch(`${sluice.url}${path}`)
  const text = gunzipSync(await answer.arrayBuffer()).toString()
  return [...text.matchAll(/^Version: (.+)$/gm)].map(([, version = '']) => version)
}

t.test('what is revoked does not count among the versions that are kept', async (t) => {
  const bed = await makeLocalBed(t, { keepVersions: 1 })
  const { publish, settle, sluice } = bed
  const app = (version: string) => ({ name: 'acme-app', version, arch: 'amd64' })
  const done = { published: { outcome: 'published' } }
  t.match(await publish(app('3.0')), done)
  await settle()
  const bad = { name: 'acme-app', version: '3.0', reason: 'it eats disks' }
  t.notOk((await sluice.api('POST', '/revocations', bad)).error)
  t.match(await publish(app('2.1')), done)
  await settle()
  t.same(await versions(bed), ['2.1'])
  t.match(await publish(app('2.2')), done)
  await settle()
  t.same(await versions(bed), ['2.2'])
  t.match(await publish(app('2.1')), {
    error: { code: 'ERR_REFUSED', message: /keeps the newest 1 versions/ },
  })
})
