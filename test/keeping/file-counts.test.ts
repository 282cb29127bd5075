/**
 * The counts of held, reachable and lost files are those that one gets by hand: from the indexes that each generation
 * serves, those of upstream, and the files of the data directory.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { randomFrom } from '../../bench/random.ts'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { seedOr } from '../support/seed.ts'
import { makeWorld } from '../support/world.ts'

const architectures = ['amd64', 'arm64']
const NAMES = 8
const seed = seedOr(process.env.SLUICE_SEED)

interface Counted {
  readonly files: number
  readonly bytes: number
}

/** Digest -> size of what an index names. */
function namedIn(index: string): Map<string, number> {
  const stanzas = index.split('\n\n').filter((stanza) => stanza !== '')
  const field = (stanza: string, name: string): string =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1] ?? ''
  return new Map(stanzas.map((one) => [field(one, 'SHA256'), Number(field(one, 'Size'))]))
}

function sum(files: ReadonlyMap<string, number>, wanted: (digest: string) => boolean): Counted {
  const sizes = [...files].filter(([digest]) => wanted(digest)).map(([, size]) => size)
  return { files: sizes.length, bytes: sizes.reduce((total, size) => total + size, 0) }
}

/** Digests that upstream's indexes name. */
async function listedIn(archive: string): Promise<Set<string>> {
  const listed = new Set<string>()
  for (const arch of architectures) {
    const path = join(archive, `dists/nut/main/binary-${arch}/Packages.gz`)
    const index = gunzipSync(await readFile(path)).toString()
    for (const digest of namedIn(index).keys()) listed.add(digest)
  }
  return listed
}

/** Digests of the files in the store. */
async function heldIn(dataDir: string): Promise<Set<string>> {
  const blobs = join(dataDir, 'blobs')
  const files = await readdir(blobs, { recursive: true, withFileTypes: true })
  return new Set(files.map((one) => one.parentPath.slice(blobs.length + 1) + one.name))
}

t.test('counts are exact, whatever happened', async (t) => {
  t.comment(`SLUICE_SEED=${seed}`)
  const random = randomFrom(seed)
  const versions = Array.from({ length: NAMES }, () => 1)
  const packages = (): PackageSpec[] =>
    versions.flatMap((version, at) => {
      const one = { name: `pack-${at}`, version: String(version), content: 100 + at }
      return at % 3 === 0
        ? [{ ...one, arch: 'all' }]
        : architectures.map((arch) => ({ ...one, arch }))
    })
  const world = await makeWorld(t, packages(), {
    publish: { architectures },
    settings: { architectures, rescue: false },
  })
  const { sluice, dir, publish } = world
  const indexes = async (channel: string): Promise<Map<string, number>> => {
    const all = new Map<string, number>()
    for (const arch of architectures) {
      const path = `channels/${channel}/nut/dists/stable/main/binary-${arch}/Packages.gz`
      const bytes = Buffer.from(await (await fetch(`${sluice.url}/${path}`)).arrayBuffer())
      for (const [digest, size] of namedIn(gunzipSync(bytes).toString())) all.set(digest, size)
    }
    return all
  }
  for (let round = 0; round < 6; round++) {
    for (const at of versions.keys()) if (random() < 0.3) versions[at] = (versions[at] ?? 0) + 1
    await publish(packages())
    await sluice.api('POST', '/archives/refresh')
    if (random() < 0.5) {
      const sources = [{ name: `pack-${Math.floor(random() * NAMES)}` }]
      await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', sources })
    }
    if (random() < 0.2) await sluice.api('POST', '/channels/approved/rollback', { to: '1' })
    const some = [...(await indexes('testing')).keys()].filter(() => random() < 0.1)
    for (const digest of some) {
      const pool = `${digest.slice(0, 2)}/${digest.slice(2)}/some.deb`
      await (await fetch(`${sluice.url}/channels/testing/nut/pool/${pool}`)).arrayBuffer()
    }

    const listed = await listedIn(join(dir, 'archive'))
    const held = await heldIn(sluice.dataDir)
    for (const name of ['testing', 'approved']) {
      const shown = await sluice.api('GET', `/channels/${name}`)
      const kept = new Map<string, number>()
      const serials: { serial: number }[] = await sluice.api('GET', `/channels/${name}/history`)
      for (const { serial } of serials) {
        for (const [digest, size] of await indexes(`${name}@${serial}`)) kept.set(digest, size)
      }
      const head = await indexes(name)
      for (const [counts, named] of [
        [shown.files, head],
        [shown.keptFiles, kept],
      ]) {
        t.match(counts, {
          held: sum(named, (digest) => held.has(digest)),
          reachable: sum(named, (digest) => !held.has(digest) && listed.has(digest)),
          lost: sum(named, (digest) => !held.has(digest) && !listed.has(digest)),
        })
      }
      t.equal(shown.lost, shown.keptFiles.lost.files)
      t.equal(shown.lostFiles.length, shown.lost)
      t.same(
        new Set(shown.lostFiles.map((one: { sha256: string }) => one.sha256)),
        new Set([...kept.keys()].filter((digest) => !held.has(digest) && !listed.has(digest))),
      )
    }
  }
})
