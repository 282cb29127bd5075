/**
 * `kill -9` while packages leave a local archive: what was answered stays, the rest happens at the next start, once.
 */
import { setTimeout } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeLocalBed } from '../support/local-bed.ts'
import { startProcess } from '../support/sluice-process.ts'

const app = (version: string): PackageSpec => ({ name: 'acme-app', version, arch: 'amd64' })
const points = [
  'local: before the commit',
  'local: states written',
  'upload: before the channels follow',
] as const

async function versionsIn(url: string, channel: string): Promise<string[]> {
  const path = `/channels/${channel}/internal/dists/stable/main/binary-amd64/Packages.gz`
  const text = gunzipSync(await (await fetch(`${url}${path}`)).arrayBuffer()).toString()
  return [...text.matchAll(/^Version: (.+)$/gm)].map(([, version]) => version ?? '')
}

for (const point of points) {
  t.test(`a server killed at "${point}" keeps no more versions than it is told`, async (t) => {
    const { sluice, publish, settle } = await makeLocalBed(t)
    for (const version of ['1', '2', '3']) await publish(app(version))
    await settle()
    await sluice.close()
    const fault = `kill-at:${point}`
    const begun = await startProcess(t, sluice.dataDir, fault)
    // It looks after its archives at the start.
    if (!('url' in begun)) t.match(begun, { signal: 'SIGKILL' })
    else {
      await begun.api('PATCH', '/archives/internal', { keepVersions: 2 }).catch(() => undefined)
      t.match(await begun.ended, { signal: 'SIGKILL' })
    }
    const again = await startProcess(t, sluice.dataDir)
    if (!('url' in again)) throw new Error(again.text)
    await again.api('PATCH', '/archives/internal', { keepVersions: 2 })
    while ((await versionsIn(again.url, 'testing')).length > 2) await setTimeout(20)
    t.same(await versionsIn(again.url, 'testing'), ['2', '3'])
    const audit: { why: string }[] = await again.api('GET', '/audit?what=unpublish')
    t.same(
      audit.map(({ why }) => why),
      ['the newest 2 versions are kept'],
    )
    t.same((await again.api('POST', '/verify', {})).problems, [])
    await again.stop()
  })
}
