/**
 * `kill -9` while Contents are made: after the next start and the same again they are those of the packages that channels offer, and
 * each of these has its list, once.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { compareContents } from '../support/contents-judge.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'

const asked = { extras: ['contents'] }
const app = (name: string): PackageSpec => ({
  name,
  version: '1',
  arch: 'amd64',
  files: { 'usr/bin/shared': `${name}\n`, [`usr/bin/${name}`]: '' },
})
const shape = { architectures: ['amd64'] }

const uploading = [
  'upload: files listed, not published',
  'contents: made, named by nothing',
  'upload: before the channels follow',
]
for (const point of uploading) {
  t.test(`a server killed at "${point}" has the Contents of what it has`, async (t) => {
    const bed = await makeLocalBed(t, { ...asked, ...shape })
    for (const name of ['acme-a', 'acme-c']) await bed.publish(app(name))
    await bed.settle()
    await bed.sluice.close()
    await killed(t, bed, point, (begun) => put(bed, begun, 'acme-b'))
    const again = await started(t, bed)
    await put(bed, again, 'acme-b')
    await checkAll(t, bed, again, 3)
  })
}

for (const point of ['contents: a package listed', 'contents: made, named by nothing']) {
  t.test(`asked for Contents, a server killed at "${point}" can be asked again`, async (t) => {
    const bed = await makeLocalBed(t, shape)
    for (const name of ['acme-a', 'acme-b', 'acme-c']) await bed.publish(app(name))
    await bed.settle()
    await bed.sluice.close()
    await killed(t, bed, point, ({ api }) => api('PATCH', '/archives/internal', asked))
    const again = await started(t, bed)
    await again.api('PATCH', '/archives/internal', asked)
    await checkAll(t, bed, again, 3)
  })
}

async function started(t: Test, { sluice }: LocalBed, fault?: string): Promise<SluiceProcess> {
  const process = await startProcess(t, sluice.dataDir, fault)
  if (!('url' in process)) throw new Error(process.text)
  return process
}

/** Does this with a server that is killed at the point, by it or by what channels do then. */
async function killed(
  t: Test,
  { sluice }: LocalBed,
  point: string,
  work: (begun: SluiceProcess) => Promise<unknown>,
): Promise<void> {
  const begun = await startProcess(t, sluice.dataDir, `kill-at:${point}`)
  if ('url' in begun) {
    await work(begun).catch(() => undefined)
    await begun.api('POST', '/archives/internal/follow').catch(() => undefined)
  }
  // One that lives still has not come to the point.
  t.match(await ('url' in begun ? begun.stop() : begun), { signal: 'SIGKILL' })
}

async function put(bed: LocalBed, { url }: SluiceProcess, name: string): Promise<void> {
  const token = (await readFile(join(bed.sluice.dataDir, 'token'), 'utf8')).trim()
  const body = await readFile(await bed.build(app(name)))
  const at = `${url}/api/v1/archives/internal/packages/${name}_1_amd64.deb`
  const headers = { Authorization: `Bearer ${token}` }
  const { status } = await fetch(at, { method: 'PUT', headers, body })
  if (status !== 200) throw new Error(`${name}: ${status}`)
}

async function checkAll(
  t: Test,
  bed: LocalBed,
  again: SluiceProcess,
  count: number,
): Promise<void> {
  await again.api('POST', '/archives/internal/follow')
  t.match(await again.api('GET', '/channels/testing'), { packages: count })
  const at = { dir: bed.dir, sluice: { ...bed.sluice, url: again.url } }
  const { found, wanted } = await compareContents(at, 'testing', ['amd64'])
  t.same(found, wanted)
  t.match(found.join('\n'), /^usr\/bin\/acme-b misc\/acme-b$/m)
  t.same((await again.api('POST', '/verify', { deep: true })).problems, [])
  await again.stop()
  const db = new Database(join(bed.sluice.dataDir, 'sluice.db'))
  t.match(db.prepare('SELECT count(*) AS n FROM file_list').get(), { n: count })
  db.close()
}
