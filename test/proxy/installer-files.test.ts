/**
 * Images of the installer are verified by the list that a Release names, of known archives and of learned ones.
 */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeLearnedWorld } from '../support/learned-world.ts'
import { ask, type RawAnswer } from '../support/raw-http.ts'
import type { TestUpstream } from '../support/upstream-server.ts'
import { makeWorld, type WorldPublish } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64' }
const image = Buffer.alloc(300_000, 'installer ')
const dir = 'main/installer-amd64/current/images'
const digest = createHash('sha256').update(image).digest('hex')
const publish: WorldPublish = {
  forms: ['plain', 'gz'],
  files: { [`${dir}/SHA256SUMS`]: `${digest}  ./netboot/mini.iso\n` },
}

interface Bed {
  readonly upstream: TestUpstream
  readonly archive: string
  get(path: string): Promise<RawAnswer>
  // biome-ignore lint/suspicious/noExplicitAny: as the server's own
  collect(): Promise<any>
}

async function checkImages(t: Test, { upstream, archive, get, collect }: Bed): Promise<void> {
  await mkdir(join(archive, 'dists/nut', dir, 'netboot'), { recursive: true })
  for (const name of ['netboot/mini.iso', 'netboot/unlisted'])
    await writeFile(join(archive, 'dists/nut', dir, name), image)
  const path = `dists/stable/${dir}/netboot/mini.iso`
  upstream.fault(/mini.iso/, { kind: 'flip', offset: 200_000 })
  await t.rejects(get(path), 'a wrong image is not given whole')
  upstream.clearFaults()
  const right = await get(path)
  t.match(right, { status: 200, headers: { 'content-length': `${image.length}` } })
  t.ok(right.body.equals(image))
  upstream.clearRequests()
  t.match(await get(path), { status: 200, headers: { 'x-cache': 'HIT' } })
  await collect()
  t.match(await collect(), { waiting: { files: 0 } }, 'a collection leaves it')
  t.ok((await get(path)).body.equals(image))
  t.equal(upstream.count(), 0)
  t.match(await get(`dists/stable/${dir}/netboot/unlisted`), { status: 200 })
  t.match(await get(`dists/stable/${dir}/netboot/absent`), { status: 404 })
}

t.test('images of a known archive', async (t) => {
  const world = await makeWorld(t, [hello], { publish })
  const { upstream, sluice } = world
  await checkImages(t, {
    upstream,
    archive: join(world.dir, 'archive'),
    get: (path) => ask(sluice.url, `GET ${upstream.url}/${path} HTTP/1.1`),
    collect: () => sluice.api('POST', '/gc', { force: true }),
  })
})

t.test('images of an archive that was learned', async (t) => {
  const world = await makeLearnedWorld(t, [hello], { publish })
  const { upstream, archive, get } = world
  t.equal((await get('dists/stable/InRelease')).status, 200)
  const collect = () => world.sluice.api('POST', '/gc', { force: true })
  await checkImages(t, { upstream, archive, get, collect })
})
