/**
 * `kill -9` at each step of evictions, adoptions, verifications: the next start has a sound store, and the work is done to the
 * same end. Four of the steps in `npm test`, all in `npm run soak`.
 */
import { chmod, copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { getFile, type PoolFile, poolFiles } from '../support/pool-files.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'
import type { TestUpstream } from '../support/upstream-server.ts'
import { makeWorld } from '../support/world.ts'

const FILE_BYTES = 100_000
const names = ['ant', 'bee', 'cat', 'dog']

interface Bed {
  readonly upstream: TestUpstream
  readonly files: readonly PoolFile[]
  /** A data directory of its own that has the first two of the files, one of them damaged. */
  dataDir(name: string): Promise<string>
  /** A directory with all four. */
  readonly old: string
}

async function makeBed(t: Test): Promise<Bed> {
  const packages = names.map((name) => ({ name, version: '1', arch: 'amd64', content: FILE_BYTES }))
  const world = await makeWorld(t, packages)
  const { dir, sluice, upstream } = world
  await sluice.api('DELETE', '/channels/approved')
  const files = [...(await poolFiles(world)).values()]
  for (const file of files.slice(0, 2)) await getFile(world, file)
  await sluice.close()
  const old = join(dir, 'old')
  await mkdir(old)
  for (const { path } of files)
    await copyFile(join(dir, 'archive', path), join(old, basename(path)))
  return {
    upstream,
    files,
    old,
    dataDir: async (name) => {
      const to = join(dir, name)
      await cp(sluice.dataDir, to, { recursive: true })
      const { sha256 = '' } = files[0] ?? {}
      const path = join(to, 'blobs', sha256.slice(0, 2), sha256.slice(2))
      const data = await readFile(path)
      data[500] = (data[500] ?? 0) ^ 1
      await chmod(path, 0o644)
      await writeFile(path, data)
      await writeFile(join(to, 'sluice.toml'), `max-size = ${3.5 * FILE_BYTES}\n`)
      return to
    },
  }
}

async function start(t: Test, dataDir: string, fault?: string): Promise<SluiceProcess> {
  const begun = await startProcess(t, dataDir, fault)
  if (!('url' in begun)) throw new Error(begun.text)
  return begun
}

/** What goes through all of them: a damaged file, an adoption of more than has room, and what goes for that. */
async function work(server: SluiceProcess, old: string): Promise<void> {
  await server.api('POST', '/verify', { deep: true })
  await server.api('POST', '/adopt', { dir: old })
  await server.api('POST', '/gc', {})
}

const points = [
  'blob: file removed, row left',
  'take: copied',
  'evict: doomed',
  'gc: rows of blobs removed, files left',
  ...(process.env.SOAK === undefined
    ? []
    : [
        'blob: synced, not linked',
        'blob: linked, directory not synced',
        'blob: durable, no row',
        'adopt: a file taken',
        'gc: blobs, before the commit',
        'gc: file removed',
        'evict: files gone',
      ]),
]

t.test('each step can be the last', async (t) => {
  const { upstream, files, old, dataDir } = await makeBed(t)
  for (const [at, point] of points.entries()) {
    const data = await dataDir(`var-${at}`)
    const first = await start(t, data, `kill-at:${point}`)
    await work(first, old).catch(() => undefined)
    t.match(await first.ended, { signal: 'SIGKILL' }, `${point}: it was reached`)
    const second = await start(t, data)
    await work(second, old)
    const { problems } = await second.api('POST', '/verify', { deep: true })
    t.same(problems, [], point)
    const { room } = await second.api('GET', '/gc')
    t.ok(room.fileBytes <= room.maxBytes && room.fileBytes > 2 * FILE_BYTES, `${point}: the limit`)
    for (const file of files) {
      const given = await getFile({ sluice: second, upstream }, file)
      t.match(given, { status: 200, sha256: file.sha256 }, `${point}: ${file.path}`)
    }
    await second.stop()
  }
})
